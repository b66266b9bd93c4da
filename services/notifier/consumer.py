"""Reads `vigie.alerts` into the outbox, as a member of a consumer group.

A partition that is given to us is read anew from the committed offset to its end, its deliveries first:
the log is the only store. Committed is the first record of the oldest episode that is not over, so what
is read anew is what may still need a notice. Nothing is sent before the end is reached.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from schemas import codec
from schemas.errors import InvalidMessage
from schemas.topics import ALERTS
from services.notifier import ledger
from services.notifier.core.outbox import Outbox
from services.notifier.dispatch import Dispatch
from services.notifier.metrics import Metrics
from services.runtime.kafka import Kafka, client

GROUP = "vigie-notifier"
POLL_MS = 200
COMMIT_S = 1.0
PATIENCE_S = 3.0
"""After so long without a record Kafka is asked whether it is there; so long an answer may take."""
HAND_OVER_S = 12.0
"""Before a partition goes to another notifier, tries under way may end: longer than a try may take."""
BEFORE_MS = 3_600_000
"""Deliveries are read from this long before the first alert that is read: it may carry another machine's
clock, and an alert that is over may be published again by a worker that was killed."""

_READ_WAIT_MS = 20
"""A question about another partition waits behind a fetch that has nothing to bring."""

log = structlog.get_logger()


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka's types are not followed
    """`group` is connected and not yet subscribed; `reader` is connected and has no group."""

    def __init__(
        self,
        group: AIOKafkaConsumer,
        reader: AIOKafkaConsumer,
        *,
        outbox: Outbox,
        dispatch: Dispatch,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self.ticked = time.monotonic()
        self._group = group
        self._reader = reader
        self._outbox = outbox
        self._dispatch = dispatch
        self._metrics = metrics
        self._clock = clock
        self._to_load: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._assignment = 0
        self._is_joined = False
        self._is_away = False
        self._asked = time.monotonic()

    def missing(self) -> list[str]:
        """One phrase for each thing still waited for; none when notices flow."""
        if self._is_away:
            return ["broker: Kafka does not answer"]
        if not self._is_joined:
            return ["an assignment from the group"]
        return [f"the deliveries of partition {part.partition}" for part in sorted(self._to_load)]

    async def run(self, stop: asyncio.Event) -> None:
        """Reads until `stop`. Raises `KafkaError`."""
        self._group.subscribe([ALERTS.name], listener=self)
        commit_s = time.monotonic()
        while not stop.is_set():
            self.ticked = time.monotonic()
            if self._to_load:
                await self._load_all()
            fetched = await self._group.getmany(timeout_ms=POLL_MS)
            self._apply(fetched)
            await self._ask(is_there=bool(fetched))
            if time.monotonic() - commit_s >= COMMIT_S:
                commit_s = time.monotonic()
                await self._commit_recorded()
        await self._commit_recorded()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._group.pause(*assigned)
        self._to_load = set(assigned)
        self._assignment += 1
        self._is_joined = True

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._is_joined = False
        self._assignment += 1
        self._to_load.clear()
        marks = self._marks()
        self._positions.clear()
        gone = self._outbox.release(part.partition for part in revoked)
        await self._dispatch.quiet(gone, within_s=HAND_OVER_S)
        await self._commit(marks)
        self._committed.clear()
        log.info("partitions_revoked", partitions=sorted(part.partition for part in revoked))

    async def _load_all(self) -> None:
        started, assignment = time.monotonic(), self._assignment
        loaded = sorted(self._to_load)
        async with self._dispatch.hold:
            for part in loaded:
                position = await self._load(part)
                if assignment != self._assignment:  # taken away meanwhile, and perhaps given again
                    self._outbox.release([part.partition])
                    return
                self._group.seek(part, position)
                self._positions[part] = position
                self._to_load.discard(part)
                self._group.resume(part)
            self._reader.unsubscribe()  # it would go on fetching what nobody reads
        log.info(
            "partitions_taken",
            partitions=[part.partition for part in loaded],
            episodes=self._outbox.open_episodes,
            waiting=len(self._outbox.waiting()),
            seconds=round(time.monotonic() - started, 3),
        )
        self._dispatch.wake()

    async def _load(self, part: TopicPartition) -> int:
        """The outbox as of the end of the partition; gives the offset to go on at."""
        start = await self._start_of(part)
        self._reader.assign([part])
        end: int = (await self._reader.end_offsets([part]))[part]
        first_ms = await self._first_ms(part, start, end) or self._clock()
        async for delivery in ledger.read(self._reader, part.partition, since_ms=first_ms - BEFORE_MS):
            self.ticked = time.monotonic()
            self._outbox.restore(delivery)
        self._reader.assign([part])
        self._reader.seek(part, start)
        while await self._reader.position(part) < end:
            self.ticked = time.monotonic()
            fetched = await self._reader.getmany(part, timeout_ms=POLL_MS)
            self._apply_records(fetched.get(part, ()))
        return int(await self._reader.position(part))

    async def _start_of(self, part: TopicPartition) -> int:
        committed = await self._group.committed(part)
        first: int = (await self._reader.beginning_offsets([part]))[part]
        return max(first, committed if committed is not None else first)

    async def _first_ms(self, part: TopicPartition, start: int, end: int) -> int | None:
        """The instant of the first record from `start` on; None when there is none."""
        self._reader.seek(part, start)
        while await self._reader.position(part) < end:
            fetched = await self._reader.getmany(part, timeout_ms=POLL_MS, max_records=1)
            for record in fetched.get(part, ()):
                return int(record.timestamp)
        return None

    def _apply(self, fetched: dict[TopicPartition, list[Any]]) -> None:
        for part, records in fetched.items():
            if part in self._positions:  # else fetched before it was taken away
                self._apply_records(records)
                self._positions[part] = records[-1].offset + 1
        if fetched:
            self._dispatch.wake()

    def _apply_records(self, records: Any) -> None:
        now_ms = self._clock()
        for record in records:
            try:
                alert = codec.decode_alert(record.value or b"")
            except InvalidMessage as error:
                self._metrics.unreadable.inc()
                log.error("record_unreadable", topic=record.topic, offset=record.offset, detail=error.detail)
                continue
            self._outbox.apply(alert, partition=record.partition, offset=record.offset, now_ms=now_ms)

    def _marks(self) -> dict[TopicPartition, int]:
        """Where reading is to begin again, by partition."""
        return {
            part: low if (low := self._outbox.low_mark(part.partition)) is not None else position
            for part, position in self._positions.items()
        }

    async def _ask(self, *, is_there: bool) -> None:
        """In silence, asks Kafka now and then whether it is there."""
        if not is_there:
            if time.monotonic() - self._asked < PATIENCE_S:
                return
            is_there = await self._answers()
        if is_there == self._is_away:
            log.warning("log_connected" if is_there else "log_unavailable")
        self._is_away = not is_there
        self._asked = time.monotonic()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._reader.end_offsets([TopicPartition(ALERTS.name, 0)])
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    async def _commit_recorded(self) -> None:
        """Nothing is committed of which the ledger does not know the end."""
        async with self._dispatch.hold:
            marks = self._marks()
        await self._commit(marks)

    async def _commit(self, marks: dict[TopicPartition, int]) -> None:
        news = {part: mark for part, mark in marks.items() if self._committed.get(part) != mark}
        if not news:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._group.commit(news)
        except (KafkaError, TimeoutError) as error:  # whoever reads next begins a little earlier
            log.info("commit_refused", detail=str(error) or type(error).__name__)
            return
        self._committed.update(news)


def create_group(kafka: Kafka, *, slot: int) -> AIOKafkaConsumer:
    """A member of the group. The same slot is the same member, so a killed notifier is back at once."""
    return AIOKafkaConsumer(
        **client(kafka),
        group_id=GROUP,
        group_instance_id=f"{GROUP}-{slot}",
        client_id=f"{GROUP}-{slot}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        rebalance_timeout_ms=30_000,
        fetch_max_wait_ms=POLL_MS,
        metadata_max_age_ms=60_000,
    )


def create_reader(kafka: Kafka) -> AIOKafkaConsumer:
    """A consumer without a group: reads what it is told to."""
    return AIOKafkaConsumer(
        **client(kafka),
        client_id=f"{GROUP}-reader",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_READ_WAIT_MS,
    )
