"""Topics read to where they end now, a partition at a time and without a group: nobody is disturbed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError

from schemas.errors import Unavailable
from services.runtime.kafka import Kafka, client
from services.runtime.kafka_trouble import reason

_STALL_S = 30.0


class Extent(NamedTuple):
    """Offsets of one partition of a topic, [begin, end)."""

    begin: int
    end: int


Seen = Callable[[str, int, int, int], None]
"""Told of progress: topic, partition, next offset, and the one where it is over."""


class Reader:
    """One consumer that is assigned what it reads, when it reads it."""

    def __init__(self, consumer: AIOKafkaConsumer, seen: Seen) -> None:
        self._consumer = consumer
        self._seen = seen

    async def extents(self, topics: Sequence[str]) -> dict[str, dict[int, Extent]]:
        """Where each partition of these topics begins and ends, one topic after the other in this order.

        Raises `Unavailable` when one is missing.
        """
        known = await self._consumer.topics()
        missing = [topic for topic in topics if topic not in known]
        if missing:
            raise Unavailable(f"topics are missing ({', '.join(missing)}): is this the right Kafka?")
        firsts = [TopicPartition(topic, 0) for topic in topics]
        self._consumer.assign(firsts)  # from here on the client knows how many partitions they have
        await self._consumer.end_offsets(firsts)
        numbers = {topic: sorted(self._consumer.partitions_for_topic(topic) or ()) for topic in topics}
        found = {}
        for topic, own in numbers.items():
            tps = [TopicPartition(topic, number) for number in own]
            begins, ends = await self._consumer.beginning_offsets(tps), await self._consumer.end_offsets(tps)
            found[topic] = {tp.partition: Extent(begins[tp], ends[tp]) for tp in tps}
        return found

    async def records(self, topic: str, number: int, extent: Extent) -> AsyncIterator[ConsumerRecord]:
        """The records of a partition in order. Raises `Unavailable` when nothing comes for 30 s."""
        if extent.begin >= extent.end:
            return
        tp, progress = TopicPartition(topic, number), time.monotonic()
        self._consumer.assign([tp])
        self._consumer.seek(tp, extent.begin)
        # by position, not by the last offset seen: compaction leaves holes
        while await self._consumer.position(tp) < extent.end:
            fetched = await self._consumer.getmany(timeout_ms=500, max_records=2000)
            for record in fetched.get(tp, ()):
                if record.offset >= extent.end:
                    return
                yield record
            if fetched:
                progress = time.monotonic()
                self._seen(topic, number, await self._consumer.position(tp), extent.end)
                await asyncio.sleep(0)
            elif time.monotonic() - progress > _STALL_S:
                raise Unavailable(f"{topic} gave nothing for {_STALL_S:g} s")


@asynccontextmanager
async def reader(kafka: Kafka, seen: Seen) -> AsyncIterator[Reader]:
    """Raises `Unavailable` when no Kafka answers."""
    consumer = AIOKafkaConsumer(
        **client(kafka),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        try:
            await consumer.start()
        except KafkaConnectionError as error:
            raise Unavailable(f"Kafka at {kafka} {await reason(kafka, error)}") from error
        yield Reader(consumer, seen)
    finally:
        await consumer.stop()
