"""Asterisk's logger, as far as queue_log goes: writes lines, rotates as it and logrotate do."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO


class QueueLogFile:
    """A queue_log in a folder; each line is there when `write` returns, as after Asterisk's fflush."""

    def __init__(self, path: Path, *, is_there: bool = True) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._rotated = 0
        if is_there:
            self.open()

    def open(self) -> None:
        """As at start, or on `logger reload`: whatever has the name now is appended to."""
        self.close()
        self._file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, *lines: bytes) -> None:
        self.write_bytes(b"".join(line + b"\n" for line in lines))

    def write_bytes(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)

    def rename(self, *, creates: bool = False) -> Path:
        """Moves the file away, and goes on writing to it until `open`. `creates`: logrotate's `create`."""
        moved = self.path.with_name(f"{self.path.name}.{self._rotated}")
        self._rotated += 1
        self.path.rename(moved)
        if creates:
            self.path.touch()
        return moved

    def rotate(self) -> None:
        """`logger rotate`."""
        self.rename()
        self.open()

    def copy_and_truncate(self) -> None:
        """logrotate's `copytruncate`."""
        shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
        os.truncate(self.path, 0)
