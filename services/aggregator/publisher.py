"""What leaves the aggregator for others: alerts, snapshot rows, dead letters.

Every call returns once the broker has all of it and raises if it does not: the caller then ends the
process, and what was not published is still in the flushed state (alerts) or is made again (rows).
"""

import asyncio
import struct
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer, ConsumerRecord

from schemas.board import DeadLetter
from schemas.codec import encode
from schemas.topics import DEAD_LETTERS, SNAPSHOTS
from services.aggregator.folding import Publication
from services.runtime.kafka import Kafka, client

_BATCH_BYTES = 512 * 1024
"""Below the smallest max.message.bytes of the topics we write to (1 MiB)."""

_APPLIED = "applied"
"""Header of a row: offset of the last event of `vigie.events` that it knows, 8 bytes, big-endian."""


class Publisher:
    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, publications: Sequence[Publication]) -> None:
        """Each to its own topic, placed by its key: alerts and dead letters."""
        await self._all([(each.topic, each.key, each.value) for each in publications])

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        await self._all([(DEAD_LETTERS.name, each.source.encode(), encode(each)) for each in letters])

    async def send_rows(self, number: int, rows: Sequence[Publication], *, applied: int) -> None:
        """Rows of partition `number` of `vigie.events`, to the same number of `vigie.snapshots`.

        Each says which event it is as of, so that anybody can check it (`vigie verify`).
        """
        headers = [(_APPLIED, struct.pack(">q", applied))]
        batch = self._producer.create_batch()
        sent: list[asyncio.Future[object]] = []
        for row in rows:
            if batch.append(timestamp=None, key=row.key, value=row.value, headers=headers) is None:
                sent.append(await self._producer.send_batch(batch, SNAPSHOTS.name, partition=number))
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=row.key, value=row.value, headers=headers)
        batch.close()
        sent.append(await self._producer.send_batch(batch, SNAPSHOTS.name, partition=number))
        await asyncio.gather(*sent)

    async def _all(self, messages: Sequence[tuple[str, bytes, bytes | None]]) -> None:
        sent = [await self._producer.send(topic, value, key=key) for topic, key, value in messages]
        await asyncio.gather(*sent)


def applied_of(record: ConsumerRecord) -> int | None:
    """Offset of the last event that a row knows; None for a row written before rows said so."""
    for name, value in record.headers:
        if name == _APPLIED and len(value) == 8:
            offset: int = struct.unpack(">q", value)[0]
            return offset
    return None


def create_producer(kafka: Kafka) -> AIOKafkaProducer:
    """A producer of its own, with smaller batches than the state's."""
    return AIOKafkaProducer(
        **client(kafka),
        acks="all",
        enable_idempotence=True,
        max_batch_size=_BATCH_BYTES,
        max_request_size=8 * 1024 * 1024,
        request_timeout_ms=30_000,
    )
