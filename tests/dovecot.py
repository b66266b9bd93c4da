"""`python -m tests.dovecot`: gets the IMAP server that the tests need, or says what to type.

$DOVECOT, else dovecot on PATH or in /usr/sbin, else Debian's package when we are root: installed without
being started (RUNLEVEL=1), as the tests start their own. Nothing is written when it is there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_MISSING = (
    "The tests need an IMAP server, and none could be had: install Dovecot (Debian, Ubuntu: "
    "sudo apt-get install dovecot-imapd), or set DOVECOT to the path of the program."
)


def program() -> str:
    """The path of `dovecot`. Raises `FileNotFoundError` with what to type."""
    named = os.environ.get("DOVECOT")
    found = named or shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if found is None or not Path(found).is_file():
        raise FileNotFoundError(_MISSING)
    return found


def main() -> int:
    """0 once it is there, 1 when it cannot be had."""
    if _is_there():
        return 0
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Dovecot for the tests (apt-get)…", flush=True)
        _runs("apt-get", "update")
        if _runs("apt-get", "install", "-y", "--no-install-recommends", "dovecot-imapd") and _is_there():
            return 0
    print(_MISSING, file=sys.stderr)
    return 1


def _is_there() -> bool:
    try:
        return bool(program())
    except FileNotFoundError:
        return False


def _runs(*command: str) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    return subprocess.run(command, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
