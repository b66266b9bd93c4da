"""Events and dead letters into Kafka: at once for who waits (`send`), by a buffer for sources (`put`).

The one place of ingest that writes to the log. What is said to be accepted was acknowledged by the
broker (acks=all, idempotent). Kafka may be away for as long as it likes: `send` says so, the buffer
fills and then holds its sources back, and when Kafka is there again it goes on by itself.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from schemas import codec
from schemas.board import DeadLetter
from schemas.errors import Unavailable
from schemas.events import SourceEvent
from schemas.sources import SourceStatus
from schemas.topics import DEAD_LETTERS, EVENTS, SOURCES, partition_of
from schemas.vocabulary import Reason
from services.ingest.buffer import Buffer
from services.ingest.lanes import Record, Session, connect
from services.ingest.metrics import Metrics
from services.runtime.kafka import Kafka

ANSWER_S = 4.0
"""How long `send` waits for the log."""

OVERDUE_S = 2.0
"""From then on an answer of the broker is missing, and we are not ready."""

BUFFER_EVENTS = 10_000
"""How much `put` holds while Kafka is away: of a site with 10 events a second, 16 minutes."""

CHUNK = 500
RETRY_S = (0.2, 0.5, 1.0, 2.0)
"""Waits between attempts to reach Kafka; the last one goes on."""

Message = SourceEvent | DeadLetter | SourceStatus
Put = Callable[[Sequence[Message]], Awaitable[None]]
"""How an adapter hands over what it learned; returns once it is in the buffer."""

log = structlog.get_logger()


class Publisher:
    """Writes to the log. `run` does the work and must be running; `close` ends it."""

    def __init__(
        self,
        kafka: Kafka,
        *,
        metrics: Metrics,
        capacity: int = BUFFER_EVENTS,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._kafka = kafka
        self._metrics = metrics
        self._answer_s = answer_s
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._sites: dict[str, tuple[str, bytes, int]] = {}
        self._buffer: Buffer[Message] = Buffer(capacity, on_size=metrics.buffer_events.set)
        self._closing = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether the log answers: there is a session, and no answer is long overdue."""
        return self._session is not None and self._session.waited_s() < OVERDUE_S

    async def run(self) -> None:
        """Keeps a session with Kafka and empties the buffer, until `close`."""
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(self._drain()), tasks.create_task(self._keep_connected())]
            await self._closing.wait()
            for task in working:
                task.cancel()

    async def close(self, timeout: float) -> None:
        """Writes what is still waiting, within `timeout` seconds; then `run` returns."""
        try:
            async with asyncio.timeout(timeout):
                await self._buffer.emptied()
                if self._session is not None:
                    await self._session.flush()
        except TimeoutError:
            log.error("not_drained", events=len(self._buffer))
        self._closing.set()

    async def send(self, messages: Sequence[Message]) -> None:
        """All of them are in the log when this returns.

        Raises `Unavailable` after a few seconds: then none, some or all of them may get there.
        """
        if messages:
            async with self._answered():
                await self._write(messages)

    async def send_to_each_partition(self, event_of: Callable[[int], SourceEvent]) -> None:
        """`event_of(partition)` is in every partition of `vigie.events`. Raises as `send`."""
        async with self._answered():
            session = await self._in_session()
            partitions = range(session.partitions[EVENTS.name])
            await session.deliver({(EVENTS.name, n): [(b"*", codec.encode(event_of(n)))] for n in partitions})

    async def put(self, messages: Sequence[Message]) -> None:
        """They will be in the log, in this order; waits while the buffer is full."""
        await self._buffer.put(messages)

    @contextlib.asynccontextmanager
    async def _answered(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._answer_s):
                yield
        except TimeoutError as error:
            raise Unavailable("the log does not answer") from error

    async def _write(self, messages: Sequence[Message]) -> None:
        session = await self._in_session()
        lines: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for message in messages:
            topic, key, partition = self._place(message, session.partitions)
            lines[topic, partition].append((key, codec.encode(message)))
        await session.deliver(lines)
        for message in messages:
            if isinstance(message, DeadLetter):
                self._metrics.dead_letters.labels(message.reason).inc()

    def _place(self, message: Message, partitions: dict[str, int]) -> tuple[str, bytes, int]:
        """Topic, key and partition. A site's place is computed once; senders choose their source at will."""
        if isinstance(message, DeadLetter):
            key = message.source.encode()
            return DEAD_LETTERS.name, key, partition_of(key, partitions[DEAD_LETTERS.name])
        if isinstance(message, SourceStatus):
            key = f"{message.site}|{message.source}|{message.instance}".encode()
            return SOURCES.name, key, partition_of(key, partitions[SOURCES.name])
        place = self._sites.get(message.site)
        if place is None:
            key = message.site.encode()
            place = (EVENTS.name, key, partition_of(key, partitions[EVENTS.name]))
            self._sites[message.site] = place
        return place

    async def _in_session(self) -> Session:
        while self._session is None:
            await self._connected.wait()
        return self._session

    async def _drain(self) -> None:
        """Empties the buffer in order; what could not be written is written again, nothing is dropped."""
        while True:
            chunk = await self._buffer.first(CHUNK)
            try:
                await self._write(chunk)
            except Unavailable:
                await asyncio.sleep(RETRY_S[0])  # the session is lost; let another one take its place
                continue
            await self._buffer.remove(len(chunk))
            for message in chunk:
                if not isinstance(message, DeadLetter | SourceStatus):
                    self._metrics.count(message.source, Reason.ACCEPTED)

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            try:
                session = await connect(
                    self._kafka, topics=(EVENTS.name, DEAD_LETTERS.name, SOURCES.name), client="vigie-ingest"
                )
            except Unavailable as error:
                if attempt == 0:
                    log.warning("log_unavailable", bootstrap=self._kafka, detail=error.detail)
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                attempt = 0
                await self._use(session)

    async def _use(self, session: Session) -> None:
        """Lets everybody write by `session` until it is lost, or we are told to end."""
        log.info("log_connected", bootstrap=self._kafka, partitions=session.partitions[EVENTS.name])
        self._sites.clear()
        self._session = session
        self._connected.set()
        self._metrics.log_up.set(1)
        try:
            await session.lost.wait()
            log.warning("log_lost", bootstrap=self._kafka)
        finally:
            self._session = None
            self._connected.clear()
            self._metrics.log_up.set(0)
            await session.abandon()
