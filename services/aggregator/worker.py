"""The loops of one aggregator process, and what they are made of, opened and closed in order.

Everything is built here once Faust runs; `streams` registers it. Taken away from this file: what a
fetch goes through (`holdings`), whose partitions they are (`assignment`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from schemas.config import Config
from schemas.errors import Unavailable
from schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, SNAPSHOTS, STATE
from services.aggregator import publisher, state_log
from services.aggregator.assignment import Assignment
from services.aggregator.cancellation import unless_cancelled_within
from services.aggregator.fetching import Fetching
from services.aggregator.folding import Make
from services.aggregator.health import Headers, create_pages
from services.aggregator.holdings import Fetch, Holdings
from services.aggregator.lease import Lease, LeaseLost
from services.aggregator.metrics import Metrics
from services.aggregator.settings import Settings
from services.aggregator.watchdog import Watchdog
from services.runtime.kafka import client
from services.runtime.kafka_trouble import reason
from services.runtime.keys import Denied, bearer, keyring, refuse_scrape
from services.runtime.process import serve

log = structlog.get_logger()

_COMMIT_S = 1.0
_CLOSE_S = 1.0


class Worker:
    """One process's worth: consumer, producers, partitions. Lives inside one event loop.

    `hand_over` takes a fetch to the stream function and waits while it is busy; `crash` ends the process.
    """

    def __init__(
        self,
        settings: Settings,
        config: Config,
        *,
        make: Make,
        metrics: Metrics,
        registry: CollectorRegistry,
        hand_over: Callable[[Fetch], Awaitable[None]],
        crash: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._consumer = _create_consumer(settings)
        self._state_producer = state_log.create_producer(settings.kafka)
        self._producer = publisher.create_producer(settings.kafka)
        states = state_log.StateLog(self._state_producer, settings.kafka)
        self._lease = Lease(self._consumer, session_s=settings.session_s, patience_s=settings.patience_s)
        self._holdings = Holdings(
            settings=settings,
            state_log=states,
            publisher=publisher.Publisher(self._producer),
            lease=self._lease,
            metrics=metrics,
            highwater=self._highwater,
            wake_at=self._wake_at,
        )
        self._fetching = Fetching(
            self._consumer,
            assignment=lambda: self._holdings.assignment,
            hand_over=hand_over,
            max_records=settings.max_records,
            pace_s=settings.pace_s,
        )
        self._assignment = Assignment(
            consumer=self._consumer,
            state_log=states,
            holdings=self._holdings,
            lease=self._lease,
            metrics=metrics,
            make=make,
            config=config,
            crash=crash,
        )
        self._watchdog = Watchdog(
            consumer=self._consumer,
            holdings=self._holdings,
            assignment=self._assignment,
            joining_patience_s=settings.joining_patience_s,
        )
        self._keys = keyring(config.auth)
        self._metrics = metrics
        self.pages = create_pages(registry, self._holdings, self._assignment, refuse=self._refuse_scrape)

    async def run(self) -> None:
        """Works until `stop`; then finishes the fold, flushes, commits and leaves the group."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(self.pages, self._settings.address, self._stop))
            await self._work()

    def stop(self) -> None:
        """Take no more. May be called twice."""
        self._stop.set()

    async def close(self) -> None:
        """Closes the clients, also when none was ever connected. May be called twice.

        The consumer leaves the group only when all is written.
        """
        for close in (self._leave, self._producer.stop, self._state_producer.stop):
            await _bounded(close)

    async def apply(self, fetch: Fetch) -> None:
        """One fetch through fold, flush and publish."""
        try:
            await self._careful(self._holdings.fold(fetch))
        finally:
            self._fetching.folded()

    async def tick(self) -> None:
        await self._careful(self._holdings.tick())

    async def _work(self) -> None:
        try:
            for client in (self._state_producer, self._producer, self._consumer):
                await self._connect(client)
            if self._stop.is_set():
                return
            await self._check_topics()
            self._assignment.is_connected = True
            self._consumer.subscribe([EVENTS.name], listener=self._assignment)
            try:
                await self._loop_until_stopped()
            finally:
                await _bounded(self._finish)
        finally:
            await self.close()

    async def _loop_until_stopped(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(unless_cancelled_within(each()))
                for each in (self._fetching.run, self._keep_deadlines, self._keep_lease, self._watchdog.run)
            ]
            await self._stop.wait()
            for loop in loops:
                loop.cancel()

    async def _keep_deadlines(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.tick()

    async def _keep_lease(self) -> None:
        """Commits what is flushed, for lag tools and for the lease."""
        while True:
            await asyncio.sleep(_COMMIT_S)
            async with self._holdings.lock:
                offsets = self._holdings.offsets()
            if offsets:
                try:
                    await self._lease.renew(offsets)
                except LeaseLost as lost:  # a rebalance is under way; who writes will ask again
                    log.info("commit_refused", detail=str(lost))

    async def _careful(self, work: Awaitable[None]) -> None:
        """Two ends of `work` are not failures: another writer, and the loss of the lease."""
        try:
            await unless_cancelled_within(work)
        except state_log.OtherWriter as other:
            log.warning("other_writer", partition=other.number, detail=str(other))
            await self._assignment.again()
        except LeaseLost as lost:
            log.warning("lease_lost", detail=str(lost))
            await self._assignment.lost()

    async def _finish(self) -> None:
        """What is folded is flushed already or is folded again by the next owner; commit, forget."""
        await self._assignment.stop()
        async with self._holdings.lock:
            offsets = self._holdings.offsets()
            self._holdings.forget()
        if offsets and self._lease.holds():
            try:
                await self._lease.renew(offsets)
            except LeaseLost as lost:
                log.info("commit_refused", detail=str(lost))

    async def _connect(self, client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
        """Starts a client; tries again while the broker is away, for a bounded time, or until `stop`."""
        kafka, is_told = self._settings.kafka, False
        until = time.monotonic() + self._settings.patience_s
        while not self._stop.is_set():
            try:
                await client.start()
                return
            except KafkaConnectionError as error:
                detail = await reason(kafka, error)
                if time.monotonic() > until:
                    raise Unavailable(f"Kafka at {kafka} {detail}") from error
                if not is_told:
                    is_told = True
                    log.warning("log_unavailable", bootstrap=kafka, detail=detail)
                await asyncio.sleep(0.5)

    async def _check_topics(self) -> None:
        """Refuses topics that are missing or do not match partition by partition."""
        known = await self._consumer.topics()
        needed = (EVENTS, STATE, SNAPSHOTS, ALERTS, DEAD_LETTERS)
        missing = [topic.name for topic in needed if topic.name not in known]
        if missing:
            raise Unavailable(f"topics are missing ({', '.join(missing)}): run `vigie topics`")
        counts = {
            topic.name: len(self._consumer.partitions_for_topic(topic.name) or ())
            for topic in (EVENTS, STATE, SNAPSHOTS)
        }
        if len(set(counts.values())) != 1:
            raise Unavailable(f"topics differ in partitions: {counts}")

    async def _leave(self) -> None:
        """Stops the consumer and tells the group, so that a sibling takes over at once.

        aiokafka never says good-bye for a static member, which would leave the partitions of a worker
        that was asked to stop without an owner for a whole session. It has no public way to.
        """
        coordinator = self._consumer._coordinator
        if coordinator is not None:
            coordinator._group_instance_id = None
        await self._consumer.stop()

    def _refuse_scrape(self, headers: Headers) -> Denied | None:
        address = self._settings.address
        denied = refuse_scrape(self._keys, bearer(headers), address=address, headers=headers)
        if denied is not None:
            self._metrics.refused(denied.reason)
        return denied

    def _highwater(self, tp: TopicPartition) -> int | None:
        found: int | None = self._consumer.highwater(tp) if tp in self._consumer.assignment() else None
        return found

    def _wake_at(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = (
            None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._wake.set)
        )


async def _bounded(close: Callable[[], Coroutine[None, None, None]]) -> None:
    """Closing is a courtesy: a broker that is away must not keep us.

    In a task that is left behind when it takes too long: aiokafka swallows a cancellation while it
    waits for its own tasks.
    """
    closing = asyncio.ensure_future(close())
    await asyncio.wait({closing}, timeout=_CLOSE_S)
    if not closing.done():
        log.warning("not_closed", what=close.__qualname__, after_s=_CLOSE_S)
    elif not closing.cancelled() and closing.exception() is not None:
        log.warning("not_closed", what=close.__qualname__, detail=repr(closing.exception()))


def _create_consumer(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **client(settings.kafka),
        group_id=settings.group,
        group_instance_id=settings.member,
        client_id=settings.member,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(settings.session_s * 1000),
        heartbeat_interval_ms=int(settings.heartbeat_s * 1000),
        rebalance_timeout_ms=int(settings.rebalance_s * 1000),
        metadata_max_age_ms=60_000,
    )
