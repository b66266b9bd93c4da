"""`python -m tests.soak`: the whole system, hurt at random; exit code 1 on any difference."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.soaking import Plan, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long it is hurt; left out: 10")
    parser.add_argument(
        "--seed", type=int, help="what is done, and what happens in the centre; left out: any"
    )
    parser.add_argument("--load", type=float, default=5.0, help="times the pace of the demo; left out: 5")
    parser.add_argument("--keep", action="store_true", help="keep data and logs whatever comes")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else time.time_ns() // 1_000_000 % 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="vigie-soak-"))
    _say(f"seed {seed}, {given.minutes:g} minutes, {given.load:g} times the demo, in {folder}")
    is_right = False
    try:
        differences = soak(Plan(seconds=60 * given.minutes, seed=seed, load=given.load), folder, _say)
        is_right = not differences
    finally:
        if is_right and not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            _say(f"data, settings and logs are in {folder}")
    for difference in differences:
        _say(f"different: {difference}")
    _say(f"seed {seed}: {len(differences) or 'no'} difference{'' if len(differences) == 1 else 's'}")
    return 1 if differences else 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
