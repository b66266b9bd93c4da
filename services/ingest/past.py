"""What sources told before this process started, read back from the log: the only store (DESIGN.md §2.1).

Bounded by age and by number, so that a start takes seconds. That Kafka is away ends nothing: it is
tried again until the log can be read, for without it nobody knows what was told.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import codec
from schemas.errors import InvalidMessage, Unavailable
from schemas.events import AnyEvent
from schemas.topics import EVENTS, partition_of
from services.runtime.kafka import Kafka, client
from services.runtime.kafka_trouble import reason

REACH_MS = 86_400_000
"""How old a record may be: as long as who counts keeps a talk without an end (docs/decisions/0009, 15)."""

MAX_RECORDS = 1_000_000
"""How many records of the partition are read, the newest: a day of a site with 11 events a second."""

FETCH_RECORDS = 2_000
FETCH_BYTES = 4 * 1024 * 1024
START_S = 15.0
STALL_S = 15.0
CLOSE_S = 1.0
RETRY_S = (0.2, 0.5, 1.0, 2.0)
"""Waits between attempts; the last one goes on."""

Take = Callable[[AnyEvent], None]
Past = Callable[[Take], Awaitable[None]]
"""Gives everything that a source's system told before, in the order of the log; returns after the last."""

log = structlog.get_logger()


async def read(
    take: Take,
    *,
    kafka: Kafka,
    site: str,
    sources: Collection[str],
    clock: Callable[[], int],
    max_records: int = MAX_RECORDS,
) -> None:
    """Gives to `take` what these sources told of the site, up to the log's end as it is now."""
    reading = _Reading(take, site=site, sources=sources, since_ms=clock() - REACH_MS, most=max_records)
    start_s, attempt = time.monotonic(), 0
    while True:
        try:
            await reading.go_on(kafka)
        except (KafkaError, Unavailable, OSError, TimeoutError) as error:
            if attempt == 0:
                log.warning("past_not_read", site=site, detail=await reason(kafka, error))
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1
        else:
            break
    log.info(
        "past_read",
        site=site,
        sources=",".join(sorted(sources)),
        records=reading.records,
        events=reading.events,
        unreadable=reading.unreadable,
        reach_s=(clock() - reading.first_ms) // 1000 if reading.first_ms is not None else 0,
        took_s=round(time.monotonic() - start_s, 2),
    )


class _Reading:
    """How far one reading has come; it goes on from there with another connection.

    `first_ms`: when the oldest record that was read came into the log.
    """

    def __init__(self, take: Take, *, site: str, sources: Collection[str], since_ms: int, most: int) -> None:
        self.records = self.events = self.unreadable = 0
        self.first_ms: int | None = None
        self._take = take
        self._site = site
        self._sources = frozenset(sources)
        self._marks = tuple(b'"source":' + codec.encode(source) for source in sources)
        self._since_ms = since_ms
        self._most = most
        self._position: int | None = None
        self._end = 0

    async def go_on(self, kafka: Kafka) -> None:
        """Reads to the end. Raises `Unavailable`, `TimeoutError` or what aiokafka raises."""
        consumer = AIOKafkaConsumer(
            EVENTS.name,
            **client(kafka),
            client_id="vigie-ingest-past",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # retention may overtake us
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        try:
            async with asyncio.timeout(START_S):
                await consumer.start()
                part = await self._place(consumer)
            heard_s = time.monotonic()
            while await consumer.position(part) < self._end:
                fetch = await consumer.getmany(part, timeout_ms=500, max_records=FETCH_RECORDS)
                for records in fetch.values():
                    self._read(records)
                    heard_s = time.monotonic()
                if time.monotonic() - heard_s > STALL_S:
                    raise Unavailable(f"{EVENTS.name} gave nothing for {STALL_S:g} s")
                await asyncio.sleep(0)  # getmany gives up no turn while it has records
        finally:
            await _close(consumer)

    async def _place(self, consumer: Any) -> TopicPartition:
        """The site's partition, placed where reading begins, or goes on."""
        count = len(consumer.partitions_for_topic(EVENTS.name) or ())
        if not count:
            raise Unavailable(f"{EVENTS.name} is not declared yet")
        part = TopicPartition(EVENTS.name, partition_of(self._site.encode(), count))
        consumer.unsubscribe()  # it subscribed to learn the partitions
        consumer.assign([part])
        if self._position is None:
            self._end = (await consumer.end_offsets([part]))[part]
            since = (await consumer.offsets_for_times({part: self._since_ms}))[part]
            oldest = since.offset if since is not None else self._end
            self._position = max(oldest, self._end - self._most)
        consumer.seek(part, self._position)
        return part

    def _read(self, records: list[Any]) -> None:
        if self.first_ms is None:
            self.first_ms = records[0].timestamp
        for record in records:
            if record.offset < self._end:
                self.records += 1
                if any(mark in record.value for mark in self._marks):  # decoding all costs five times that
                    self._take_one(record.value)
        self._position = records[-1].offset + 1

    def _take_one(self, value: bytes) -> None:
        try:
            event = codec.decode_event(value)
        except InvalidMessage:  # the aggregator has made a dead letter of it
            self.unreadable += 1
            return
        if event.source in self._sources and event.site == self._site:
            self.events += 1
            self._take(event)


async def _close(consumer: Any) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await consumer.stop()
