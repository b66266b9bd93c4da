"""Which partitions are ours: what happens when Kafka's group gives them and takes them away.

Given: pause and return at once (no heartbeat is sent while the listener runs); a task loads the
state, claims it, seeks to `applied` + 1 and resumes. Taken: wait for the fold in progress, forget.
The committed offset is for lag tools only; `applied` is the truth.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from schemas.config import Config
from schemas.errors import Unavailable
from services.aggregator.cancellation import unless_cancelled_within
from services.aggregator.folding import Make
from services.aggregator.holdings import Holding, Holdings
from services.aggregator.lease import Lease, LeaseLost
from services.aggregator.metrics import Metrics
from services.aggregator.state_log import OtherWriter, StateLog
from services.runtime.clock import now_ms

log = structlog.get_logger()

_CLAIMS = 5
"""Tries to claim while another writer interferes, before the process gives up."""


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka's types are not followed
    def __init__(
        self,
        *,
        consumer: AIOKafkaConsumer,
        state_log: StateLog,
        holdings: Holdings,
        lease: Lease,
        metrics: Metrics,
        make: Make,
        config: Config,
        crash: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        self.loading: list[int] = []
        self.since = time.monotonic()
        self.is_joined = False
        self.is_connected = False
        self._consumer = consumer
        self._state_log = state_log
        self._holdings = holdings
        self._lease = lease
        self._metrics = metrics
        self._make = make
        self._config = config
        self._crash = crash
        self._task: asyncio.Task[None] | None = None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        try:
            await self._let_go()
        except Exception as error:  # aiokafka would log it and go on
            await self._crash(error)
        log.info("partitions_revoked", partitions=_numbers(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        try:
            self._consumer.pause(*assigned)
            self.is_joined, self.since = True, time.monotonic()
            self._start(assigned)
        except Exception as error:  # aiokafka would log it and go on
            await self._crash(error)

    async def again(self) -> None:
        """Another writer was met: forget what is in memory and read everything we own once more."""
        await self._let_go()
        assigned = self._consumer.assignment()
        self._consumer.pause(*assigned)
        self._start(assigned)

    async def lost(self) -> None:
        """The group no longer counts us in: hold nothing until it assigns again."""
        self._consumer.pause(*self._consumer.assignment())
        await self._let_go()

    async def stop(self) -> None:
        await self._cancel()

    async def _let_go(self) -> None:
        await self._cancel()
        async with self._holdings.lock:
            self._holdings.forget()
        self._lease.give_up()
        self.is_joined, self.since = False, time.monotonic()

    async def _cancel(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait({self._task})
        self._task = None
        self.loading = []

    def _start(self, assigned: set[TopicPartition]) -> None:
        if self._task is not None:
            self._task.cancel()
        self.loading = _numbers(assigned)
        self._task = asyncio.create_task(self._run(assigned), name="load")

    async def _run(self, assigned: set[TopicPartition]) -> None:
        try:
            await unless_cancelled_within(self._take_over(assigned))
        except LeaseLost as lost:
            log.warning("assignment_lost_while_loading", detail=str(lost))
        except Exception as error:
            await self._crash(error)

    async def _take_over(self, assigned: set[TopicPartition]) -> None:
        started = time.monotonic()
        for _ in range(_CLAIMS):
            try:
                holdings = await self._load(assigned)
                async with self._holdings.lock:
                    await self._claim(holdings, assigned)
            except OtherWriter as other:
                log.warning("other_writer", partition=other.number, detail=str(other))
                continue
            self.loading = []
            self.is_joined = True
            log.info(
                "partitions_taken",
                partitions=_numbers(assigned),
                applied=[each.partition.applied for each in holdings],
                seconds=round(time.monotonic() - started, 3),
            )
            return
        raise Unavailable(f"another writer was met {_CLAIMS} times in a row")

    async def _load(self, assigned: set[TopicPartition]) -> list[Holding]:
        """The partitions as their state says, each with its claim among the changes."""
        if not assigned:
            return []
        loaded = await self._state_log.load(_numbers(assigned))
        starts = await self._consumer.beginning_offsets(list(assigned))
        ends = await self._consumer.end_offsets(list(assigned))
        holdings = []
        for tp in sorted(assigned):
            now = now_ms()
            state, partition = loaded[tp.partition], self._make(tp.partition, self._config, now)
            partition.restore(state.records, now)
            holding = Holding(tp.partition, partition, end=ends[tp], hidden=state.hidden)
            self._agree_with_log(holding, start=starts[tp], end=ends[tp])
            holdings.append(holding)
            await asyncio.sleep(0)  # a large state takes a while; heartbeats must go on
        return holdings

    def _agree_with_log(self, holding: Holding, *, start: int, end: int) -> None:
        """Where the log no longer has `applied` + 1: says so once, counts it, raises an alert, goes on
        where the log is.
        """
        applied = holding.partition.applied
        if start > applied + 1:
            holding.partition.applied = start - 1
            if applied >= 0:
                self._metrics.log_gap()
                holding.partition.tell_gap(start - applied - 1, now_ms())
                log.error("log_starts_after_applied", partition=holding.number, applied=applied, start=start)
        elif end <= applied:
            holding.partition.applied = end - 1
            self._metrics.log_gap()
            holding.partition.tell_gap(None, now_ms())
            log.error("log_ends_before_applied", partition=holding.number, applied=applied, end=end)

    async def _claim(self, holdings: list[Holding], assigned: set[TopicPartition]) -> None:
        if holdings:
            await self._lease.renew({each.topic_partition: each.partition.applied + 1 for each in holdings})
        for holding in holdings:
            holding.partition.claim()
            await self._state_log.append(
                holding.number, [*holding.hidden.items(), *holding.partition.changes()]
            )
            holding.hidden.clear()
            self._consumer.seek(holding.topic_partition, holding.partition.applied + 1)
        await self._holdings.take(holdings)
        self._consumer.resume(*assigned)


def _numbers(tps: set[TopicPartition]) -> list[int]:
    return sorted(tp.partition for tp in tps)
