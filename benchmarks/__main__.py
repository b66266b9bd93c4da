"""`python -m benchmarks`: runs the sections, one after the other, and prints one table at the end."""

import argparse
import asyncio
import importlib
import os
import platform
import sys
import time

from benchmarks.results import Line, Size, table

SECTIONS = {
    "a": ("throughput", "a backlog through the aggregator, beside Faust and Quix Streams"),
    "b": ("latency", "an event at ingest until its frame at a socket"),
    "c": ("alerts", "a wait crosses its limit until the webhook's receiver has it"),
    "d": ("exactness", "counts after kill -9, beside a Faust table"),
    "e": ("recovery", "each process killed until the board is live again; cold start"),
    "f": ("sockets", "many boards on one api, beside a plain FastAPI loop"),
    "g": ("memory", "memory of each process, and how it grows"),
    "h": ("translation", "payloads of each source translated"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="".join(SECTIONS), metavar="SECTIONS", help="such as a,f")
    parser.add_argument("--smoke", action="store_true", help="small: shows that it works, not how fast")
    parser.add_argument("--repeats", type=int, default=3, help="of what can be measured several times")
    given = parser.parse_args()
    wanted = [name for name in given.only if name not in ", "]
    if unknown := sorted(set(wanted) - SECTIONS.keys()):
        parser.error(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    size = Size(given.smoke, 1 if given.smoke else given.repeats)
    lines = asyncio.run(_run(wanted, size))
    print(f"\n{_machine()}\n{'SMOKE: these figures say nothing of speed' if size.is_smoke else ''}\n")
    print(table(lines))
    return 0


async def _run(wanted: list[str], size: Size) -> list[Line]:
    lines: list[Line] = []
    for name in wanted:
        module, what = SECTIONS[name]
        begun = time.monotonic()
        _say(f"{name}. {what}")
        found = await importlib.import_module(f"benchmarks.{module}").measure(size, _say)
        lines += found
        _say(f"{name}. done in {time.monotonic() - begun:.0f} s\n{table(found)}\n")
    return lines


def _say(text: str) -> None:
    print(text, flush=True)


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load}"


if __name__ == "__main__":
    sys.exit(main())
