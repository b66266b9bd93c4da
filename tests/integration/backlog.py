"""How fast the real core folds a backlog, and where its time goes. Figures are printed, none asserted.

`python -m tests.integration.backlog --events 200000 [--profile]`: the core alone, in this process.
`… --worker`: the whole path, one aggregator process on a broker of its own (decode, fold, flush, rows).
"""

import argparse
import asyncio
import cProfile
import gc
import os
import pstats
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer

from schemas import codec
from schemas.config import Config, KafkaConfig
from schemas.topics import EVENTS, partition_of
from services.aggregator.core.partition import Partition
from services.cli.broker import EmbeddedBroker
from services.cli.topics import declare
from services.runtime.clock import now_ms
from tests.integration.core_load import PARTITIONS, Lives, queues_of
from tests.integration.core_verdict import read_applied
from tests.integration.crash_worker import ROOT, free_port

SITES = [f"site-{number:02d}" for number in range(20)]
_RATE = 2000
"""Events per second when the backlog was made."""

_FETCH = 2000


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes
    at_ms: int


def backlog(count: int, seed: int) -> list[Record]:
    """So many events of 200 queues, the last of them about now."""
    lives, now = Lives(random.Random(seed), SITES), now_ms() - count * 1000 // _RATE
    records: list[Record] = []
    while len(records) < count:
        now += 10
        lives.begin(_RATE / 100 / 5.6, now)
        records += [Record(e.site.encode(), codec.encode(e), now) for e in lives.due(now)]
    return records[:count]


def fold(records: list[Record]) -> str:
    """Folds all in this process, as the shell does: fetches, changes, rows once a second."""
    partition = Partition(0, Config(kafka=KafkaConfig(partitions=1)), now_ms())
    partition.claim()
    spent = [0.0, 0.0, 0.0]
    stored = shown = 0
    for start in range(0, len(records), _FETCH):
        now, began = now_ms(), time.process_time()
        for place, record in enumerate(records[start : start + _FETCH], start):
            partition.fold(record.value, offset=place, appended_ms=record.at_ms, now_ms=now)
        partition.set_lag(end_reached=False, last_appended_ms=now - 60_000, now_ms=now)
        partition.advance(now)
        folded = time.process_time()
        stored += len(partition.changes())
        changed = time.process_time()
        shown += len(partition.rows(now))
        partition.observe()
        ended = time.process_time()
        spent = [spent[0] + folded - began, spent[1] + changed - folded, spent[2] + ended - changed]
    events = len(records)
    parts = ", ".join(
        f"{name} {each / events * 1e6:.1f}"
        for name, each in zip(("fold", "records", "rows"), spent, strict=True)
    )
    return (
        f"core alone: {events / sum(spent):,.0f} events/s, {sum(spent) / events * 1e6:.1f} µs CPU per event "
        f"({parts}); {stored / events:.2f} records per event, {shown} rows"
    )


async def through_a_worker(records: list[Record], bootstrap: str, folder: Path) -> str:
    """Puts the backlog into Kafka, starts one worker, waits until its state holds all."""
    await _produce(records, bootstrap)
    file = folder / "vigie.toml"
    file.write_text(f'[http]\naggregator = "127.0.0.1:{free_port()}"\n', "utf-8")
    command = [sys.executable, "-m", "services.aggregator", "--config", str(file)]
    command += ["--data", str(folder), "--kafka", bootstrap]
    started = time.monotonic()
    with (folder / "worker.log").open("ab") as log:
        worker = await asyncio.create_subprocess_exec(*command, stderr=log, cwd=ROOT)
        try:
            while await _applied(bootstrap) < len(records):
                if worker.returncode is not None:
                    raise RuntimeError((folder / "worker.log").read_text("utf-8")[-2000:])
                await asyncio.sleep(1.0)
            took, cpu, memory = time.monotonic() - started, _cpu_s(worker.pid), _memory_mb(worker.pid)
        finally:
            worker.terminate()
            await worker.wait()
    return (
        f"one worker, start included: {len(records) / took:,.0f} events/s, "
        f"{cpu / len(records) * 1e6:.1f} µs CPU per event, {memory:.0f} MB"
    )


async def _produce(records: list[Record], bootstrap: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    try:
        sent = [
            await producer.send(
                EVENTS.name, record.value, key=record.key, partition=partition_of(record.key, PARTITIONS)
            )
            for record in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def _applied(bootstrap: str) -> int:
    """How many events the state holds."""
    return sum(offset + 1 for offset in await read_applied(bootstrap))


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(process: int) -> float:
    return (
        int(Path(f"/proc/{process}/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    records = backlog(given.events, given.seed)
    gc.set_threshold(20_000, 20, 100)  # as the worker's process does
    print(f"{len(records)} events, {sum(len(queues_of(site)) for site in SITES)} queues, {len(SITES)} sites")
    if given.worker:
        with tempfile.TemporaryDirectory() as folder, EmbeddedBroker(Path(folder)) as broker:
            asyncio.run(declare(broker.bootstrap, PARTITIONS))
            print(asyncio.run(through_a_worker(records, broker.bootstrap, Path(folder))))
    elif given.profile:
        profile = cProfile.Profile()
        print(profile.runcall(fold, records))
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
    else:
        print(fold(records))
    return 0


if __name__ == "__main__":
    sys.exit(main())
