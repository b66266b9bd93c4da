"""Reads what the api shows from the log: rows, alerts, deliveries, sources. A replica needs nothing else.

No consumer group: every replica reads every partition. Rows from the beginning to the end first
(then the board is loaded), alerts from the end, since the site rows carry those that matter, of the
deliveries those of the last alerts, and all that is there of the sources. When the broker is away the
board stays as it is and grows stale by itself (SEMANTICS.md §6).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas import codec
from schemas.errors import InvalidMessage, Unavailable
from schemas.topics import ALERTS, DELIVERIES, SNAPSHOTS, SOURCES
from services.api.board import Board
from services.api.commands import Commands
from services.api.deliveries import Deliveries
from services.api.hub import Hub
from services.api.metrics import Metrics
from services.api.sources import Sources
from services.runtime.kafka import Kafka, client
from services.runtime.kafka_trouble import reason

POLL_MS = 500
SILENCE_MS = 3000
"""Workers write every second. After this long without a record the broker is asked what it holds."""
PROBE_S = 3.0
STUCK_MS = 10_000
"""Records that are there and do not come for this long: connect anew."""
RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to connect; the last one goes on."""
START_S = 15.0
CLOSE_S = 5.0
DELIVERIES_READ = 20_000
"""So many records before the end of each partition are read at the start: those of the last alerts."""

log = structlog.get_logger()


class Consumer:
    """Fills `board`. `missing` says what the api still waits for."""

    def __init__(
        self,
        kafka: Kafka,
        board: Board,
        *,
        hub: Hub,
        commands: Commands,
        deliveries: Deliveries,
        sources: Sources,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self._kafka = kafka
        self._board = board
        self._hub = hub
        self._commands = commands
        self._deliveries = deliveries
        self._sources = sources
        self._metrics = metrics
        self._clock = clock
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._trouble: str | None = "not connected yet"
        self._is_loaded = False

    def missing(self) -> list[str]:
        """One sentence each; empty when the board is loaded and the broker answers."""
        faults = [] if self._trouble is None else [f"broker: Kafka at {self._kafka}: {self._trouble}"]
        return faults if self._is_loaded else [*faults, "board: not loaded yet"]

    async def run(self, stop: asyncio.Event) -> None:
        """Reads until `stop`, connecting again as often as it takes."""
        attempt = 0
        while not stop.is_set():
            try:
                async with self._connected() as consumer:
                    attempt = 0
                    await self._read(consumer, stop)
            except UnknownTopicOrPartitionError:
                self._away("its topics are not declared yet (`vigie topics`)", is_first=attempt == 0)
            except (KafkaError, OSError, TimeoutError, Unavailable) as error:
                self._away(await reason(self._kafka, error), is_first=attempt == 0)
            if not stop.is_set():
                await _pause(RETRY_S[min(attempt, len(RETRY_S) - 1)], stop)
                attempt += 1

    @contextlib.asynccontextmanager
    async def _connected(self) -> Any:
        """A consumer of all partitions of these topics, placed where reading goes on."""
        consumer = AIOKafkaConsumer(
            SNAPSHOTS.name,
            ALERTS.name,
            DELIVERIES.name,
            SOURCES.name,
            **client(self._kafka),
            client_id="vigie-api",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # a log that starts later than where we were: read what there is
            request_timeout_ms=10_000,
            retry_backoff_ms=200,
            metadata_max_age_ms=10_000,
            fetch_max_wait_ms=POLL_MS,
        )
        try:
            async with asyncio.timeout(START_S):
                await consumer.start()
                await self._place(consumer)
            self._there()
            yield consumer
        finally:
            await _close(consumer)

    async def _place(self, consumer: Any) -> None:
        """Rows from the beginning, alerts from the end; all from where we were if we have been there."""
        topics = (SNAPSHOTS, ALERTS, DELIVERIES, SOURCES)
        rows, alerts, told, sources = (_partitions(consumer, topic.name) for topic in topics)
        consumer.unsubscribe()  # it subscribed to learn the partitions; assigned ones stay as they are
        consumer.assign([*rows, *alerts, *told, *sources])
        ends = await consumer.end_offsets([*rows, *alerts, *told, *sources])
        starts = await consumer.beginning_offsets([*rows, *told, *sources])
        starts |= {part: max(starts[part], ends[part] - DELIVERIES_READ) for part in told}
        starts |= {part: ends[part] for part in alerts}
        for part, start in starts.items():
            known = self._positions.get(part, start)
            position = known if start <= known <= ends[part] or part in alerts else starts[part]
            self._positions[part] = min(position, ends[part])
            consumer.seek(part, self._positions[part])
        self._ends = {part: ends[part] for part in rows}
        self._load_if_at_end()

    async def _read(self, consumer: Any, stop: asyncio.Event) -> None:
        """Applies what comes; in silence, asks the broker whether there is nothing to come."""
        heard_ms = asked_ms = self._clock()
        while not stop.is_set():
            fetch = await consumer.getmany(timeout_ms=POLL_MS)
            now_ms = self._clock()
            if fetch:
                heard_ms = asked_ms = now_ms
                self._there()
                self._apply(fetch, now_ms)
            elif now_ms - asked_ms >= SILENCE_MS:
                asked_ms = now_ms
                is_behind = await self._is_behind(consumer)
                if is_behind and now_ms - heard_ms >= STUCK_MS:
                    log.warning("consumer_stuck", silent_ms=now_ms - heard_ms)
                    return
                heard_ms = heard_ms if is_behind else now_ms

    async def _is_behind(self, consumer: Any) -> bool:
        """Whether the log holds what we have not read. Without an answer the client tries again by itself."""
        try:
            async with asyncio.timeout(PROBE_S):
                ends = await consumer.end_offsets(list(self._positions))
                for part in ends:  # the end may be what compaction left empty: no record leads there
                    self._positions[part] = await consumer.position(part)
        except (KafkaError, OSError, TimeoutError) as error:
            self._away(await reason(self._kafka, error), is_first=self._trouble is None)
            return False
        self._there()
        self._load_if_at_end()
        return any(end != self._positions[part] for part, end in ends.items())

    def _apply(self, fetch: dict[TopicPartition, list[Any]], now_ms: int) -> None:
        for part, records in fetch.items():
            for record in records:
                try:
                    self._apply_one(record, now_ms)
                except InvalidMessage as error:
                    self._metrics.unreadable.inc()
                    log.error(
                        "record_unreadable", topic=part.topic, offset=record.offset, detail=error.detail
                    )
            self._positions[part] = records[-1].offset + 1
        self._load_if_at_end()
        self._hub.wake()

    def _apply_one(self, record: Any, now_ms: int) -> None:
        if record.topic == ALERTS.name:
            alert = codec.decode_alert(record.value or b"")
            self._board.apply_alert(alert)
            self._commands.answered(alert)
            return
        if record.topic == DELIVERIES.name:
            self._deliveries.apply(codec.decode_delivery(record.value or b""))
            return
        if record.topic == SOURCES.name:
            self._sources.apply(codec.decode_source(record.value or b""))
            return
        key = codec.decode_key(record.key or b"")
        row = None if record.value is None else codec.decode_row(key[0] if key else "", record.value)
        # a row read late is as old as its record: it must not look as if it came now
        self._board.apply(key, row, min(now_ms, record.timestamp))

    def _load_if_at_end(self) -> None:
        if not self._is_loaded and all(self._positions[part] >= end for part, end in self._ends.items()):
            self._is_loaded = True
            log.info("board_loaded", queues=len(self._board.queues), sites=len(self._board.sites))

    def _there(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("log_connected", bootstrap=self._kafka)

    def _away(self, detail: str, *, is_first: bool) -> None:
        self._trouble = detail
        if is_first:
            log.warning("log_unavailable", bootstrap=self._kafka, detail=detail)


def _partitions(consumer: Any, topic: str) -> list[TopicPartition]:
    numbers: Iterable[int] = consumer.partitions_for_topic(topic) or ()
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _close(consumer: Any) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.info("consumer_not_closed", detail=_said(error))


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
