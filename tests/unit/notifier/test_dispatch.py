"""The shell around the outbox: what is recorded before and after a try, and what is buried."""

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from schemas.board import DeadLetter
from schemas.config import Config
from schemas.deliveries import GIVE_UP_MS, Delivery, DeliveryState
from schemas.events import NoticeUndelivered
from schemas.vocabulary import Notice
from services.notifier.core.outbox import Outbox, Try
from services.notifier.core.retry import Outcome
from services.notifier.dispatch import Dispatch
from services.notifier.metrics import Metrics, OutboxCollector
from tests.unit.api.rows import NOW
from tests.unit.notifier.told import CENTRE, Story


class MemoryLedger:
    """What `ledger.Ledger` writes, in memory."""

    def __init__(self) -> None:
        self.written: list[Delivery] = []
        self.letters: list[DeadLetter] = []
        self.reports: list[NoticeUndelivered] = []

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        self.written += deliveries

    async def report(self, event: NoticeUndelivered) -> None:
        self.reports.append(event)

    async def bury(self, letter: DeadLetter) -> None:
        self.letters.append(letter)


class Bench:
    """A dispatch whose sender answers as scripted, and sees what the ledger held when it was asked."""

    def __init__(self, *script: Outcome, config: Config = CENTRE) -> None:
        self.now_ms = NOW + 2000
        self.script = list(script)
        self.sent: list[Try] = []
        self.held: list[list[DeliveryState]] = []
        self.ledger = MemoryLedger()
        self.outbox = Outbox(config)
        self.metrics = Metrics(CollectorRegistry())
        self.metrics.registry.register(OutboxCollector(lambda: self.outbox, lambda: self.now_ms))
        self.dispatch = Dispatch(
            self.outbox,
            records=self.ledger,
            sender=self,
            metrics=self.metrics,
            clock=lambda: self.now_ms,
            chance=lambda: 0.0,
        )

    async def send(self, made: Try) -> Outcome:
        self.sent.append(made)
        self.held.append([each.state for each in self.ledger.written])
        return self.script.pop(0) if self.script else Outcome(state=DeliveryState.DELIVERED)

    def hear(self, story: Story) -> None:
        self.outbox.apply(story.now, partition=0, offset=0, now_ms=self.now_ms)

    async def run(self) -> None:
        """Until nothing more is written for a while."""
        stop = asyncio.Event()
        running = asyncio.create_task(self.dispatch.run(stop))
        count = -1
        while count != (count := len(self.ledger.written) + len(self.ledger.letters)):
            for _ in range(20):
                await asyncio.sleep(0)
        stop.set()
        await running

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


async def test_a_try_is_recorded_before_it_leaves_and_after_it_ended() -> None:
    bench = Bench()
    bench.hear(Story())
    await bench.run()

    assert bench.held == [[DeliveryState.SENDING]]
    assert [each.state for each in bench.ledger.written] == [DeliveryState.SENDING, DeliveryState.DELIVERED]
    assert bench.value("vigie_notices_total", channel="webhook", outcome="delivered") == 1
    assert bench.value("vigie_notice_delay_seconds_sum", channel="webhook") == 2.0
    assert bench.value("vigie_notices_waiting") == 0


async def test_what_is_given_up_is_buried_and_counted() -> None:
    bench = Bench(Outcome(state=DeliveryState.UNAVAILABLE, reason="no connection"))
    bench.hear(Story())
    bench.now_ms += GIVE_UP_MS
    await bench.run()

    assert bench.ledger.written[-1].state is DeliveryState.GIVEN_UP
    [letter] = bench.ledger.letters
    assert (letter.source, letter.reason, letter.site) == ("vigie/notifier", "given_up", "paris")
    assert letter.detail == "notice fired of alert 00000000000000a1 to lea by webhook, 1 tries: no connection"
    assert bench.value("vigie_dead_letters_total", reason="given_up") == 1
    [event] = bench.ledger.reports
    assert event.id == bench.ledger.written[-1].delivery_id
    assert (event.source, event.site, event.person, event.channel) == (
        "vigie/notifier",
        "paris",
        "lea",
        "webhook",
    )
    assert bench.value("vigie_notices_total", channel="webhook", outcome="given_up") == 1


async def test_a_fault_of_ours_in_one_notice_keeps_no_other_from_leaving() -> None:
    bench = Bench()
    sane = bench.send

    async def send(made: Try) -> Outcome:
        if made.delivery.alert_id == "odd":
            raise ValueError("cannot be worded")
        return await sane(made)

    bench.send = send  # type: ignore[method-assign] # the sender is the bench
    bench.hear(Story("odd"))
    bench.hear(Story("sane"))
    bench.now_ms += GIVE_UP_MS
    await bench.run()

    ends = {each.alert_id: (each.state, each.reason) for each in bench.ledger.written}
    assert ends == {
        "odd": (DeliveryState.GIVEN_UP, "failed: ValueError"),
        "sane": (DeliveryState.DELIVERED, None),
    }


async def test_what_waits_is_shown_with_its_age() -> None:
    bench = Bench(Outcome(state=DeliveryState.THROTTLED, after_ms=60_000))
    bench.hear(Story())
    await bench.run()
    bench.now_ms += 5000

    assert bench.value("vigie_notices_waiting") == 1
    assert bench.value("vigie_notices_oldest_seconds") == 5.0
    assert bench.ledger.letters == []


async def test_nobody_to_tell_is_counted_each_time_and_said_once() -> None:
    bench = Bench()
    for number in range(3):
        bench.hear(Story(f"alert{number}", team=None))
    bench.hear(Story("other", queue="billing", team="n9"))
    await bench.run()

    assert bench.sent == []
    assert bench.value("vigie_alerts_without_recipient_total", reason="no_team") == 4
    assert [(letter.reason, letter.detail) for letter in bench.ledger.letters] == [
        ("no_team", "alerts of queue support, team None, reach nobody: no_team"),
        ("no_team", "alerts of queue billing, team n9, reach nobody: no_team"),
    ]


async def test_the_next_of_an_episode_leaves_as_soon_as_the_one_before_was_taken() -> None:
    bench = Bench()
    story = Story()
    bench.hear(story)
    story.acknowledged()
    bench.hear(story)
    await bench.run()

    assert [made.delivery.notice for made in bench.sent] == [Notice.FIRED, Notice.ACKNOWLEDGED]
