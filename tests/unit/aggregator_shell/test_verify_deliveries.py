"""What `vigie verify` says of deliveries: of what, to whom, how often, in which order, which are missing."""

from collections import defaultdict
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.board import Alert
from schemas.config import Config
from schemas.deliveries import GIVE_UP_MS, ChannelKind, Delivery, DeliveryState
from schemas.recipients import delivery_id
from schemas.topics import partition_of
from schemas.vocabulary import AlertState, Notice
from services.aggregator.verify.deliveries import Evidence, Story, judge
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.outcomes import Recorded
from tests.unit.api.rows import NOW
from tests.unit.notifier import told
from tests.unit.notifier.told import CENTRE, led_by

S = DeliveryState
MINUTE = 60_000


def delivery(alert: Alert, notice: Notice, **changed: Any) -> Delivery:
    """One to Léa's webhook, as it is recorded before it leaves."""
    given: dict[str, Any] = {
        "delivery_id": delivery_id(alert.alert_id, alert.version, channel="webhook", person="lea"),
        "alert_id": alert.alert_id,
        "version": alert.version,
        "notice": notice,
        "site": alert.site,
        "queue": alert.queue,
        "person": "lea",
        "channel": "webhook",
        "kind": ChannelKind.WEBHOOK,
        "state": S.SENDING,
        "since_ms": NOW,
        "at_ms": NOW,
        "attempt": 1,
    }
    return Delivery(**{**given, **changed})


class Log:
    """Alerts and records of deliveries as they were written, a second apart."""

    def __init__(self, config: Config = CENTRE) -> None:
        self.config = config
        self.stories: dict[str, Story] = defaultdict(Story)
        self.records: list[Recorded] = []
        self.at_ms = NOW

    def tell(self, *alerts: Alert) -> None:
        for alert in alerts:
            self.at_ms += 1000
            self.stories[alert.alert_id].add(alert, self.at_ms)

    def write(self, *deliveries: Delivery, partition: int | None = None) -> None:
        for each in deliveries:
            self.at_ms += 1000
            place = partition_of(each.alert_id.encode(), 4) if partition is None else partition
            self.records.append(Recorded(place, len(self.records), self.at_ms, each))

    def sent(self, alert: Alert, notice: Notice, state: DeliveryState = S.DELIVERED, **changed: Any) -> None:
        """Recorded, sent, and what became of it."""
        first = delivery(alert, notice, **changed)
        self.write(first, replace(first, state=state))

    def judged(self, *, after_ms: int = 10 * MINUTE, **known: Any) -> Findings:
        findings = Findings()
        now_ms = self.at_ms + after_ms
        evidence = Evidence(
            stories=self.stories, records=self.records, config=self.config, now_ms=now_ms, **known
        )
        judge(evidence, findings)
        return findings

    def differences(self, **known: Any) -> list[str]:
        return [each.detail for each in self.judged(**known).differences]

    def others_are_told(self) -> None:
        """The notifier is seen at work a while later."""
        self.at_ms += 5 * MINUTE
        story = told.Story("00000000000000b2")
        self.tell(story.fired())
        self.sent(story.now, Notice.FIRED)


def whole_episode(log: Log) -> told.Story:
    story = told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED)
    log.tell(story.acknowledged())
    log.sent(story.now, Notice.ACKNOWLEDGED)
    log.tell(story.resolved())
    log.sent(story.now, Notice.RESOLVED)
    return story


def test_an_episode_told_from_beginning_to_end_is_right() -> None:
    log = Log()
    whole_episode(log)
    log.others_are_told()

    found = log.judged()

    assert found.differences == []
    assert found.compared["deliveries"] == 4
    assert found.compared["notices, each with what became of it"] == 4
    assert not found.omitted


def test_a_delivery_without_an_alert_is_found() -> None:
    log, story = Log(), told.Story()
    log.sent(story.fired(), Notice.FIRED)

    assert log.differences() == ["no such version of an alert is in the log"]


def test_a_delivery_of_a_version_that_is_not_there_is_found() -> None:
    log = Log()
    story = whole_episode(log)
    log.sent(replace(story.now, version=9), Notice.RESOLVED)

    assert log.differences() == ["no such version of an alert is in the log"]


def test_what_was_told_of_alerts_that_were_deleted_is_not_compared() -> None:
    log, story = Log(), told.Story()
    log.sent(story.fired(), Notice.FIRED)

    found = log.judged(alerts_since_ms=NOW + 1)

    assert found.differences == []
    assert found.omitted["deliveries of alerts that are no longer in the log"] == 1


def test_an_id_of_somebody_elses_making_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED)
    log.sent(story.now, Notice.FIRED, delivery_id="n_other")

    wanted = delivery_id(story.now.alert_id, 1, channel="webhook", person="lea")
    assert log.differences() == [f"its id should be {wanted}"]


def test_another_notice_than_the_version_tells_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.RESUMED, state=S.OVERTAKEN)

    assert "told as resumed, and that version tells fired" in log.differences()


def test_a_version_that_tells_nobody_was_told_to_nobody() -> None:
    log = Log()
    story = told.Story(state=AlertState.RESOLVED, late=True)
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED, state=S.OVERTAKEN)

    assert log.differences()[0] == "told as fired, and that version tells nobody"


def test_a_record_of_another_queue_or_in_another_partition_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    first = delivery(story.now, Notice.FIRED, queue="sales")
    place = partition_of(first.alert_id.encode(), 4)
    log.write(first, replace(first, state=S.DELIVERED), partition=(place + 1) % 4)

    assert log.differences() == [
        f"not in partition {place}, where its alert is",
        "about paris/sales, its alert is on paris/support",
    ]


def test_records_of_one_id_about_different_things_are_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    first = delivery(story.now, Notice.FIRED)
    log.write(first, replace(first, state=S.DELIVERED, kind=ChannelKind.EMAIL))

    assert log.differences() == ["its records are about different things"]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([(S.DELIVERED, 1), (S.DELIVERED, 1)], None),
        ([(S.UNAVAILABLE, 1), (S.SENDING, 2), (S.DELIVERED, 2)], None),
        ([(S.SENDING, 2), (S.DELIVERED, 2)], None),
        ([(S.DELIVERED, 1), (S.SENDING, 2), (S.DELIVERED, 2)], "sending (try 2) after delivered (try 1)"),
        ([(S.DELIVERED, 1), (S.REJECTED, 1)], "rejected (try 1) after delivered (try 1)"),
        ([(S.REJECTED, 1), (S.DELIVERED, 1)], "delivered (try 1) after rejected (try 1)"),
        ([(S.DELIVERED, 2)], "delivered (try 2), and no record that it was sent"),
        ([(S.GIVEN_UP, 1)], "given up after 0 s"),
    ],
)
def test_outcomes_that_contradict_each_other_are_found(
    states: list[tuple[DeliveryState, int]], said: str | None
) -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    first = delivery(story.now, Notice.FIRED)
    due = {S.UNAVAILABLE: NOW + 1000}
    tries = [replace(first, state=state, attempt=n, due_ms=due.get(state)) for state, n in states]
    log.write(first, *tries)

    assert log.differences() == ([said] if said else [])


def test_what_is_not_over_long_after_its_hour_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED, state=S.UNAVAILABLE, due_ms=NOW + 1000)

    assert log.differences(after_ms=GIVE_UP_MS) == []
    assert log.judged(after_ms=GIVE_UP_MS).compared["deliveries under way"] == 1
    assert log.differences(after_ms=2 * GIVE_UP_MS) == ["still unavailable 120 min after it was due"]


def test_fired_given_up_or_overtaken_by_the_end_is_right() -> None:
    log, first, second = Log(), told.Story(), told.Story("00000000000000c3")
    log.tell(first.fired())
    log.sent(first.now, Notice.FIRED, state=S.GIVEN_UP, since_ms=NOW - GIVE_UP_MS)
    log.tell(second.fired())
    log.tell(second.resolved())
    ended = second.now
    begun = replace(ended, version=1)
    log.write(delivery(begun, Notice.FIRED, state=S.OVERTAKEN, attempt=0))
    log.write(delivery(ended, Notice.RESOLVED, state=S.OVERTAKEN, attempt=0))
    log.others_are_told()

    assert log.differences() == []


def test_fired_overtaken_while_the_episode_lasts_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.write(delivery(story.now, Notice.FIRED, state=S.OVERTAKEN, attempt=0))

    assert log.differences() == ["overtaken, and the episode is not over"]


def test_an_end_overtaken_where_the_beginning_arrived_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED)
    log.tell(story.resolved())
    log.write(delivery(story.now, Notice.RESOLVED, state=S.OVERTAKEN, attempt=0))

    assert log.differences() == ["overtaken, and nothing newer was to be told"]


def test_an_end_told_to_who_was_never_told_of_the_beginning_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED, state=S.REJECTED)
    log.tell(story.resolved())
    log.sent(story.now, Notice.RESOLVED)

    assert log.differences() == ["sent, and nothing had arrived that tells of its beginning"]


def test_a_beginning_that_may_have_arrived_is_followed_by_its_end() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED, state=S.AMBIGUOUS, doubtful=True)
    log.tell(story.resolved())
    log.sent(story.now, Notice.RESOLVED)

    assert log.differences() == []


def test_an_end_told_before_its_beginning_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    begun = story.now
    log.tell(story.resolved())
    log.sent(story.now, Notice.RESOLVED)
    log.sent(begun, Notice.FIRED)

    assert log.differences() == [
        "sent before version 1 was over",
        "sent, and nothing had arrived that tells of its beginning",
    ]


def test_a_beginning_nobody_recorded_is_found_once_others_were_told() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    silent = log.judged()
    log.others_are_told()

    assert silent.differences == []
    assert [why for why in silent.omitted if "has not come yet" in why]
    assert log.differences() == ["fired never recorded for lea by webhook"]


def test_a_beginning_that_burns_for_an_hour_and_nobody_recorded_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())

    assert log.differences(after_ms=2 * GIVE_UP_MS) == ["fired never recorded for lea by webhook"]


def test_an_end_nobody_recorded_where_the_beginning_arrived_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED)
    log.tell(story.resolved())
    log.others_are_told()

    assert log.differences() == ["resolved never recorded for lea by webhook"]


def test_what_had_been_over_for_an_hour_when_somebody_came_is_history() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired(), story.resolved())
    log.at_ms += GIVE_UP_MS
    log.others_are_told()

    assert log.differences() == []


def test_somebody_else_than_the_settings_name_is_found() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED)
    for person, channel in (("bob", "email"), ("eve", "webhook")):
        ours = delivery_id(story.now.alert_id, 1, channel=channel, person=person)
        kind = ChannelKind(channel)
        log.sent(story.now, Notice.FIRED, delivery_id=ours, person=person, channel=channel, kind=kind)

    assert log.differences() == [
        "by the settings somebody else is told",
        "the settings know no such person and channel",
    ]
    changed = log.judged(settings_ms=NOW + 1)
    assert changed.differences == []
    assert sum(changed.omitted.values()) == 2


def test_a_former_lead_is_told_the_end_and_a_new_one_too() -> None:
    log, story = Log(), told.Story()
    log.tell(story.fired())
    log.sent(story.now, Notice.FIRED)
    log.config = led_by("bob")
    changed_ms = log.at_ms
    bob: dict[str, Any] = {"person": "bob", "channel": "email", "kind": ChannelKind.EMAIL}

    def to_bob(alert: Alert) -> str:
        return delivery_id(alert.alert_id, alert.version, channel="email", person="bob")

    log.sent(story.now, Notice.FIRED, delivery_id=to_bob(story.now), **bob, since_ms=changed_ms + 1)
    log.tell(story.resolved())
    log.sent(story.now, Notice.RESOLVED)
    log.sent(story.now, Notice.RESOLVED, delivery_id=to_bob(story.now), **bob, since_ms=changed_ms + 1)

    found = log.judged(settings_ms=changed_ms)

    assert found.differences == []
    assert found.compared["notices, each with what became of it"] == 3


def test_notices_that_reach_nobody_are_said_to() -> None:
    log, story = Log(led_by("idle")), told.Story()
    log.tell(story.fired())

    found = log.judged(after_ms=2 * GIVE_UP_MS)

    assert found.differences == []
    assert found.omitted["notices that reach nobody by the settings"] == 1
