"""What leaves when, in which order, and what never does: the fold of alerts and deliveries."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.board import Alert
from schemas.config import Config
from schemas.deliveries import GIVE_UP_MS, Delivery, DeliveryState
from schemas.recipients import Nobody
from schemas.vocabulary import AlertState, Notice
from services.notifier.core import retry
from services.notifier.core.outbox import ALL_TOGETHER, KEPT_ALERTS, PER_DESTINATION, Outbox, Try
from services.notifier.core.retry import Outcome
from tests.unit.api.rows import NOW
from tests.unit.notifier.told import CENTRE, Story, led_by

DELIVERED = Outcome(state=DeliveryState.DELIVERED)
AWAY = Outcome(state=DeliveryState.UNAVAILABLE, reason="no connection")
UNSURE = Outcome(state=DeliveryState.AMBIGUOUS, reason="status 500")
NEVER = Outcome(state=DeliveryState.REJECTED, reason="status 400")


class Notifier:
    """An outbox and its ledger. A new one on the same records is what stands after a crash."""

    def __init__(self, config: Config = CENTRE, records: Iterable[Delivery] = ()) -> None:
        self.outbox = Outbox(config)
        self.records = list(records)
        self.now_ms = NOW
        for record in self.records:
            self.outbox.restore(record)
        self._alerts = 0

    def hear(self, *alerts: Alert, partition: int = 0) -> None:
        for alert in alerts:
            self.outbox.apply(alert, partition=partition, offset=self._alerts, now_ms=self.now_ms)
            self._alerts += 1

    def begin(self) -> list[Try]:
        """The tries that are due, recorded as being sent."""
        taken = self.outbox.take(self.now_ms)
        self.records += [*taken.records, *(each.delivery for each in taken.tries)]
        return taken.tries

    def end(self, made: Try, outcome: Outcome = DELIVERED) -> Delivery:
        delivery = retry.after(made.delivery, outcome, now_ms=self.now_ms, chance=0.5)
        self.records.append(delivery)
        self.outbox.finish(delivery, is_last=outcome.is_last)
        return delivery

    def send(self, outcome: Outcome = DELIVERED) -> list[Notice]:
        """Makes every try that is due, until none is; gives what was sent."""
        sent: list[Notice] = []
        while tries := self.begin():
            sent += [each.delivery.notice for each in tries]
            for each in tries:
                self.end(each, outcome)
        return sent

    def ledger(self) -> list[tuple[Notice, DeliveryState]]:
        """How each delivery stands, by version and person."""
        newest = {record.delivery_id: record for record in self.records}
        rows = sorted(newest.values(), key=lambda each: (each.version, each.person))
        return [(each.notice, each.state) for each in rows]


def test_an_episode_is_told_from_beginning_to_end_once() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    assert it.send() == [Notice.FIRED]
    it.hear(story.acknowledged())
    assert it.send() == [Notice.ACKNOWLEDGED]
    it.hear(story.suppressed())
    assert it.send() == [Notice.SUPPRESSED]
    it.hear(story.back(AlertState.ACKNOWLEDGED))
    assert it.send() == [Notice.RESUMED]
    it.hear(story.resolved())
    assert it.send() == [Notice.RESOLVED]
    assert it.outbox.low_mark(0) is None
    assert it.outbox.waiting() == []


def test_repeats_and_answers_to_refused_commands_are_told_to_nobody() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired(), story.fired())
    it.send()
    it.hear(replace(story.now, command="c-1", accepted=False), story.fired())
    assert it.send() == []
    taken = replace(story.acknowledged(), command="c-2", accepted=True)
    it.hear(taken, taken)
    assert it.send() == [Notice.ACKNOWLEDGED]
    ended = story.resolved()
    it.hear(ended, ended)
    assert it.send() == [Notice.RESOLVED]
    it.hear(replace(ended, command="c-3", accepted=False))
    assert it.send() == []


def test_what_is_published_again_after_its_end_is_not_told_again() -> None:
    story, it = Story(), Notifier()
    told = [story.fired(), story.resolved()]
    for alert in told:
        it.hear(alert)
        it.send()
    for again in (it, Notifier(records=it.records)):  # the second knows of it from the ledger alone
        for alert in told:
            again.hear(alert)
            assert again.send() == []
        assert again.outbox.low_mark(0) is None


def test_what_was_taken_back_and_is_due_after_all_is_told_anew() -> None:
    story, it = Story(), Notifier()
    for alert, notice in (
        (story.fired(), Notice.FIRED),
        (story.resolved("corrected"), Notice.RESOLVED),
        (story.moved(AlertState.FIRING, resolved_ms=None, reason=None), Notice.FIRED),
        (story.resolved(), Notice.RESOLVED),
    ):
        it.hear(alert)
        assert it.send() == [notice]


def test_what_was_over_before_it_could_fire_is_told_to_nobody() -> None:
    it = Notifier()
    it.hear(Story(state=AlertState.RESOLVED, late=True, resolved_ms=NOW).fired())

    assert it.send() == []
    assert it.records == []
    assert it.outbox.low_mark(0) is None


def test_the_next_waits_for_the_outcome_of_the_one_before() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    [fired] = it.begin()
    it.hear(story.acknowledged())
    assert it.begin() == []
    assert it.ledger() == [
        (Notice.FIRED, DeliveryState.SENDING),
        (Notice.ACKNOWLEDGED, DeliveryState.PENDING),
    ]
    it.end(fired)
    [acknowledged] = it.begin()
    assert acknowledged.opening_id == fired.delivery.delivery_id
    assert fired.opening_id is None


def test_an_episode_over_before_fired_left_is_told_to_nobody_and_the_ledger_says_so() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired(), story.resolved())

    assert it.send() == []
    assert it.ledger() == [
        (Notice.FIRED, DeliveryState.OVERTAKEN),
        (Notice.RESOLVED, DeliveryState.OVERTAKEN),
    ]
    assert it.outbox.low_mark(0) is None


def test_an_episode_over_while_the_receiver_was_away_is_told_to_nobody() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    [fired] = it.begin()
    it.end(fired, AWAY)
    it.hear(story.resolved())
    it.now_ms += 60_000

    assert it.send() == []
    assert {state for _, state in it.ledger()} == {DeliveryState.OVERTAKEN}


def test_where_fired_may_have_arrived_resolved_must_follow() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    [fired] = it.begin()
    it.end(fired, UNSURE)
    it.hear(story.resolved())

    assert it.send() == [Notice.RESOLVED]
    assert it.ledger() == [
        (Notice.FIRED, DeliveryState.AMBIGUOUS),
        (Notice.RESOLVED, DeliveryState.DELIVERED),
    ]


def test_resolved_goes_to_nobody_whom_fired_did_not_reach() -> None:
    story, it = Story(), Notifier(led_by("lea", "bob"))
    it.hear(story.fired())
    for made in it.begin():
        it.end(made, DELIVERED if made.destination.person == "bob" else NEVER)
    it.hear(story.resolved())

    [resolved] = it.begin()
    assert resolved.destination.person == "bob"


def test_a_newer_notice_overtakes_one_that_could_not_leave_but_never_fired() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    [fired] = it.begin()
    it.hear(story.acknowledged(), story.snoozed(), story.suppressed())
    it.end(fired, AWAY)
    it.now_ms += 60_000

    assert it.send() == [Notice.FIRED, Notice.SUPPRESSED]
    assert it.ledger() == [
        (Notice.FIRED, DeliveryState.DELIVERED),
        (Notice.ACKNOWLEDGED, DeliveryState.OVERTAKEN),
        (Notice.SNOOZED, DeliveryState.OVERTAKEN),
        (Notice.SUPPRESSED, DeliveryState.DELIVERED),
    ]


def test_every_try_says_what_was_so_at_its_version() -> None:
    story, it = Story(), Notifier()
    first = story.fired()
    it.hear(first)
    [made] = it.begin()
    it.end(made, AWAY)
    it.hear(story.acknowledged())
    it.now_ms += 60_000
    [again] = it.begin()

    assert (again.alert, again.delivery.delivery_id) == (first, made.delivery.delivery_id)
    assert again.delivery.attempt == 2


def test_it_is_known_when_the_next_try_is_due() -> None:
    it = Notifier()
    it.hear(Story().fired())
    [made] = it.begin()
    assert it.outbox.next_due_ms(it.now_ms) is None
    it.end(made, AWAY)
    due_ms = it.now_ms + 500
    assert it.begin() == []
    assert it.outbox.next_due_ms(it.now_ms) == due_ms
    it.now_ms = due_ms - 1
    assert it.begin() == []
    it.now_ms = due_ms
    assert len(it.begin()) == 1


def test_a_receiver_that_asks_to_wait_is_left_alone_by_every_alert() -> None:
    it = Notifier(led_by("lea", "bob"))
    it.hear(Story("a").fired())
    for made in it.begin():
        outcome = Outcome(state=DeliveryState.THROTTLED, after_ms=30_000)
        it.end(made, outcome if made.destination.person == "lea" else DELIVERED)
    it.hear(Story("b").fired())

    assert [made.destination.person for made in it.begin()] == ["bob"]
    assert it.outbox.next_due_ms(it.now_ms) == it.now_ms + 30_000
    it.now_ms += 30_000
    assert sorted(made.delivery.alert_id for made in it.begin()) == ["a", "b"]


def test_a_destination_that_wants_nothing_more_gets_nothing_until_the_next_start() -> None:
    refusing = Outcome(state=DeliveryState.REJECTED, reason="status 410", is_last=True)
    it = Notifier()
    it.hear(Story("a").fired())
    assert it.send(refusing) == [Notice.FIRED]
    it.hear(Story("b").fired())

    assert it.send() == []
    assert it.outbox.refusing == 1
    assert [state for _, state in it.ledger()] == [DeliveryState.REJECTED] * 2
    again = Notifier()
    again.hear(Story("c").fired())
    assert again.send() == [Notice.FIRED]


def test_no_more_than_so_many_are_under_way_at_once() -> None:
    leads = [f"lead{n}" for n in range(ALL_TOGETHER // PER_DESTINATION + 4)]
    people = [replace(CENTRE.people[0], id=lead) for lead in leads]
    it = Notifier(replace(led_by(*leads), people=people))
    it.hear(*(Story(f"alert{n}").fired() for n in range(PER_DESTINATION + 3)))

    tries = it.begin()
    assert len(tries) == ALL_TOGETHER
    counts = [[made.destination.person for made in tries].count(lead) for lead in leads]
    assert max(counts) == PER_DESTINATION
    rest = 0
    while tries:
        for made in tries:
            it.end(made)
        tries = it.begin()
        rest += len(tries)
    assert rest + ALL_TOGETHER == len(leads) * (PER_DESTINATION + 3)


def test_an_alert_that_reaches_nobody_is_named() -> None:
    it = Notifier()
    it.hear(Story(team=None).fired())

    assert it.send() == []
    assert [why for _, why in it.outbox.nobody] == [Nobody.NO_TEAM]


def test_after_a_crash_nothing_is_sent_again_that_was_recorded() -> None:
    story, it = Story(), Notifier()
    told = [story.fired(), story.acknowledged()]
    for alert in told:
        it.hear(alert)
        it.send()
    again = Notifier(records=it.records)
    again.hear(*told)
    assert again.send() == []
    again.hear(story.resolved())
    [resolved] = again.begin()
    assert resolved.delivery.notice is Notice.RESOLVED
    assert resolved.opening_id == it.records[0].delivery_id


def test_after_a_crash_while_sending_it_is_sent_again_under_the_same_id() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    [made] = it.begin()
    again = Notifier(records=it.records)
    again.hear(story.fired())
    [repeat] = again.begin()

    assert repeat.delivery.delivery_id == made.delivery.delivery_id
    assert (repeat.delivery.attempt, repeat.delivery.doubtful) == (2, True)


def test_after_a_crash_while_sending_resolved_follows_without_a_second_fired() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    it.begin()
    again = Notifier(records=it.records)
    again.hear(story.fired(), story.resolved())

    assert again.send() == [Notice.RESOLVED]


def test_after_a_crash_a_wait_that_was_asked_for_is_kept() -> None:
    it = Notifier()
    it.hear(Story("a").fired())
    [made] = it.begin()
    it.end(made, Outcome(state=DeliveryState.THROTTLED, after_ms=30_000))
    again = Notifier(records=it.records)
    again.hear(Story("a").fired(), Story("b").fired())

    assert again.begin() == []
    again.now_ms += 30_000
    assert len(again.begin()) == 2


def test_reading_begins_again_at_the_oldest_episode_that_is_not_over() -> None:
    first, second = Story("a"), Story("b")
    it = Notifier()
    it.hear(first.fired(), second.fired())
    it.send()
    assert it.outbox.low_mark(0) == 0
    assert it.outbox.low_mark(1) is None
    it.hear(first.resolved())
    assert it.outbox.low_mark(0) == 0
    it.send()
    assert it.outbox.low_mark(0) == 1


def test_a_lead_who_was_told_is_told_the_end_by_whoever_leads_then() -> None:
    story, it = Story(), Notifier(led_by("lea"))
    it.hear(story.fired())
    it.send()
    again = Notifier(led_by("bob"), records=it.records)
    again.hear(story.fired())
    assert [(made.destination.person, again.end(made).notice) for made in again.begin()] == [
        ("bob", Notice.FIRED)
    ]
    again.hear(story.resolved())
    assert sorted(made.destination.person for made in again.begin()) == ["bob", "lea"]


def test_a_log_that_lost_the_beginning_still_tells_the_end_to_who_was_told() -> None:
    story, it = Story(), Notifier()
    it.hear(story.fired())
    it.send()
    again = Notifier(records=it.records)
    again.hear(story.acknowledged())

    assert again.send() == [Notice.ACKNOWLEDGED]


def test_history_is_not_told_nor_written_down() -> None:
    story, it = Story(), Notifier()
    it.now_ms = NOW + GIVE_UP_MS + 60_000
    it.hear(story.fired(), story.acknowledged(), story.resolved())

    assert it.send() == []
    assert it.records == []
    assert it.outbox.low_mark(0) is None


def test_what_still_burns_is_told_however_old() -> None:
    it = Notifier()
    it.now_ms = NOW + 10 * GIVE_UP_MS
    it.hear(Story().fired())

    assert it.send() == [Notice.FIRED]


def test_partitions_that_are_taken_away_take_their_episodes_along() -> None:
    it = Notifier()
    it.hear(Story("a").fired(), partition=0)
    it.hear(Story("b").fired(), partition=1)
    [here, gone] = sorted(it.begin(), key=lambda made: made.delivery.alert_id)

    assert it.outbox.release([1]) == {"b"}
    assert it.end(gone).state is DeliveryState.DELIVERED  # it was under way: its outcome is recorded
    it.end(here)
    assert it.begin() == []
    assert it.outbox.low_mark(1) is None
    it.hear(Story("b").fired(), Story("c").fired(), partition=1)  # given back
    assert [made.delivery.alert_id for made in it.begin()] == ["c"]


def test_only_alerts_that_are_over_are_ever_forgotten() -> None:
    old, it = Story("old"), Notifier()
    it.hear(old.fired())
    it.send()
    for number in range(KEPT_ALERTS + 10):
        story = Story(f"alert{number}")
        it.hear(story.fired())
        it.send()
        it.hear(story.resolved())
        it.send()
    for again in (it, Notifier(records=it.records)):
        again.hear(old.fired())
        assert again.send() == []


_STEPS = st.lists(
    st.sampled_from(["fired", "acknowledged", "suppressed", "resolved", "send", "away", "unsure", "crash"]),
    max_size=30,
)


@given(_STEPS)
def test_whatever_happens_the_order_holds_and_no_answered_notice_is_repeated(steps: list[str]) -> None:
    """Fired first, resolved last and only after fired; an id that was delivered never leaves again."""
    story, it = Story(), Notifier()
    heard: list[Alert] = []
    sent: list[Notice] = []
    answered: set[str] = set()
    tried: set[str] = set()

    def leave(outcome: Outcome) -> None:
        while tries := it.begin():
            for made in tries:
                assert made.delivery.delivery_id not in answered
                sent.append(made.delivery.notice)
                tried.add(made.delivery.delivery_id)
                if it.end(made, outcome).state is DeliveryState.DELIVERED:
                    answered.add(made.delivery.delivery_id)

    for step in steps:
        it.now_ms += 1000
        if step == "crash":
            mark = it.outbox.low_mark(0)
            it = Notifier(records=it.records)
            it.hear(*(heard if mark is not None else []))
        elif step in ("send", "away", "unsure"):
            leave({"send": DELIVERED, "away": AWAY, "unsure": UNSURE}[step])
        elif not heard and step == "fired":
            heard.append(story.fired())
            it.hear(heard[-1])
        elif (
            heard
            and story.now.state is not AlertState.RESOLVED
            and step
            in (
                "acknowledged",
                "suppressed",
                "resolved",
            )
        ):
            heard.append(getattr(story, step)())
            it.hear(heard[-1])
    it.now_ms += 120_000
    leave(DELIVERED)

    assert it.outbox.waiting() == []
    if sent:
        assert sent[0] is Notice.FIRED
    assert Notice.RESOLVED not in sent[:-1] or set(sent[sent.index(Notice.RESOLVED) :]) == {Notice.RESOLVED}
    if story.now.state is AlertState.RESOLVED and heard and answered:
        assert Notice.RESOLVED in sent
    if heard and story.now.state is not AlertState.RESOLVED:
        assert Notice.FIRED in sent


def test_an_alert_that_is_over_and_read_from_its_middle_on_is_told_to_nobody_again() -> None:
    story, it = Story(), Notifier()
    begun = story.fired()
    counted = story.moved(AlertState.FIRING, episodes_10m=2)
    ended = story.resolved()
    it.hear(begun)
    it.send()
    it.hear(counted, ended)
    it.send()

    again = Notifier(records=it.records)
    again.hear(counted, ended)

    assert again.send() == []
    assert again.records == it.records
