"""What each process uses: memory, threads, open files; and whether that grows."""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

EVERY_S = 2.0
YOUNG_S = 20.0
"""Younger lives say nothing: a process that reads its state still grows to its size."""

_ALLOWED = {"rss_mb": 64.0, "threads": 4.0, "fds": 24.0}
"""By how much the last quarter may lie above the second one, besides a half of that."""


class Use(Struct, frozen=True):
    """At `at_s`, of the process `pid` that we have known for `age_s`."""

    at_s: float
    pid: int
    age_s: float
    rss_mb: float
    threads: float
    fds: float


class Watch:
    """Looks every two seconds, until cancelled."""

    def __init__(self, pids: Callable[[], dict[str, int]]) -> None:
        self.uses: dict[str, list[Use]] = defaultdict(list)
        self._pids = pids
        self._since: dict[int, float] = {}

    async def run(self) -> None:
        while True:
            for name, pid in self._pids().items():
                self._look(name, pid)
            await asyncio.sleep(EVERY_S)

    def _look(self, name: str, pid: int) -> None:
        now_s = time.monotonic()
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            fds = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            return
        values = {key: rest.split() for key, _, rest in (line.partition(":") for line in status.splitlines())}
        if "VmRSS" not in values:  # it has ended and was not collected yet
            return
        age_s = now_s - self._since.setdefault(pid, now_s)
        rss_mb, threads = int(values["VmRSS"][0]) / 1024, float(values["Threads"][0])
        self.uses[name].append(Use(now_s, pid, age_s, rss_mb, threads, fds))


def report(uses: dict[str, list[Use]]) -> list[str]:
    """One line for each process: what it uses at the most, and the slope over the last half."""
    lines = []
    for name, own in uses.items():
        late = _grown_up(own)[len(_grown_up(own)) // 2 :]
        words = [
            f"{label} ≤ {max(getattr(each, field) for each in own):.0f} ({_slope(late, field):+.2f}/min)"
            for label, field in (("RSS MB", "rss_mb"), ("threads", "threads"), ("files", "fds"))
        ]
        lines.append(f"{name:<11}{len({each.pid for each in own})} lives, {', '.join(words)}")
    return lines


def growth(uses: dict[str, list[Use]]) -> list[str]:
    """What grows: the last quarter well above the second, all lives of a process taken together."""
    found = []
    for name, own in uses.items():
        old = _grown_up(own)
        quarter = len(old) // 4
        if quarter < 8:
            continue
        for field, allowed in _ALLOWED.items():
            before = statistics.median(getattr(each, field) for each in old[quarter : 2 * quarter])
            after = statistics.median(getattr(each, field) for each in old[-quarter:])
            if after > 1.5 * before + allowed:
                found.append(
                    f"growth {name}: {field} {after:.0f} in the last quarter, {before:.0f} in the second"
                )
    return found


def _grown_up(uses: Sequence[Use]) -> list[Use]:
    return [each for each in uses if each.age_s >= YOUNG_S]


def _slope(uses: Sequence[Use], field: str) -> float:
    """Per minute, by least squares; 0 where there is too little to say."""
    if len(uses) < 3:
        return 0.0
    return 60 * statistics.linear_regression([u.at_s for u in uses], [getattr(u, field) for u in uses]).slope
