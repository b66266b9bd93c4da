"""`python -m tests.many_sources`: several sources at once; exit code 1 on any difference."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.many_sources.running import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.many_sources", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; left out: 10")
    parser.add_argument("--seed", type=int, default=1, help="what happens; left out: 1")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vigie-sources-"))
    _say(f"seed {given.seed}, {given.minutes:g} minutes, in {folder}")
    differences = run(60 * given.minutes, given.seed, folder, _say)
    for difference in differences:
        _say(f"different: {difference}")
    if differences:
        _say(f"data, settings and log are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    _say(f"{len(differences) or 'no'} difference{'' if len(differences) == 1 else 's'}")
    return 1 if differences else 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
