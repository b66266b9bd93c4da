"""The ledger: writes deliveries to `vigie.deliveries` and reads back those of an earlier life.

The record of a delivery goes to the partition that its alert has in `vigie.alerts`, so whoever owns that
partition owns both. Nothing is sent before its record is there.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import codec
from schemas.board import DeadLetter
from schemas.deliveries import Delivery
from schemas.errors import InvalidMessage
from schemas.events import NoticeUndelivered
from schemas.topics import DEAD_LETTERS, DELIVERIES, EVENTS, partition_of
from services.runtime.kafka import Kafka, client

READ_MS = 500
_STILL_S = 30.0

log = structlog.get_logger()


class Ledger:
    """Every call returns once the broker has all of it, and raises `KafkaError` when it does not."""

    def __init__(self, producer: AIOKafkaProducer, *, partitions: int) -> None:
        self._producer = producer
        self._partitions = partitions

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        sent = [
            await self._producer.send(
                DELIVERIES.name,
                codec.encode(each),
                key=codec.delivery_key(each.alert_id, each.person, each.channel),
                partition=partition_of(each.alert_id.encode(), self._partitions),
            )
            for each in deliveries
        ]
        await asyncio.gather(*sent)

    async def report(self, event: NoticeUndelivered) -> None:
        """Tells the aggregator, which makes an operations alert of it."""
        key = event.site.encode()
        await self._producer.send_and_wait(
            EVENTS.name, codec.encode(event), key=key, partition=partition_of(key, self._partitions)
        )

    async def bury(self, letter: DeadLetter) -> None:
        """A dead letter, for people to find."""
        await self._producer.send_and_wait(
            DEAD_LETTERS.name, codec.encode(letter), key=letter.source.encode()
        )


def create_producer(kafka: Kafka) -> AIOKafkaProducer:
    """`acks=all`, idempotent: a record that was acknowledged is there once."""
    return AIOKafkaProducer(**client(kafka), client_id="vigie-notifier", acks="all", enable_idempotence=True)


async def read(consumer: AIOKafkaConsumer, number: int, *, since_ms: int) -> AsyncIterator[Delivery]:
    """The deliveries of one partition, from an instant of the log to its end, oldest first.

    `consumer` is one without a group; what cannot be read is left out. Raises `TimeoutError` when the
    log holds records that do not come.
    """
    part = TopicPartition(DELIVERIES.name, number)
    consumer.assign([part])
    end = (await consumer.end_offsets([part]))[part]
    found = (await consumer.offsets_for_times({part: since_ms}))[part]
    if found is None:
        return
    consumer.seek(part, found.offset)
    while await consumer.position(part) < end:
        async with asyncio.timeout(_STILL_S):
            fetched = await consumer.getmany(part, timeout_ms=READ_MS)
        for record in fetched.get(part, ()):
            try:
                delivery = codec.decode_delivery(record.value or b"")
            except InvalidMessage as error:
                log.error("record_unreadable", topic=part.topic, offset=record.offset, detail=error.detail)
                continue
            yield delivery
