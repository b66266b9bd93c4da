"""The log that holds the aggregator's state: `vigie.state`, partition by partition.

A flush is one RecordBatch: Kafka appends it whole or not at all, so the topic holds the state as of
exactly one offset of `vigie.events`, whenever the writer died. Two processes that both believe they
own a partition are told apart here, in two ways (SEMANTICS.md §11):

- each record says the offset at which its writer expected it to land. One that lies elsewhere was
  written by somebody who did not know of another writer's batch: it is void, readers pass over it;
- the writer sees the offset in the acknowledgement and learns that its batch is void (`OtherWriter`).

So of two writers exactly one goes on, without asking anybody. A void record still hides the good one
of its key from Kafka's compaction: `load` names such keys, the next claim writes them again.
"""

import asyncio
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from schemas.errors import InvalidMessage, Unavailable, VigieError
from schemas.topics import FLUSH_MAX_BYTES, STATE
from services.aggregator.folding import StateRecord
from services.runtime.kafka import Kafka, client

log = structlog.get_logger()

_EXPECTED = "at"
"""Header: the offset at which the writer expected this record, 8 bytes, big-endian."""

_STALL_S = 30.0


class OtherWriter(VigieError):
    """Somebody else wrote to our partition of the state log: what we wrote last is void."""

    def __init__(self, number: int, *, expected: int, found: int) -> None:
        super().__init__(f"state of partition {number}: expected offset {expected}, found {found}")
        self.number = number
        self.expected = expected
        self.found = found


class FlushTooLarge(VigieError):
    """The changed records of one partition do not fit one batch of `FLUSH_MAX_BYTES`."""


@dataclass(slots=True)
class Loaded:
    """One partition of the log as read: newest good value of each key, and the next free offset.

    `hidden` are the keys whose newest record is void, with what they must be written as again.
    """

    records: dict[bytes, bytes] = field(default_factory=dict)
    hidden: dict[bytes, bytes | None] = field(default_factory=dict)
    end: int = 0

    def read(self, record: ConsumerRecord) -> None:
        """Takes one record in, in the order of the log. Raises `InvalidMessage` if it is not ours."""
        key: bytes = record.key
        if _expected(record) != record.offset:
            self.hidden[key] = self.records.get(key)
            return
        self.hidden.pop(key, None)
        if record.value is None:
            self.records.pop(key, None)
        else:
            self.records[key] = record.value


class StateLog:
    """Reads and appends; keeps for each loaded partition the offset where its next record belongs."""

    def __init__(self, producer: AIOKafkaProducer, kafka: Kafka) -> None:
        self._producer = producer
        self._kafka = kafka
        self._next: dict[int, int] = {}

    async def load(self, numbers: Iterable[int]) -> dict[int, Loaded]:
        """Reads these partitions from start to end.

        Raises `Unavailable` when nothing comes for 30 s, `InvalidMessage` when the log is not ours.
        """
        tps = {TopicPartition(STATE.name, number): Loaded() for number in numbers}
        consumer = AIOKafkaConsumer(
            **client(self._kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            await consumer.start()
            await _read_to_end(consumer, tps)
        finally:
            await consumer.stop()
        found = {tp.partition: loaded for tp, loaded in tps.items()}
        self._next.update({number: loaded.end for number, loaded in found.items()})
        return found

    async def append(self, number: int, changes: Sequence[StateRecord]) -> None:
        """Appends `changes` to a loaded partition as one batch and waits for the acknowledgement.

        Raises `OtherWriter` when the batch is void, `FlushTooLarge` when it cannot be one batch.
        """
        base = self._next[number]
        batch = self._producer.create_batch()
        for place, (key, value) in enumerate(changes):
            header = [(_EXPECTED, struct.pack(">q", base + place))]
            if batch.append(timestamp=None, key=key, value=value, headers=header) is None:
                raise FlushTooLarge(f"partition {number}: {len(changes)} records are no single batch")
        batch.close()
        sent = await (await self._producer.send_batch(batch, STATE.name, partition=number))
        if sent.offset != base:
            raise OtherWriter(number, expected=base, found=sent.offset)
        self._next[number] = base + len(changes)


def create_producer(kafka: Kafka) -> AIOKafkaProducer:
    """A producer whose batches hold a whole flush; retries by itself, never twice, never out of order."""
    return AIOKafkaProducer(
        **client(kafka),
        acks="all",
        enable_idempotence=True,
        # the topic's max.message.bytes counts the batch with its header, so stay below it
        max_batch_size=FLUSH_MAX_BYTES - 64 * 1024,
        max_request_size=FLUSH_MAX_BYTES + 1024 * 1024,
        request_timeout_ms=30_000,
    )


async def _read_to_end(consumer: AIOKafkaConsumer, tps: dict[TopicPartition, Loaded]) -> None:
    consumer.assign(list(tps))
    ends = await consumer.end_offsets(list(tps))
    await consumer.seek_to_beginning(*tps)
    progress = time.monotonic()
    # by position, not by the last offset seen: compaction leaves holes
    while await _are_behind(consumer, ends):
        fetched = await consumer.getmany(timeout_ms=500, max_records=5000)
        for tp, records in fetched.items():
            for record in records:
                tps[tp].read(record)
        if fetched:
            progress = time.monotonic()
            await asyncio.sleep(0)
        elif time.monotonic() - progress > _STALL_S:
            raise Unavailable(f"{STATE.name} gave nothing for {_STALL_S:g} s")
    for tp, loaded in tps.items():
        loaded.end = await consumer.position(tp)


async def _are_behind(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for tp, end in ends.items():
        if await consumer.position(tp) < end:
            return True
    return False


def _expected(record: ConsumerRecord) -> int:
    for name, value in record.headers:
        if name == _EXPECTED:
            offset: int = struct.unpack(">q", value)[0]
            return offset
    raise InvalidMessage(f"{STATE.name}-{record.partition} at {record.offset}: not written by an aggregator")
