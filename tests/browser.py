"""`python -m tests.browser`: gets the browser that the tests need, or says in one sentence what to type.

$CHROMIUM, else chromium or google-chrome on PATH, else the system's package when we are root, else
Playwright's own. Nothing is written when a browser is there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.end_to_end.browser import executable

_MISSING = (
    "The tests need a browser, and none could be had: install Chromium (Debian, Ubuntu: "
    "sudo apt-get install chromium), or set CHROMIUM to the path of one."
)


def main() -> int:
    """0 once a browser is there, 1 when none can be had."""
    if executable() or _playwrights_own():
        return 0
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the tests (apt-get)…", flush=True)
        if _runs("apt-get", "update") and _runs("apt-get", "install", "-y", "chromium") and executable():
            return 0
    print("Installing Chromium for the tests (playwright)…", flush=True)
    if _runs(sys.executable, "-m", "playwright", "install", "chromium") and _playwrights_own():
        return 0
    print(_MISSING, file=sys.stderr)
    return 1


def _playwrights_own() -> bool:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).is_file()


def _runs(*command: str) -> bool:
    return subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
