"""Runs another program that must not outlive the process that started us: `guard.py PARENT PROGRAM…`.

Java cannot watch its parent, so this stands between. On Linux it asks the kernel for a SIGTERM at
the parent's death and becomes the program (same process id). Elsewhere it stays, waits for EOF on
the pipe that the parent holds, and passes signals on. Standard library only: it must start fast.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    parent, program = int(argv[0]), argv[1:]
    if sys.platform == "linux":
        become(parent, program)
    return watch(program)


def become(parent: int, program: list[str]) -> None:
    """Never returns: this process is the program now, and dies with `parent`."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    os.execv(program[0], program)


def watch(program: list[str]) -> int:
    """Runs the program until it ends, or standard input (the parent's pipe) reads EOF."""
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))

    def follow() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        child.terminate()

    threading.Thread(target=follow, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
