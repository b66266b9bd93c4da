"""How far a source has come, kept in a file over a restart. Written whole or not at all."""

import os
import re
from pathlib import Path

SUFFIX = ".mark"


class Mark:
    """The mark of one source. Without a folder it is remembered until the process ends."""

    def __init__(self, folder: Path | None, source: str) -> None:
        self._path = None if folder is None else folder / f"{_file_name(source)}{SUFFIX}"
        self._text: str | None = None

    def read(self) -> str | None:
        """What was written last; None where nothing was, or what is there cannot be read."""
        if self._text is None and self._path is not None:
            try:
                self._text = self._path.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                return None
        return self._text

    def write(self, text: str) -> None:
        """Raises `OSError` when it cannot be kept; then what is there is as it was."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(f".{os.getpid()}")
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        self._text = text


def _file_name(source: str) -> str:
    """A name of a file, one for each source: what a file may not be called is spelled out."""
    return re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", source)[:180]
