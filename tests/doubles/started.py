"""A program under test as a real process: its log is read line by line, its children are counted."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 120.0
"""How long a test waits before it calls something missing. Far above what anything takes."""

_STARTED = re.compile(r" process_started process=(\S+) pid=(\d+)")


class Started:
    """Use it in `with`: whatever happens, nothing of it is left running."""

    def __init__(self, command: Sequence[str], *, env: dict[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            text=True,
            start_new_session=True,
        )
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in self.pids().values():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(PATIENCE_S)
        if self.process.stdout:
            self.process.stdout.close()

    def wait_for(self, text: str, *, times: int = 1) -> str:
        """The line in which the text stands for the n-th time; raises `AssertionError` with the whole log."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._nth(text, times), PATIENCE_S)
        assert found, f"no {text!r} in\n" + "\n".join(self.lines)
        return found

    def wait_for_end(self) -> int:
        """The exit code, once it has ended and everything it wrote was read."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def pids(self) -> dict[str, int]:
        """The process id of each child's newest life, by name, from the log."""
        return {m[1]: int(m[2]) for line in list(self.lines) if (m := _STARTED.search(line))}

    def _nth(self, text: str, times: int) -> str | None:
        found = [line for line in self.lines if text in line]
        return found[times - 1] if len(found) >= times else None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        pass
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def all_gone(pids: Sequence[int]) -> bool:
    """Whether every process ends, given time."""
    deadline_s = time.monotonic() + PATIENCE_S
    while any(map(is_alive, pids)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return not any(map(is_alive, pids))
