"""Rows as the aggregator writes them: of every site and queue, each second, all at one instant."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from msgspec import structs

from schemas import codec
from schemas.board import QueueRow, SiteRow
from schemas.config import KafkaConfig
from schemas.topics import SNAPSHOTS, partition_of
from services.runtime.clock import now_ms
from tests.unit.api.rows import queue_row, site_row

_BATCH_BYTES = 2 * 1024 * 1024
_STALE_MS = 15_000

Feed = list[tuple[SiteRow, list[QueueRow]]]


@contextlib.asynccontextmanager
async def feeding(bootstrap: str, sites: Sequence[str], queues: int) -> AsyncIterator[None]:
    """Writes while the block runs. What stops it before is raised at the end of the block."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks=1, max_batch_size=_BATCH_BYTES, max_request_size=_BATCH_BYTES
    )
    await producer.start()
    feed = [
        (site_row(site), [queue_row(f"queue-{number}", site=site) for number in range(queues)])
        for site in sites
    ]
    await _write(producer, feed, 0)
    writing = asyncio.create_task(_write_each_second(producer, feed))
    try:
        yield
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        await producer.stop()


async def _write_each_second(producer: AIOKafkaProducer, feed: Feed) -> None:
    second, due_s = 0, time.monotonic()
    while True:
        second += 1
        due_s = max(due_s + 1, time.monotonic())
        await asyncio.sleep(due_s - time.monotonic())
        await _write(producer, feed, second)


async def _write(producer: AIOKafkaProducer, feed: Feed, second: int) -> None:
    """One batch for each partition, so that a site's rows arrive together."""
    now = now_ms()
    batches: dict[int, Any] = {}
    for site, queues in feed:
        partition = partition_of(site.site.encode(), KafkaConfig().partitions)
        batch = batches.setdefault(partition, producer.create_batch())
        new = {"as_of_ms": now, "heard_ms": now, "stale_at_ms": now + _STALE_MS}
        _append(batch, codec.site_key(site.site), structs.replace(site, **new))
        for row in queues:
            key = codec.queue_key(row.site, row.queue)
            _append(batch, key, structs.replace(row, waiting=second % 7, **new))
    sent = [await producer.send_batch(batch, SNAPSHOTS.name, partition=n) for n, batch in batches.items()]
    await asyncio.gather(*sent)


def _append(batch: Any, key: bytes, row: SiteRow | QueueRow) -> None:
    if batch.append(key=key, value=codec.encode(row), timestamp=None) is None:
        raise RuntimeError(f"the rows of a second do not fit a batch of {_BATCH_BYTES} bytes")
