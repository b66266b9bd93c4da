"""Wrong counts after workers were killed with `kill -9` under load: Vigie's, and a stock Faust table's.

Vigie's are the differences that `tests.integration.crash_core` finds in rows, alerts and state, field
by field; Faust's are the events of each queue that it counted too often or not at all. Both are fed
the same load. The table is killed as soon as it counts again for some seconds; its session is
shortened to 6 s (60 s as it comes), as every kill would else cost a minute and more.
"""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from benchmarks.contestants.faust_app import TABLE
from benchmarks.programs import kafka, new_folder
from benchmarks.results import Line, Reach, Say, Size
from benchmarks.watched import Watched
from schemas.topics import EVENTS
from tests.integration.core_load import PARTITIONS, Load
from tests.integration.crash_core import Scene, steps
from tests.integration.crash_worker import read, until

_APP = "naive"
_CHANGELOG = f"{_APP}-{TABLE}-changelog"
_SEED = 1
_BACK_S = 180.0
_REST_S = 900.0
"""What was sent while it was away, at a rate hardly above that of the load on a busy machine."""


async def measure(size: Size, say: Say) -> list[Line]:
    rate = size.of(1000, 200)
    ours = await _vigie(size, say, rate)
    theirs = await _faust(size, say, rate)
    return [
        Line(
            "d",
            f"{ours.kills} × kill -9 at {rate:,} events/s",
            "wrong counts",
            [ours.wrong],
            {f"Faust table, {theirs.kills} × kill -9, {theirs.events:,} events": [theirs.wrong]},
            Reach(0),
        )
    ]


@dataclass(frozen=True)
class Outcome:
    kills: int
    events: int
    wrong: int


async def _vigie(size: Size, say: Say, rate: int) -> Outcome:
    with new_folder() as name:
        async with kafka(Path(name) / "kafka") as broker:
            scene = Scene(broker, Path(name), rate=rate, seed=_SEED)
            what = ["kill"] if size.is_smoke else steps(20)
            verdict = await scene.play(seconds=size.of(110, 4), steps=what)
    say(f"Vigie: {', '.join(scene.done)}: {verdict}")
    kills = sum(step.startswith("kill") for step in scene.done)
    return Outcome(kills, verdict.events, len(verdict.faults))


async def _faust(size: Size, say: Say, rate: int) -> Outcome:
    """Kills the table each time that it counts again, lets it count the rest, compares with the log."""
    rng, kills = random.Random(_SEED), size.of(6, 1)
    with new_folder() as name:
        folder = Path(name)
        async with kafka(folder / "kafka") as broker:
            load = Load(broker.bootstrap, rate=rate, seed=_SEED)
            loading = asyncio.create_task(load.run())
            try:
                away = [
                    await _one_life(broker.bootstrap, folder, size, rng.uniform(0.5, 1.5))
                    for _ in range(kills)
                ]
            finally:
                load.stop.set()
                await loading
            async with _table(broker.bootstrap, folder, size):
                await _until_counting(broker.bootstrap)
                await _until_still(broker.bootstrap, size.of(10, 3))
            counted = _counts(await read(broker.bootstrap, _CHANGELOG))
            sent = await _sent(broker.bootstrap)
    wrong = sum(abs(counted[queue] - sent[queue]) for queue in counted.keys() | sent.keys())
    say(
        f"Faust table: {kills} kills, {sent.total():,} events sent, {counted.total():,} counted; started → "
        f"counting, at the longest, {max(away):.0f} s"
    )
    return Outcome(kills, sent.total(), wrong)


def _table(bootstrap: str, folder: Path, size: Size) -> Watched:
    command = [sys.executable, "-m", "benchmarks.contestants.faust_table", bootstrap, _APP]
    command += [str(folder / "faust"), "--session", str(size.of(6, 2))]
    return Watched(command, folder / "faust.log")


async def _one_life(bootstrap: str, folder: Path, size: Size, share: float) -> float:
    """Starts the table, lets it count for a while, kills it; gives the seconds until it counted."""
    async with _table(bootstrap, folder, size) as table:
        started = time.monotonic()
        await _until_counting(bootstrap)
        took = time.monotonic() - started
        await asyncio.sleep(size.of(5, 2) * share)
        table.check()
        table.process.send_signal(signal.SIGKILL)
        await table.process.wait()
    return took


async def _until_counting(bootstrap: str) -> None:
    """Waits until the changelog grows by more than the last writes of one that was killed."""
    before = await _written(bootstrap)

    async def counting() -> bool:
        return await _written(bootstrap) > before + 20

    await until(counting, within_s=_BACK_S, what="the table counts")


async def _until_still(bootstrap: str, seconds: float) -> None:
    """Waits until the changelog has not grown for so long: all is counted that ever will be."""
    last, since = -1, time.monotonic()

    async def still() -> bool:
        nonlocal last, since
        written = await _written(bootstrap)
        if written != last:
            last, since = written, time.monotonic()
        return time.monotonic() - since > seconds

    await until(still, within_s=_REST_S, what="the table has counted all")


async def _written(bootstrap: str) -> int:
    """Records in the changelog; 0 as long as there is none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        if _CHANGELOG not in await consumer.topics():
            return 0
        tps = [TopicPartition(_CHANGELOG, number) for number in range(PARTITIONS)]
        return sum((await consumer.end_offsets(tps)).values())
    finally:
        await consumer.stop()


def _counts(changelog: list[ConsumerRecord]) -> Counter[str]:
    """The table as its changelog has it: of each queue the newest count."""
    found: Counter[str] = Counter()
    for record in changelog:
        found[msgspec.json.decode(record.key, type=str)] = msgspec.json.decode(record.value, type=int)
    return found


async def _sent(bootstrap: str) -> Counter[str]:
    """Of each queue, how many events the log holds."""
    found: Counter[str] = Counter()
    for record in await read(bootstrap, EVENTS.name):
        event = msgspec.json.decode(record.value)
        found[f"{event['site']}/{event.get('queue', '')}"] += 1
    return found
