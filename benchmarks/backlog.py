"""One log of events for all contestants of `throughput`: 20 sites with 200 queues, contacts with whole lives.

Made from a seed, put into `vigie.events`, or folded by the core alone in this process.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from schemas import codec
from schemas.config import Config, KafkaConfig, SiteConfig
from schemas.topics import EVENTS, partition_of
from services.aggregator.core.partition import Partition
from services.runtime.clock import now_ms
from tests.integration.core_load import PARTITIONS, Lives

SITES = [f"site-{number:02d}" for number in range(20)]
_RATE = 2000
"""Events per second when the backlog was made."""

_FETCH = 2000


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes
    at_ms: int


@dataclass(frozen=True)
class Alone:
    """What the core took per event, in µs of CPU, without Kafka; and what it made."""

    fold: float
    records: float
    rows: float
    stored: float
    shown: int

    @property
    def whole(self) -> float:
        return self.fold + self.records + self.rows

    def __str__(self) -> str:
        return (
            f"core alone: {self.whole:.1f} µs CPU per event (fold {self.fold:.1f}, "
            f"records {self.records:.1f}, rows {self.rows:.1f}); "
            f"{self.stored:.2f} records per event, {self.shown} rows"
        )


def backlog(count: int, seed: int = 1, *, sites: Sequence[str] = SITES) -> list[Record]:
    """So many events, the last of them about now. A site has about ten queues."""
    lives, now = Lives(random.Random(seed), sites), now_ms() - count * 1000 // _RATE
    records: list[Record] = []
    while len(records) < count:
        now += 10
        lives.begin(_RATE / 100 / 5.6, now)
        records += [Record(e.site.encode(), codec.encode(e), now) for e in lives.due(now)]
    return records[:count]


def fold_alone(records: Sequence[Record]) -> Alone:
    """Folds all in this process, as the shell does: fetches, changes, rows once a second."""
    listed = [SiteConfig(id=key.decode()) for key in sorted({record.key for record in records})]
    partition = Partition(0, Config(kafka=KafkaConfig(partitions=1), sites=listed), now_ms())
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
    fold, changes, rows = (each / len(records) * 1e6 for each in spent)
    return Alone(fold, changes, rows, stored / len(records), shown)


async def produce(records: Sequence[Record], bootstrap: str) -> None:
    """Puts the log into `vigie.events`."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    try:
        for record in records:
            partition = partition_of(record.key, PARTITIONS)
            await producer.send(EVENTS.name, record.value, key=record.key, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
