"""Empties the outbox: records a try, makes it, records its outcome; buries what is given up.

The record comes first: after a crash it says that the notice may have left. Between the receiver's
answer and our record of it lies the only instant at which a notice can be repeated, under its own id.
"""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from schemas import codec
from schemas.board import Alert, DeadLetter
from schemas.deliveries import Delivery, DeliveryState
from schemas.events import NOTIFIER_SOURCE, NoticeUndelivered
from schemas.recipients import Nobody
from schemas.topics import ALERTS
from services.notifier.core import retry
from services.notifier.core.outbox import Outbox, Try
from services.notifier.core.retry import Outcome
from services.notifier.metrics import BURIED, Metrics

FINISH_S = 2.0
"""When we are told to stop, tries under way may end within this time."""

log = structlog.get_logger()


class Sender(Protocol):
    async def send(self, made: Try) -> Outcome:
        """What a try came to: `channels.Channels`, or its double."""


class Records(Protocol):
    async def write(self, deliveries: Sequence[Delivery]) -> None: ...
    async def report(self, event: NoticeUndelivered) -> None: ...
    async def bury(self, letter: DeadLetter) -> None: ...


class Dispatch:
    """`hold` is held while the outbox is ahead of the ledger, and by who fills the outbox from the log."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        records: Records,
        sender: Sender,
        metrics: Metrics,
        clock: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.hold = asyncio.Lock()
        self._outbox = outbox
        self._records = records
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        self._wake = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._said: set[tuple[str, str, Nobody]] = set()

    def wake(self) -> None:
        """The outbox may have something."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`, then lets what is under way end, for a while. Raises `KafkaError`."""
        async with asyncio.TaskGroup() as tries:
            stopping = tries.create_task(self._wake_at(stop))
            while not stop.is_set():
                self._wake.clear()
                due_ms = await self._empty(tries)
                await self._sleep_until(due_ms)
            stopping.cancel()
            await self.quiet(within_s=FINISH_S)
            for each in list(self._under_way):
                each.cancel()

    async def quiet(self, alert_ids: set[str] | None = None, *, within_s: float) -> None:
        """The tries under way (of these alerts) have ended, or the time is over."""
        tries = [task for task, of in self._under_way.items() if alert_ids is None or of in alert_ids]
        if tries:
            await asyncio.wait(tries, timeout=within_s)

    async def _empty(self, tries: asyncio.TaskGroup) -> int | None:
        """Starts every try that is due; gives the instant of the next."""
        async with self.hold:
            now_ms = self._clock()
            taken = self._outbox.take(now_ms)
            due_ms = self._outbox.next_due_ms(now_ms)
            await self._report(taken.records)
            if taken.records or taken.tries:
                await self._records.write([*taken.records, *(each.delivery for each in taken.tries)])
        await self._tell_of_nobody()
        for delivery in taken.records:
            await self._count(delivery, None)
        for each in taken.tries:
            task = tries.create_task(self._make(each), name=each.delivery.delivery_id)
            self._under_way[task] = each.delivery.alert_id
            task.add_done_callback(self._under_way.pop)
        return due_ms

    async def _make(self, made: Try) -> None:
        outcome = await self._outcome(made)
        delivery = retry.after(made.delivery, outcome, now_ms=self._clock(), chance=self._chance())
        await self._report([delivery])
        await self._records.write([delivery])
        self._outbox.finish(delivery, is_last=outcome.is_last)
        self.wake()
        await self._count(delivery, made.alert)

    async def _outcome(self, made: Try) -> Outcome:
        """What the try came to. A fault of ours in one notice keeps no other from leaving."""
        try:
            return await self._sender.send(made)
        except Exception as error:
            log.error("notice_failed", delivery=made.delivery.delivery_id, exc_info=error)
            return Outcome(state=DeliveryState.UNAVAILABLE, reason=f"failed: {type(error).__name__}")

    async def _report(self, deliveries: Sequence[Delivery]) -> None:
        """Tells the centre of those that reached nobody. Before they are recorded: killed in between, we
        come here again, and a repeat changes nothing."""
        for each in deliveries:
            if each.state in BURIED:
                await self._records.report(
                    NoticeUndelivered(
                        id=each.delivery_id,
                        source=NOTIFIER_SOURCE,
                        site=each.site,
                        occurred_ms=each.at_ms,
                        received_ms=each.at_ms,
                        person=each.person,
                        channel=each.channel,
                        tries=each.attempt,
                    )
                )

    async def _count(self, delivery: Delivery, alert: Alert | None) -> None:
        self._metrics.came_to(delivery, alert)
        fields = {
            "delivery": delivery.delivery_id,
            "alert": delivery.alert_id,
            "notice": str(delivery.notice),
            "person": delivery.person,
            "channel": delivery.channel,
        }
        if delivery.state in BURIED:
            log.error(f"notice_{delivery.state}", **fields, tries=delivery.attempt, reason=delivery.reason)
            what = f"notice {delivery.notice} of alert {delivery.alert_id} to {delivery.person} by "
            what += f"{delivery.channel}, {delivery.attempt} tries: {delivery.reason}"
            await self._bury(delivery.state, what, codec.encode(delivery), site=delivery.site)
        elif delivery.due_ms is not None and delivery.attempt == 1:
            log.warning("notice_delayed", **fields, state=str(delivery.state), reason=delivery.reason)
        elif delivery.due_ms is None and delivery.attempt > 1 and delivery.has_told:
            log.info("notice_through", **fields, tries=delivery.attempt)

    async def _tell_of_nobody(self) -> None:
        """Counts every alert that reaches nobody; says it once for each queue and reason."""
        while self._outbox.nobody:
            alert, why = self._outbox.nobody.pop(0)
            self._metrics.nobody(why)
            key = (alert.site, alert.queue, why)
            if key in self._said:
                continue
            self._said.add(key)
            log.warning("nobody_told", site=alert.site, queue=alert.queue, team=alert.team, reason=str(why))
            what = f"alerts of queue {alert.queue}, team {alert.team}, reach nobody: {why}"
            await self._bury(why, what, codec.encode(alert), site=alert.site)

    async def _bury(self, reason: str, detail: str, content: bytes, *, site: str) -> None:
        await self._records.bury(
            DeadLetter(
                source=NOTIFIER_SOURCE,
                reason=str(reason),
                detail=detail,
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                received_ms=self._clock(),
                site=site,
                topic=ALERTS.name,
            )
        )
        self._metrics.buried(str(reason))

    async def _sleep_until(self, due_ms: int | None) -> None:
        seconds = None if due_ms is None else max(0, due_ms - self._clock()) / 1000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()
