"""The partitions this worker holds, and the one path of an event through them:
fold → flush → publish → (later) commit.

One lock: a partition is never given away in mid-flush, and nothing else folds meanwhile. Each
assignment has a number; a fetch carries the number under which it was made, and one made under an
older number is dropped whole (the partition may have moved and come back; its reader starts again
at `applied` + 1). Rules are in `core`, Kafka in `state_log`, `publisher` and `assignment`.
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from schemas.board import DeadLetter
from schemas.errors import VigieError
from schemas.topics import EVENTS
from services.aggregator.folding import Folding
from services.aggregator.lease import Lease
from services.aggregator.metrics import Metrics
from services.aggregator.publisher import Publisher
from services.aggregator.settings import Settings
from services.aggregator.state_log import StateLog
from services.runtime.clock import now_ms

log = structlog.get_logger()

_LOOK_EVERY = 128
"""Events folded between two looks at the size of the coming flush, and at the time it took."""

_SLICE_S = 0.25
"""A fold that takes longer is flushed and shown in between: a slow worker gets on, and is seen to."""


class Hole(VigieError):
    """An event is missing between what is folded in and what came: only a restart is safe."""

    def __init__(self, number: int, *, applied: int, offset: int) -> None:
        super().__init__(f"{EVENTS.name}-{number}: offset {offset} came after {applied}")
        self.number = number
        self.applied = applied
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Fetch:
    """Records by partition number, and the assignment under which they were fetched."""

    assignment: int
    records: Mapping[int, Sequence[ConsumerRecord]]


@dataclass(slots=True)
class Holding:
    """One partition in memory.

    `end` is the next offset the log will give, as far as we know; `hidden` are state records to be
    written again with the claim (`state_log.Loaded`).
    """

    number: int
    partition: Folding
    end: int
    hidden: dict[bytes, bytes | None] = field(default_factory=dict)
    last_appended_ms: int | None = None
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def topic_partition(self) -> TopicPartition:
        return TopicPartition(EVENTS.name, self.number)

    @property
    def lag(self) -> int:
        return max(0, self.end - self.partition.applied - 1)

    def fold(
        self,
        records: Sequence[ConsumerRecord],
        start: int,
        *,
        flush_bytes: int,
        until: float = math.inf,
    ) -> int:
        """Folds `records[start:]` until the flush gets large, or `until` on the monotonic clock.

        Gives the place to go on from.
        """
        partition, now = self.partition, now_ms()
        for place in range(start, len(records)):
            record = records[place]
            if record.offset <= partition.applied:
                continue
            if record.offset != partition.applied + 1:
                raise Hole(self.number, applied=partition.applied, offset=record.offset)
            letter = partition.fold(
                record.value, offset=record.offset, appended_ms=record.timestamp, now_ms=now
            )
            if letter is not None:
                self.letters.append(letter)
            self.last_appended_ms = record.timestamp
            if place % _LOOK_EVERY == 0 and (
                partition.change_bytes() >= flush_bytes or time.monotonic() >= until
            ):
                return place + 1
        return len(records)


class Holdings:
    def __init__(
        self,
        *,
        settings: Settings,
        state_log: StateLog,
        publisher: Publisher,
        lease: Lease,
        metrics: Metrics,
        highwater: Callable[[TopicPartition], int | None],
        wake_at: Callable[[float | None], None],
    ) -> None:
        """`wake_at(seconds)` must see to it that `tick` runs in so many seconds; None: nothing is due."""
        self.lock = asyncio.Lock()
        self.assignment = 0
        self.held: dict[int, Holding] = {}
        self.ticked = time.monotonic()
        self._settings = settings
        self._state_log = state_log
        self._publisher = publisher
        self._lease = lease
        self._metrics = metrics
        self._highwater = highwater
        self._wake_at = wake_at

    async def fold(self, fetch: Fetch) -> None:
        """Folds, flushes and publishes one fetch, unless it was made under an older assignment."""
        async with self.lock:
            if fetch.assignment != self.assignment:
                return
            await self._guarded(self._fold(fetch.records))

    async def tick(self) -> None:
        """What time alone brings: deadlines, rows, lag. Also writes what is still to be published."""
        async with self.lock:
            await self._guarded(self._settle(self.held.values()))
        self.ticked = time.monotonic()

    async def take(self, holdings: Iterable[Holding]) -> None:
        """Holds these from now on. The caller has the lock, has claimed them and has sought."""
        self.assignment += 1
        self.held.update({holding.number: holding for holding in holdings})
        await self._guarded(self._settle(self.held.values(), everything=True))

    def forget(self) -> None:
        """Holds nothing from now on. The caller has the lock."""
        self.assignment += 1
        self.held.clear()
        self._metrics.forget_lag()
        self._wake_at(None)

    def offsets(self) -> dict[TopicPartition, int]:
        """What to commit."""
        return {each.topic_partition: each.partition.applied + 1 for each in self.held.values()}

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Runs `work` under the lock. If it fails, memory is ahead of the log, so it is forgotten."""
        try:
            await work
        except BaseException:
            self.forget()
            raise

    async def _fold(self, fetched: Mapping[int, Sequence[ConsumerRecord]]) -> None:
        started = time.perf_counter()
        for number, records in fetched.items():
            holding, place = self.held[number], 0
            while place < len(records):
                place = holding.fold(
                    records,
                    place,
                    flush_bytes=self._settings.flush_bytes,
                    until=time.monotonic() + _SLICE_S,
                )
                if place < len(records):
                    await self._settle([holding])
        self._metrics.folded(time.perf_counter() - started)
        await self._settle(self.held.values())

    async def _settle(self, holdings: Iterable[Holding], *, everything: bool = False) -> None:
        """Flush, then publish: what others see is never ahead of the state."""
        holdings = list(holdings)
        now = now_ms()
        for holding in holdings:
            self._follow_time(holding, now)
        await self._flush(holdings)
        for holding in holdings:
            await self._publish(holding, now, everything=everything)
        self._arm(now)

    def _follow_time(self, holding: Holding, now: int) -> None:
        highwater = self._highwater(holding.topic_partition)
        if highwater is not None:
            holding.end = max(holding.end, highwater)
        holding.partition.set_lag(
            end_reached=holding.lag == 0, last_appended_ms=holding.last_appended_ms, now_ms=now
        )
        holding.partition.advance(now)
        self._metrics.lag(holding.number, holding.lag)

    async def _flush(self, holdings: Sequence[Holding]) -> None:
        letters = [letter for holding in holdings for letter in holding.letters]
        if letters:  # before the flush: rather twice than never
            await self._publisher.send_dead_letters(letters)
            self._metrics.dead_letters(letters)
            for holding in holdings:
                holding.letters.clear()
        changes = [(each.number, made) for each in holdings if (made := each.partition.changes())]
        if changes:
            if not self._lease.holds():
                await self._lease.renew(self.offsets())
            started = time.perf_counter()
            flushed = await asyncio.gather(
                *(self._state_log.append(number, made) for number, made in changes),
                return_exceptions=True,  # let all land before anything is read again
            )
            self._metrics.flushed(time.perf_counter() - started)
            for failure in flushed:
                if failure is not None:
                    raise failure
        for holding in holdings:
            self._metrics.count(holding.partition.observe())

    async def _publish(self, holding: Holding, now: int, *, everything: bool) -> None:
        """Rows are of the instant that the partition was moved to, not of now: the flush took a while."""
        partition = holding.partition
        waiting = partition.outbox()
        if waiting:
            await self._publisher.send(waiting)
            partition.published(waiting)
        rows = partition.rows(now, everything=everything)
        if rows and self._lease.holds():
            await self._publisher.send_rows(holding.number, rows, applied=partition.applied)

    def _arm(self, now: int) -> None:
        """Asks to be woken at the next deadline. One that `advance` has left standing waits for the tick."""
        coming = [each.partition.next_deadline_ms(now) for each in self.held.values()]
        due = min((deadline for deadline in coming if deadline is not None and deadline > now), default=None)
        self._wake_at(None if due is None else max(0.0, (due - now_ms()) / 1000))
