"""A backlog through the aggregator, from Kafka to Kafka; beside it stock Faust and Quix Streams.

All read the same log from its start on the same broker, one after the other by turns, each a process
of its own. Counted is from the first event read to the last one done, without the start of the
process. The slow ones have so many seconds, and what they did in them counts. They do less for an
event than Vigie does: one count, where Vigie keeps contacts, agents, five windows and alerts.

As a script the core alone: `python -m benchmarks.throughput --events 50000 [--profile]`.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import live, worker
from benchmarks.backlog import Record, backlog, fold_alone, produce
from benchmarks.programs import kafka, new_folder
from benchmarks.results import Line, Reach, Say, Size, number
from benchmarks.watched import ROOT, Watched

_QUIX = ROOT / ".venv" / "quix" / "bin" / "python"
_CONTESTANTS = ROOT / "benchmarks" / "contestants"
_FAUST_TABLE = "Faust table"
_COMMANDS = {
    _FAUST_TABLE: [sys.executable, "-m", "benchmarks.contestants.faust_table"],
    "Faust hopping 5 min by 10 s": [sys.executable, "-m", "benchmarks.contestants.faust_hopping"],
    "Quix hopping 5 min by 10 s": [str(_QUIX), str(_CONTESTANTS / "quix_hopping.py")],
}
_PATIENCE_S = 180.0
_OTHER_SITES = (5, 80)
"""Beside the 20 of the log: a quarter of the queues and agents, and four times as many."""


@dataclass(frozen=True)
class Ran:
    """What one contestant did in one turn."""

    events_per_s: float
    cpu_us: float
    whole_per_s: float
    """With the start of the process."""

    def __str__(self) -> str:
        return (
            f"{number(self.events_per_s)} events/s ({number(self.whole_per_s)} with its start), "
            f"{number(self.cpu_us)} µs CPU per event"
        )


async def measure(size: Size, say: Say) -> list[Line]:
    events = backlog(size.of(300_000, 3_000))
    say(f"{len(events):,} events of 200 queues on 20 sites")
    ours: dict[int, list[Ran]] = defaultdict(list)
    theirs: dict[str, list[Ran]] = defaultdict(list)
    alone = []
    with new_folder() as name:
        folder = Path(name)
        async with kafka(folder / "kafka") as broker:
            await produce(events, broker.bootstrap)
            for turn in range(size.repeats):
                for count in (1, 2) if size.is_smoke else (1, 2, 4):
                    ours[count].append(await _vigie(broker.bootstrap, folder, len(events), count))
                    say(f"Vigie, workers: {count}: {ours[count][-1]}")
                for contestant, command in _COMMANDS.items():
                    data = folder / f"{command[-1].rpartition('/')[2]}-{turn}"
                    limits = ["--events", str(len(events)), "--seconds", str(size.of(15, 1))]
                    ran = await _contestant(command, broker.bootstrap, data, limits)
                    theirs[contestant].append(ran)
                    say(f"{contestant}: {ran}")
                alone.append(await asyncio.to_thread(_alone, events[: size.of(100_000, 3_000)]))
                say(f"core alone: {alone[-1]:.1f} µs")
            grown = await asyncio.to_thread(_by_sites, size, say)
            await worker.forget_everything(broker.bootstrap, events=True)
            found = await live.measure(size, say, broker.bootstrap, folder)
    return [*_lines(ours, theirs, alone), *grown, *found]


def _lines(ours: dict[int, list[Ran]], theirs: dict[str, list[Ran]], alone: list[float]) -> list[Line]:
    one = ours[1]
    rates = {name: [each.events_per_s for each in ran] for name, ran in theirs.items()}
    costs = {name: [each.cpu_us for each in ran] for name, ran in theirs.items()}
    lines = [
        Line(
            "a",
            "backlog, one worker",
            "events/s",
            [each.events_per_s for each in one],
            rates,
            Reach(60_000, is_least=True),
        ),
        Line("a", "backlog, one worker", "µs CPU per event", [each.cpu_us for each in one], costs, Reach(15)),
        Line("a", "the core alone, without Kafka", "µs CPU per event", alone),
    ]
    for count, ran in ours.items():
        if count > 1:
            beside = {"one worker": [each.events_per_s for each in one]}
            lines.append(
                Line(
                    "a", f"backlog, {count} workers", "events/s", [each.events_per_s for each in ran], beside
                )
            )
    return lines


async def _vigie(bootstrap: str, folder: Path, events: int, count: int) -> Ran:
    """From when every partition has the worker that keeps it, until the last flush."""
    workers = await worker.fold_all(bootstrap, folder, events=events, count=count)
    flushed = await worker.flushes(bootstrap)
    await worker.forget_everything(bootstrap)
    claims: dict[tuple[int, int], int] = {}
    for each in flushed:
        claims.setdefault((each.partition, each.epoch), each.at_ms)
    last = max(each.at_ms for each in flushed if each.offset >= 0)
    since = max(claims.values())
    left = events - _folded(flushed, since)
    if left < events / 2:  # a small log is folded before the others have joined
        since = min(claims.values())
        left = events - _folded(flushed, since)
    started = min(each.started_ms for each in workers)
    return Ran(
        left / (last - since) * 1000,
        sum(each.cpu_s(since, last) for each in workers) / left * 1e6,
        events / (last - started) * 1000,
    )


def _folded(flushed: Sequence[worker.Flush], at_ms: int) -> int:
    """How many events the state held at an instant."""
    newest: dict[int, int] = {}
    for each in flushed:
        if each.at_ms <= at_ms:
            newest[each.partition] = max(newest.get(each.partition, -1), each.offset)
    return sum(offset + 1 for offset in newest.values())


async def _contestant(command: Sequence[str], bootstrap: str, data: Path, limits: Sequence[str]) -> Ran:
    whole = [*command, bootstrap, data.name.replace("_", "-"), str(data), *limits]
    async with Watched(whole, data.with_name(f"{data.name}.log")) as process:
        told = await process.told(within_s=_PATIENCE_S)
        await process.process.wait()
    events, first, last = told["events"], told["first_ms"], told["last_ms"]
    return Ran(
        events / (last - first) * 1000,
        process.cpu_s(first, last) / events * 1e6,
        events / (last - process.started_ms) * 1000,
    )


def _by_sites(size: Size, say: Say) -> list[Line]:
    """The same load on fewer and on more sites, queues and agents."""
    lines = []
    for count in _OTHER_SITES:
        sites = [f"site-{number:02d}" for number in range(count)]
        events = backlog(size.of(100_000, 3_000), sites=sites)
        cost = [_alone(events) for _ in range(size.repeats)]
        say(f"core alone, {count} sites: {cost[-1]:.1f} µs")
        lines.append(
            Line("a", f"the core alone, {count} sites, {10 * count} queues", "µs CPU per event", cost)
        )
    return lines


def _alone(records: Sequence[Record]) -> float:
    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 100)  # as the worker's process does
    try:
        return fold_alone(records).whole
    finally:
        gc.set_threshold(*before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="where the core's time goes")
    given = parser.parse_args()
    records = backlog(given.events, given.seed)
    gc.set_threshold(20_000, 20, 100)  # as the worker's process does
    if given.profile:
        profile = cProfile.Profile()
        print(profile.runcall(fold_alone, records))
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
    else:
        print(fold_alone(records))
    return 0


if __name__ == "__main__":
    sys.exit(main())
