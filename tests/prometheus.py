"""`python -m tests.prometheus`: gets the Prometheus that the tests need, or says what to type.

$PROMETHEUS (a folder with `prometheus` and `promtool`), else both on PATH, else Debian's package,
unpacked into the user's cache: installed, it would start a service of its own. Nothing is written when
they are there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from services.cli.jars import cache_folder

_PROGRAMS = ("prometheus", "promtool")
_MISSING = (
    "The tests need Prometheus, and none could be had: install it (Debian, Ubuntu: "
    "sudo apt-get install prometheus), or set PROMETHEUS to a folder with prometheus and promtool."
)


def folder() -> Path | None:
    """Where both programs are."""
    named = os.environ.get("PROMETHEUS")
    on_path = shutil.which("promtool")
    candidates = [Path(named)] if named else []
    candidates += [Path(on_path).parent] if on_path else []
    candidates.append(_unpacked() / "usr/bin")
    return next((each for each in candidates if all((each / name).is_file() for name in _PROGRAMS)), None)


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`. Raises `FileNotFoundError` with what to type."""
    found = folder()
    if found is None:
        raise FileNotFoundError(_MISSING)
    return str(found / name)


def promtool(*words: str, text: str | None = None) -> str:
    """What promtool says when it is content; `AssertionError` with all it says when it is not."""
    done = subprocess.run(
        [program("promtool"), *words], input=text, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def main() -> int:
    """0 once both are there, 1 when they cannot be had."""
    if folder():
        return 0
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        print("Fetching Prometheus for the tests (apt-get)…", flush=True)
        if os.geteuid() == 0:
            _runs("apt-get", "update")
        _unpack()
        if folder():
            return 0
    print(_MISSING, file=sys.stderr)
    return 1


def _unpacked() -> Path:
    return cache_folder() / "prometheus"


def _unpack() -> None:
    """Debian's package, as apt-get checked it, into the cache; whole or not at all."""
    target = _unpacked()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as draft:
        # as root, apt-get fetches as the user _apt, who may not write here: it says so and fetches as root
        if not _runs("apt-get", "download", "prometheus", cwd=draft):
            return
        (package,) = Path(draft).glob("prometheus_*.deb")
        if _runs("dpkg-deb", "-x", str(package), "unpacked", cwd=draft):
            shutil.rmtree(target, ignore_errors=True)
            (Path(draft) / "unpacked").rename(target)


def _runs(*command: str, cwd: str | None = None) -> bool:
    return subprocess.run(command, cwd=cwd).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
