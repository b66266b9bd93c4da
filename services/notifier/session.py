"""One connection to Kafka and what lives on it; made anew as often as it takes.

Without Kafka nothing is sent, because nothing could be recorded; the alerts are still in the log when
it is back.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from schemas.config import Config
from schemas.errors import Unavailable
from schemas.recipients import Destination
from schemas.topics import ALERTS, DEAD_LETTERS, DELIVERIES
from services.notifier import consumer, ledger
from services.notifier.consumer import Consumer
from services.notifier.core.outbox import Outbox
from services.notifier.dispatch import Dispatch, Sender
from services.notifier.ledger import Ledger
from services.notifier.metrics import Metrics
from services.runtime.kafka import Kafka
from services.runtime.kafka_trouble import reason

RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to connect; the last one goes on."""
START_S = 20.0
CLOSE_S = 1.0

log = structlog.get_logger()


class Sessions:
    """Keeps notices flowing while Kafka comes and goes. `outbox` is the one in use."""

    def __init__(
        self,
        kafka: Kafka,
        config: Config,
        *,
        slot: int,
        sender: Sender,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self.outbox = Outbox(config)
        self._kafka = kafka
        self._config = config
        self._slot = slot
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._refusing: set[Destination] = set()
        self._consumer: Consumer | None = None
        self._trouble: str | None = "not connected yet"
        self._tried = time.monotonic()

    def missing(self) -> list[str]:
        """One sentence each; empty when notices flow."""
        if self._trouble is not None or self._consumer is None:
            return [f"broker: Kafka at {self._kafka}: {self._trouble}"]
        return self._consumer.missing()

    def still_s(self) -> float:
        """For how long nothing has moved."""
        ticked = self._consumer.ticked if self._consumer is not None else self._tried
        return time.monotonic() - ticked

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, connecting again as often as it takes."""
        attempt = 0
        while not stop.is_set():
            self._tried = time.monotonic()
            try:
                async with self._connected() as work:
                    attempt = 0
                    await work(stop)
            except* (KafkaError, OSError, TimeoutError, Unavailable) as group:
                self._away(await reason(self._kafka, _first(group)), is_first=attempt == 0)
            if not stop.is_set():
                await _pause(RETRY_S[min(attempt, len(RETRY_S) - 1)], stop)
                attempt += 1

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Callable[[asyncio.Event], Coroutine[Any, Any, None]]]:
        """Clients that are there, in the order in which they are needed; closed together."""
        producer = ledger.create_producer(self._kafka)
        reader = consumer.create_reader(self._kafka)
        group = consumer.create_group(self._kafka, slot=self._slot)
        try:
            async with asyncio.timeout(START_S):
                for client in (producer, reader, group):
                    await client.start()
                partitions = await _partitions(reader, producer)
            self._there()
            self.outbox = Outbox(self._config, self._refusing)
            dispatch = Dispatch(
                self.outbox,
                records=Ledger(producer, partitions=partitions),
                sender=self._sender,
                metrics=self._metrics,
                clock=self._clock,
            )
            reading = self._consumer = Consumer(
                group,
                reader,
                outbox=self.outbox,
                dispatch=dispatch,
                metrics=self._metrics,
                clock=self._clock,
            )

            async def work(stop: asyncio.Event) -> None:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(dispatch.run(stop))
                    tasks.create_task(reading.run(stop))

            yield work
        finally:
            self._consumer = None
            await asyncio.gather(
                _bounded(_leave(group), "group"),
                _bounded(reader.stop(), "reader"),
                _bounded(producer.stop(), "producer"),
            )

    def _there(self) -> None:
        self._trouble = None
        log.info("log_connected", bootstrap=self._kafka)

    def _away(self, detail: str, *, is_first: bool) -> None:
        self._trouble = detail
        if is_first:
            log.warning("log_unavailable", bootstrap=self._kafka, detail=detail)


async def _partitions(reader: Any, producer: Any) -> int:
    """How many partitions our topics have. Raises `Unavailable` when they are missing or differ."""
    known = await reader.topics()
    needed = [topic.name for topic in (ALERTS, DELIVERIES, DEAD_LETTERS)]
    missing = [name for name in needed if name not in known]
    if missing:
        raise Unavailable(f"topics are missing ({', '.join(missing)}): run `vigie topics`")
    counts = {name: len(await producer.partitions_for(name)) for name in (ALERTS.name, DELIVERIES.name)}
    if len(set(counts.values())) != 1:
        raise Unavailable(f"topics differ in partitions: {counts}")
    return counts[ALERTS.name]


async def _leave(group: Any) -> None:
    """Stops the consumer and tells the group, so that a sibling takes over at once.

    aiokafka never says good-bye for a static member, and has no public way to.
    """
    coordinator = group._coordinator
    if coordinator is not None:
        coordinator._group_instance_id = None
    await group.stop()


async def _bounded(close: Coroutine[Any, Any, None], what: str) -> None:
    """Closing is a courtesy: a broker that is away must not keep us."""
    closing = asyncio.ensure_future(close)
    await asyncio.wait({closing}, timeout=CLOSE_S)
    if not closing.done():
        log.warning("not_closed", what=what, after_s=CLOSE_S)
    elif not closing.cancelled() and closing.exception() is not None:
        log.warning("not_closed", what=what, detail=repr(closing.exception()))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
