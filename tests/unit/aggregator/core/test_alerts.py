"""Alerts of a long wait as a script of times: told once, at the crossing, and through every state."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from msgspec import structs

from schemas.board import Alert
from schemas.config import DEFAULT_RULE, Config, FlapConfig, QueueConfig, SiteConfig
from schemas.events import (
    API_SOURCE,
    AgentAccepted,
    AlertAcknowledge,
    AlertResolve,
    AlertSnooze,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceHeartbeat,
)
from schemas.vocabulary import AlertState, Channel, Notice, Outcome
from tests.unit.aggregator.core.watching import QUEUE, RULE, SITE, START_MS, Watching

LIMIT, CLEAR = 120_000, 90_000
MINUTE, HOUR = 60_000, 3_600_000


def brief(alerts: Iterable[Alert]) -> list[tuple[str, int]]:
    return [(alert.state.value, alert.version) for alert in alerts]


def id_of(crossed_ms: int, queue: str = QUEUE) -> str:
    return hashlib.sha256(f"{SITE}|{queue}|{RULE}|{START_MS + crossed_ms}".encode()).hexdigest()[:16]


def waiting(config: Config | None = None, *, channel: Channel | None = None) -> Watching:
    """A contact that entered at 0."""
    watching = Watching(config)
    watching.tell(QueueEntered, 0, contact="a", queue=QUEUE, channel=channel)
    return watching


def fired(config: Config | None = None) -> Watching:
    """The same, its alert just out."""
    watching = waiting(config)
    assert brief(watching.at(LIMIT)) == [("firing", 1)]
    return watching


def leave(watching: Watching, at_ms: int, contact: str = "a", *, now_ms: int | None = None) -> None:
    watching.tell(QueueLeft, at_ms, now_ms=now_ms, contact=contact, queue=QUEUE, outcome=Outcome.ABANDONED)


def acknowledge(watching: Watching, at_ms: int, alert_id: str, command: str = "c1") -> None:
    watching.tell(
        AlertAcknowledge, at_ms, source=API_SOURCE, alert_id=alert_id, command=command, by="zoe", note="here"
    )


class TestFiring:
    def test_at_the_crossing_and_not_a_millisecond_before(self) -> None:
        watching = waiting()
        assert watching.at(0) == []
        assert watching.due_ms(0) == LIMIT
        assert watching.at(LIMIT - 1) == []
        assert watching.due_ms(LIMIT - 1) == LIMIT
        assert brief(watching.at(LIMIT)) == [("firing", 1)]
        assert watching.due_ms(LIMIT) is None
        assert watching.at(LIMIT + 1) == []

    def test_what_it_says(self) -> None:
        [alert] = fired().sent
        assert alert.alert_id == id_of(LIMIT)
        assert (alert.site, alert.queue, alert.rule, alert.metric) == (SITE, QUEUE, RULE, "longest_wait_s")
        assert (alert.value, alert.threshold, alert.clear, alert.waiting) == (120.0, 120.0, 90.0, 1)
        assert (alert.crossed_ms, alert.fired_ms) == (START_MS + LIMIT, START_MS + LIMIT)
        assert (alert.late, alert.resolved_ms, alert.acknowledged_by) == (False, None, None)

    def test_once_however_many_cross(self) -> None:
        watching = fired()
        watching.tell(QueueEntered, 1000, now_ms=LIMIT, contact="b", queue=QUEUE)
        assert watching.at(LIMIT + 1000) == []
        assert watching.at(LIMIT + 5000) == []

    def test_left_exactly_at_the_limit_never_was_one(self) -> None:
        watching = waiting()
        leave(watching, LIMIT)
        assert watching.at(LIMIT) == []
        assert watching.at(LIMIT + MINUTE) == []

    def test_a_deferred_channel_has_the_limit_of_its_channel(self) -> None:
        watching = waiting(channel=Channel.EMAIL)
        two_days = 48 * HOUR
        assert watching.at(LIMIT) == []
        assert watching.at(two_days - 1) == []
        assert watching.due_ms(two_days - 1) == two_days
        [alert] = watching.at(two_days)
        assert (alert.threshold, alert.clear, alert.alert_id) == (172_800, 129_600, id_of(two_days))

    def test_the_next_one_is_due_though_the_oldest_crossed_without_an_alert(self) -> None:
        """After a correction the oldest may be beyond its limit, known, and without an open alert."""
        config = Config(
            sites=[SiteConfig(id=SITE)],
            queues=[QueueConfig(id=QUEUE, site=SITE, hours="Su 10:00-10:03,10:04-20:00")],
        )
        watching = fired(config)
        assert brief(watching.at(3 * MINUTE)) == [("withdrawn", 2)]
        watching.tell(QueueEntered, 150_500, now_ms=3 * MINUTE, contact="b", queue=QUEUE)
        assert watching.at(4 * MINUTE) == []
        assert watching.due_ms(4 * MINUTE) == 150_500 + LIMIT
        [alert] = watching.at(150_500 + LIMIT)
        assert (alert.alert_id, alert.version) == (id_of(150_500 + LIMIT), 1)


class TestClearing:
    def test_stays_between_the_clear_value_and_the_limit(self) -> None:
        watching = fired()
        watching.tell(QueueEntered, 40_000, now_ms=LIMIT, contact="b", queue=QUEUE)
        leave(watching, 130_000)
        assert watching.at(130_000) == []  # b has waited exactly 90 s
        leave(watching, 140_000, "b")
        [ended] = watching.at(140_000)
        assert (ended.state, ended.version) == (AlertState.RESOLVED, 2)
        assert (ended.resolved_ms, ended.value, ended.waiting) == (START_MS + 140_000, 0.0, 0)

    def test_is_over_below_the_clear_value_though_somebody_waits(self) -> None:
        watching = fired()
        watching.tell(QueueEntered, 40_001, now_ms=LIMIT, contact="b", queue=QUEUE)
        leave(watching, 130_000)
        [ended] = watching.at(130_000)
        assert (ended.state, ended.resolved_ms) == (AlertState.RESOLVED, START_MS + 130_000)
        assert (ended.value, ended.waiting, ended.reason) == (90.0, 1, None)
        [again] = watching.at(40_001 + LIMIT)
        assert (again.alert_id, again.version, again.episodes_10m) == (id_of(40_001 + LIMIT), 1, 2)

    def test_the_clear_value_itself_clears_where_the_rule_says_so(self) -> None:
        watching = fired(Config(rules=[structs.replace(DEFAULT_RULE, clear="<= 90")]))
        watching.tell(QueueEntered, 40_000, now_ms=LIMIT, contact="b", queue=QUEUE)
        leave(watching, 130_000)
        [ended] = watching.at(130_000)
        assert (ended.state, ended.clear) == (AlertState.RESOLVED, 90.0)

    def test_answered_ends_it_too(self) -> None:
        watching = fired()
        watching.tell(AgentAccepted, 125_000, contact="a", queue=QUEUE, agent="lea")
        assert brief(watching.at(125_000)) == [("resolved", 2)]

    def test_a_queue_that_becomes_long_again_has_another_episode(self) -> None:
        watching = fired()
        leave(watching, 125_000)
        watching.at(125_000)
        watching.tell(QueueEntered, 200_000, contact="b", queue=QUEUE)
        [again] = watching.at(200_000 + LIMIT)
        assert (again.alert_id, again.version) == (id_of(200_000 + LIMIT), 1)
        watching.assert_one_wording()


class TestCommands:
    def test_acknowledged(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, id_of(LIMIT))
        [alert] = watching.at(121_100)
        assert (alert.state, alert.version) == (AlertState.ACKNOWLEDGED, 2)
        assert (alert.acknowledged_by, alert.acknowledged_ms) == ("zoe", START_MS + 121_000)
        assert (alert.note, alert.command, alert.accepted) == ("here", "c1", True)
        leave(watching, 130_000)
        [ended] = watching.at(130_000)
        assert (ended.state, ended.version, ended.acknowledged_by) == (AlertState.RESOLVED, 3, "zoe")
        assert (ended.command, ended.accepted) == (None, None)

    def test_refused_when_taken_already_and_nothing_changes(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, id_of(LIMIT))
        watching.tell(
            AlertAcknowledge, 122_000, source=API_SOURCE, alert_id=id_of(LIMIT), command="c2", by="karim"
        )
        first, second = watching.at(122_000)
        assert (second.state, second.version, second.acknowledged_by) == (AlertState.ACKNOWLEDGED, 2, "zoe")
        assert (second.command, second.accepted) == ("c2", False)
        assert first.accepted

    def test_refused_when_over(self) -> None:
        watching = fired()
        leave(watching, 125_000)
        watching.at(125_000)
        acknowledge(watching, 126_000, id_of(LIMIT))
        [answer] = watching.at(126_000)
        assert (answer.state, answer.version, answer.accepted) == (AlertState.RESOLVED, 2, False)

    def test_a_repeated_command_changes_and_answers_nothing(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, id_of(LIMIT))
        acknowledge(watching, 121_000, id_of(LIMIT))
        assert brief(watching.at(121_100)) == [("acknowledged", 2)]
        watching.restart(121_200)
        acknowledge(watching, 121_000, id_of(LIMIT))
        assert watching.at(121_300) == []

    def test_for_an_alert_that_nobody_knows_has_no_answer(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, "0" * 16)
        assert watching.at(121_100) == []


def snooze(watching: Watching, at_ms: int, until_ms: int, command: str = "s1", by: str = "karim") -> None:
    watching.tell(
        AlertSnooze,
        at_ms,
        source=API_SOURCE,
        alert_id=id_of(LIMIT),
        command=command,
        by=by,
        until_ms=START_MS + until_ms,
    )


def resolve(watching: Watching, at_ms: int, command: str = "r1") -> None:
    watching.tell(
        AlertResolve, at_ms, source=API_SOURCE, alert_id=id_of(LIMIT), command=command, by="zoe", note="done"
    )


class TestSnooze:
    def test_until_its_end_which_is_a_deadline(self) -> None:
        watching = fired()
        snooze(watching, 121_000, 300_500)
        [alert] = watching.at(121_000)
        assert (alert.state, alert.version, alert.notice) == (AlertState.SNOOZED, 2, Notice.SNOOZED)
        assert (alert.snoozed_by, alert.snoozed_until_ms) == ("karim", START_MS + 300_500)
        assert (alert.command, alert.accepted) == ("s1", True)
        assert watching.due_ms(122_000) == 300_500
        assert watching.at(300_499) == []
        [back] = watching.at(300_500)
        assert (back.state, back.version, back.notice) == (AlertState.FIRING, 3, Notice.RESUMED)
        assert (back.snoozed_by, back.snoozed_until_ms, back.value) == (None, None, 300.5)
        assert watching.due_ms(300_500) is None

    def test_it_survives_a_restart(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, id_of(LIMIT))
        snooze(watching, 122_000, 300_000)
        watching.at(122_000)
        watching.restart(200_000)
        assert watching.at(200_000) == []
        assert watching.due_ms(200_000) == 300_000
        watching.restart(400_000)
        [back] = watching.at(400_000)
        assert (back.state, back.acknowledged_by) == (AlertState.ACKNOWLEDGED, "zoe")

    def test_snoozed_again_it_lasts_until_the_new_end(self) -> None:
        watching = fired()
        snooze(watching, 121_000, 200_000)
        snooze(watching, 122_000, 400_000, "s2", "lea")
        assert brief(watching.at(122_000)) == [("snoozed", 2), ("snoozed", 3)]
        assert watching.at(200_000) == []
        assert brief(watching.at(400_000)) == [("firing", 4)]

    def test_acknowledged_it_is_not_snoozed_any_more(self) -> None:
        watching = fired()
        snooze(watching, 121_000, 200_000)
        acknowledge(watching, 122_000, id_of(LIMIT))
        _, taken = watching.at(122_000)
        assert (taken.state, taken.snoozed_until_ms, taken.snoozed_by) == (
            AlertState.ACKNOWLEDGED,
            None,
            None,
        )
        assert watching.at(200_000) == []

    def test_over_before_its_end_it_does_not_come_back(self) -> None:
        watching = fired()
        snooze(watching, 121_000, 200_000)
        watching.at(121_000)
        leave(watching, 150_000)
        [ended] = watching.at(210_000)
        assert (ended.state, ended.resolved_ms) == (AlertState.RESOLVED, START_MS + 150_000)
        assert watching.due_ms(210_000) is None

    def test_ended_while_its_source_is_silent_it_comes_back_firing_when_heard(self) -> None:
        watching = fired()
        snooze(watching, 121_000, 200_000)
        watching.at(121_000)
        assert brief(watching.at(160_000, is_heard=False)) == [("suppressed", 3)]
        assert watching.at(200_000, is_heard=False) == []
        watching.restart(201_000)
        assert watching.at(202_000, is_heard=False) == []
        [back] = watching.at(210_000)
        assert (back.state, back.version, back.snoozed_until_ms) == (AlertState.FIRING, 4, None)

    def test_still_running_when_its_source_is_heard_again_it_goes_on(self) -> None:
        watching = fired()
        snooze(watching, 121_000, 200_000)
        watching.at(121_000)
        watching.at(160_000, is_heard=False)
        assert brief(watching.at(170_000)) == [("snoozed", 4)]
        assert watching.due_ms(170_000) == 200_000
        assert brief(watching.at(200_000)) == [("firing", 5)]

    def test_refused_while_suppressed(self) -> None:
        watching = fired()
        watching.at(140_000, is_heard=False)
        snooze(watching, 141_000, 300_000)
        [answer] = watching.at(141_000, is_heard=False)
        assert (answer.state, answer.accepted) == (AlertState.SUPPRESSED, False)


class TestResolvedByHand:
    def test_at_once_and_who_did_it(self) -> None:
        watching = fired()
        resolve(watching, 125_000)
        [ended] = watching.at(125_000)
        assert (ended.state, ended.version, ended.notice) == (AlertState.RESOLVED, 2, Notice.RESOLVED)
        assert (ended.reason, ended.resolved_by, ended.note) == ("by_hand", "zoe", "done")
        assert (ended.resolved_ms, ended.accepted) == (START_MS + 125_000, True)

    def test_its_episode_stays_closed_until_the_clear_value_has_been_met(self) -> None:
        watching = fired()
        watching.tell(QueueEntered, 30_000, now_ms=LIMIT, contact="b", queue=QUEUE)
        resolve(watching, 125_000)
        watching.at(125_000)
        leave(watching, 140_000)
        assert watching.at(140_000) == []  # b has waited 110 s: not clear
        watching.restart(141_000)
        assert watching.at(30_000 + LIMIT) == []  # b crosses in the episode that was closed
        watching.tell(QueueEntered, 100_000, now_ms=160_000, contact="c", queue=QUEUE)
        leave(watching, 160_000, "b")
        assert watching.at(160_000) == []  # c has waited 60 s: clear
        assert watching.due_ms(160_000) == 100_000 + LIMIT
        [next_one] = watching.at(100_000 + LIMIT)
        assert (next_one.alert_id, next_one.version, next_one.episodes_10m) == (id_of(100_000 + LIMIT), 1, 2)

    def test_also_while_suppressed(self) -> None:
        watching = fired()
        watching.at(140_000, is_heard=False)
        resolve(watching, 141_000)
        assert brief(watching.at(141_000, is_heard=False)) == [("resolved", 3)]
        assert watching.at(150_000) == []
        leave(watching, 151_000)
        assert watching.at(151_000) == []

    def test_an_alert_that_is_over_cannot_be(self) -> None:
        watching = fired()
        leave(watching, 125_000)
        watching.at(125_000)
        resolve(watching, 126_000)
        [answer] = watching.at(126_000)
        assert (answer.version, answer.accepted, answer.resolved_by) == (2, False, None)

    def test_closed_with_its_queue_the_next_crossing_is_another_episode(self) -> None:
        watching = fired(TestWithdrawn.HOURS)
        resolve(watching, 125_000)
        watching.at(125_000)
        assert watching.at(6 * MINUTE) == []
        watching.tell(QueueEntered, 9 * MINUTE, contact="b", queue=QUEUE)
        assert brief(watching.at(11 * MINUTE)) == [("firing", 1)]


class TestNotices:
    def test_each_version_says_what_became_different(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, id_of(LIMIT))
        watching.at(121_000)
        snooze(watching, 122_000, 140_000)
        watching.at(122_000)
        watching.at(140_000)
        watching.at(160_000, is_heard=False)
        watching.at(170_000)
        leave(watching, 175_000)
        watching.at(175_000)
        said = [alert.notice for alert in watching.sent if alert.source is None]
        assert said == ["fired", "acknowledged", "snoozed", "resumed", "suppressed", "resumed", "resolved"]

    def test_an_episode_over_before_it_could_fire_tells_nobody(self) -> None:
        watching = waiting()
        watching.at(LIMIT - 1)
        leave(watching, LIMIT + 5000)
        [alert] = watching.at(LIMIT + 6000)
        assert alert.notice is None

    def test_withdrawn_says_so(self) -> None:
        watching = fired()
        watching.restart(130_000, Config(rules=[]))
        assert [alert.notice for alert in watching.at(130_000)] == [Notice.WITHDRAWN]


def visit(watching: Watching, entered_ms: int, left_ms: int, contact: str) -> list[Alert]:
    """One contact's wait, looked at when it crosses and when it ends."""
    watching.tell(QueueEntered, entered_ms, contact=contact, queue=QUEUE)
    told = watching.at(entered_ms + LIMIT)
    leave(watching, left_ms, contact)
    return [*told, *watching.at(left_ms)]


class TestFlapping:
    """Contacts one after the other, each of whom waits the limit and ten seconds more."""

    FAST = Config(flap=FlapConfig(episodes=2, within_s=600))

    def test_after_four_episodes_in_ten_minutes_the_next_one_stays(self) -> None:
        watching = Watching()
        for n in range(4):
            told = visit(watching, n * 140_000, n * 140_000 + LIMIT + 10_000, f"c{n}")
            assert brief(told) == [("firing", 1), ("resolved", 2)]
            assert [a.episodes_10m for a in told] == [n + 1] * 2
            assert not told[0].flapping
        start = 4 * 140_000
        [alert] = visit(watching, start, start + LIMIT + 10_000, "c4")
        assert (alert.state, alert.flapping, alert.episodes_10m) == (AlertState.FIRING, True, 5)

    def flapping(self, *, left_ms: int = 410_000) -> Watching:
        """The third crosses at 400 s and leaves at `left_ms`."""
        watching = Watching(self.FAST)
        for n in range(2):
            visit(watching, n * 140_000, n * 140_000 + LIMIT + 10_000, f"c{n}")
        [alert] = visit(watching, 280_000, left_ms, "c2")
        assert (alert.state, alert.flapping) == (AlertState.FIRING, True)
        return watching

    def test_until_ten_minutes_pass_without_a_crossing(self) -> None:
        watching = self.flapping()
        assert watching.at(999_999) == []
        [ended] = watching.at(1_000_500)
        assert (ended.state, ended.version, ended.resolved_ms) == (
            AlertState.RESOLVED,
            2,
            START_MS + 1_000_000,
        )

    def test_a_crossing_meanwhile_is_counted_and_begins_the_calm_anew(self) -> None:
        watching = self.flapping()
        [again] = visit(watching, 600_000, 730_000, "c3")
        assert (again.state, again.version, again.episodes_10m) == (AlertState.FIRING, 2, 3)
        assert (again.flapping, again.notice, again.alert_id) == (True, None, id_of(280_000 + LIMIT))
        watching.restart(800_000)
        assert watching.at(1_319_999) == []
        assert brief(watching.at(1_320_000)) == [("resolved", 3)]
        watching.assert_one_wording()

    def test_one_that_lasts_through_the_calm_is_an_alert_like_any_other(self) -> None:
        watching = Watching(self.FAST)
        for n in range(2):
            visit(watching, n * 140_000, n * 140_000 + LIMIT + 10_000, f"c{n}")
        watching.tell(QueueEntered, 280_000, contact="c2", queue=QUEUE)
        watching.at(400_000)
        [calm] = watching.at(1_000_000)
        assert (calm.state, calm.version, calm.flapping) == (AlertState.FIRING, 2, False)
        assert calm.notice is None
        leave(watching, 1_100_000, "c2")
        assert brief(watching.at(1_100_000)) == [("resolved", 3)]

    def test_one_that_comes_after_the_calm_is_another_alert(self) -> None:
        watching = self.flapping()
        watching.tell(QueueEntered, 900_000, contact="c3", queue=QUEUE)
        ended, fresh = watching.at(1_020_000)
        assert (ended.state, ended.resolved_ms) == (AlertState.RESOLVED, START_MS + 1_000_000)
        assert (fresh.state, fresh.flapping, fresh.episodes_10m) == (AlertState.FIRING, False, 1)

    def test_taken_and_snoozed_it_flaps_on(self) -> None:
        watching = self.flapping()
        watching.tell(
            AlertAcknowledge, 500_000, source=API_SOURCE, alert_id=id_of(400_000), command="c", by="zoe"
        )
        assert brief(watching.at(500_000)) == [("acknowledged", 2)]
        assert brief(visit(watching, 600_000, 730_000, "c3")) == [("acknowledged", 3)]
        assert brief(watching.at(1_320_000)) == [("resolved", 4)]

    def test_closed_by_hand_between_two_crossings_the_next_one_fires(self) -> None:
        watching = self.flapping()
        watching.tell(
            AlertResolve, 500_000, source=API_SOURCE, alert_id=id_of(400_000), command="c", by="zoe"
        )
        assert brief(watching.at(500_000)) == [("resolved", 2)]
        [again] = visit(watching, 600_000, 730_000, "c3")
        assert (again.version, again.flapping, again.alert_id) == (1, True, id_of(720_000))

    def test_suppressed_meanwhile_it_flaps_on(self) -> None:
        watching = self.flapping()
        assert brief(watching.at(500_000, is_heard=False)) == [("suppressed", 2)]
        [back] = watching.at(510_000)
        assert (back.state, back.flapping) == (AlertState.FIRING, True)

    def test_suppressed_for_hours_it_is_over_when_its_source_is_heard_again(self) -> None:
        watching = self.flapping()
        for minute in range(8, 180, 5):
            watching.at(minute * MINUTE, is_heard=False)
        assert brief(watching.at(3 * HOUR)) == [("firing", 3), ("resolved", 4)]

    def test_begun_and_calm_again_while_the_worker_was_away_it_is_told_once(self) -> None:
        watching = Watching(self.FAST)
        for n in range(2):
            visit(watching, n * 140_000, n * 140_000 + LIMIT + 10_000, f"c{n}")
        watching.tell(QueueEntered, 280_000, contact="c2", queue=QUEUE)
        watching.at(281_000)
        leave(watching, 410_000, "c2", now_ms=HOUR // 2)
        [told] = watching.at(HOUR // 2)
        assert (told.state, told.version, told.late, told.notice) == (AlertState.RESOLVED, 1, True, None)
        assert told.resolved_ms == START_MS + 1_000_000


class TestStale:
    def test_suppressed_while_nothing_is_heard_and_back_to_the_state_before(self) -> None:
        watching = fired()
        assert watching.at(LIMIT + 14_999, is_heard=False) == []
        [silent] = watching.at(LIMIT + 15_000, is_heard=False)
        assert (silent.state, silent.version, silent.reason) == (AlertState.SUPPRESSED, 2, "stale")
        [back] = watching.at(LIMIT + 20_000)
        assert (back.state, back.version, back.reason) == (AlertState.FIRING, 3, None)

    def test_an_acknowledged_one_comes_back_acknowledged_and_refuses_commands_meanwhile(self) -> None:
        watching = fired()
        acknowledge(watching, 121_000, id_of(LIMIT))
        watching.at(121_000)
        watching.at(140_000, is_heard=False)
        acknowledge(watching, 141_000, id_of(LIMIT), "c2")
        [answer] = watching.at(141_000, is_heard=False)
        assert (answer.state, answer.accepted) == (AlertState.SUPPRESSED, False)
        watching.restart(142_000)
        [back] = watching.at(143_000)
        assert (back.state, back.acknowledged_by) == (AlertState.ACKNOWLEDGED, "zoe")

    def test_nothing_fires_while_stale_and_it_comes_late_when_heard_again(self) -> None:
        watching = waiting()
        watching.at(1000)
        assert watching.at(LIMIT, is_heard=False) == []
        [alert] = watching.at(LIMIT + 2001)
        assert (alert.alert_id, alert.late) == (id_of(LIMIT), True)


class TestWithdrawn:
    HOURS = Config(
        sites=[SiteConfig(id=SITE)],
        queues=[QueueConfig(id=QUEUE, site=SITE, hours="Su 09:00-10:05,10:10-12:00")],
    )

    def test_when_the_queue_closes_and_for_good(self) -> None:
        """The same wait does not bring the same alert_id up again when the queue opens."""
        assert datetime.fromtimestamp(START_MS / 1000, UTC).strftime("%a %H:%M") == "Sun 10:00"
        watching = fired(self.HOURS)
        assert watching.at(5 * MINUTE - 1) == []
        assert brief(watching.at(5 * MINUTE)) == [("withdrawn", 2)]
        for at_ms in (6 * MINUTE, 10 * MINUTE, 12 * MINUTE, 119 * MINUTE):
            watching.tell(AgentAccepted, at_ms, contact=f"other-{at_ms}", queue="q2", agent="lea")
            assert watching.at(at_ms) == []
        watching.assert_one_wording()

    def test_a_wait_that_crosses_while_closed_is_told_late_when_it_opens(self) -> None:
        watching = Watching(self.HOURS)
        watching.tell(QueueEntered, 4 * MINUTE, contact="b", queue=QUEUE)
        assert watching.at(7 * MINUTE) == []
        [alert] = watching.at(10 * MINUTE)
        assert (alert.state, alert.late, alert.alert_id) == (AlertState.FIRING, True, id_of(6 * MINUTE))

    def test_a_wait_that_began_and_ended_while_closed_is_nobodys(self) -> None:
        watching = Watching(self.HOURS)
        watching.tell(QueueEntered, 4 * MINUTE, contact="b", queue=QUEUE)
        watching.at(7 * MINUTE)
        leave(watching, 8 * MINUTE, "b")
        assert watching.at(8 * MINUTE) == []
        assert watching.at(11 * MINUTE) == []

    def test_when_the_rule_is_gone_after_a_restart(self) -> None:
        watching = fired()
        watching.restart(130_000, Config(rules=[]))
        [gone] = watching.at(130_000)
        assert (gone.state, gone.version) == (AlertState.WITHDRAWN, 2)
        assert gone.resolved_ms == START_MS + 130_000

    def test_when_the_rule_does_not_concern_the_queue_any_more(self) -> None:
        phones = Config(rules=[structs.replace(DEFAULT_RULE, channels=[Channel.PHONE])])
        watching = fired(phones)
        watching.tell(QueueEntered, 125_000, contact="b", queue=QUEUE, channel=Channel.CHAT)
        assert brief(watching.at(126_000)) == [("withdrawn", 2)]


class TestLate:
    @pytest.mark.parametrize(("after_ms", "late"), [(0, False), (2000, False), (2001, True)])
    def test_more_than_two_seconds_after_the_crossing(self, after_ms: int, late: bool) -> None:
        [alert] = waiting().at(LIMIT + after_ms)
        assert alert.late is late
        assert alert.crossed_ms == START_MS + LIMIT
        assert alert.fired_ms == START_MS + LIMIT + after_ms

    def test_over_before_it_could_fire_is_told_once_as_resolved(self) -> None:
        watching = waiting()
        watching.at(LIMIT - 1)
        leave(watching, LIMIT + 5000)
        [alert] = watching.at(LIMIT + 6000)
        assert (alert.state, alert.late, alert.version) == (AlertState.RESOLVED, True, 1)
        assert (alert.alert_id, alert.resolved_ms) == (id_of(LIMIT), START_MS + LIMIT + 5000)
        assert watching.at(LIMIT + 7000) == []
        watching.restart(LIMIT + 8000)
        assert watching.at(LIMIT + 9000) == []

    def test_a_worker_that_was_away_for_hours_tells_what_it_missed(self) -> None:
        watching = waiting()
        watching.tell(QueueEntered, 1000, contact="stays", queue="q2", channel=Channel.SMS)
        watching.at(LIMIT - 1)
        watching.restart(5 * HOUR)
        leave(watching, LIMIT + 5000, now_ms=5 * HOUR)
        told = {alert.queue: alert for alert in watching.at(5 * HOUR)}
        assert brief([told[QUEUE]]) == [("resolved", 1)]
        assert told[QUEUE].resolved_ms == START_MS + LIMIT + 5000
        assert (told["q2"].state, told["q2"].late) == (AlertState.FIRING, True)
        assert told["q2"].alert_id == id_of(1000 + HOUR, "q2")
        assert watching.at(5 * HOUR + 1000) == []


class TestCorrected:
    def test_a_fact_told_later_shows_that_it_was_not_due(self) -> None:
        watching = fired()
        leave(watching, LIMIT - 1, now_ms=LIMIT + 500)
        [ended] = watching.at(LIMIT + 500)
        assert (ended.state, ended.version, ended.reason) == (AlertState.RESOLVED, 2, "corrected")
        assert watching.at(LIMIT + MINUTE) == []

    def test_due_after_all_it_goes_on_as_the_same_alert(self) -> None:
        """The contact's end was told first; who knows better says that it waited on."""
        watching = fired()
        watching.tell(ContactEnded, LIMIT - 1, now_ms=LIMIT + 500, contact="a")
        assert brief(watching.at(LIMIT + 500)) == [("resolved", 2)]
        watching.restart(LIMIT + 600)
        leave(watching, LIMIT + 4000, now_ms=LIMIT + 4000)
        [again] = watching.at(LIMIT + 4000)
        assert (again.alert_id, again.state, again.version) == (id_of(LIMIT), AlertState.RESOLVED, 3)
        assert (again.reason, again.resolved_ms) == (None, START_MS + LIMIT + 4000)
        assert watching.at(LIMIT + MINUTE) == []
        watching.assert_one_wording()

    def test_left_at_the_very_limit_told_after_it(self) -> None:
        watching = fired()
        leave(watching, LIMIT, now_ms=LIMIT + 500)
        [ended] = watching.at(LIMIT + 500)
        assert ended.reason == "corrected"

    def test_the_next_contact_has_its_own_episode(self) -> None:
        watching = fired()
        watching.tell(QueueEntered, 10_000, now_ms=LIMIT, contact="b", queue=QUEUE)
        leave(watching, LIMIT - 1, now_ms=LIMIT + 500)
        assert brief(watching.at(LIMIT + 500)) == [("resolved", 2)]
        assert watching.due_ms(LIMIT + 500) == LIMIT + 10_000
        [alert] = watching.at(LIMIT + 10_000)
        assert alert.alert_id == id_of(LIMIT + 10_000)

    def test_another_who_entered_at_the_same_instant_keeps_it_due(self) -> None:
        """Their crossing is one, and so is its alert_id."""
        watching = waiting()
        watching.tell(QueueEntered, 0, contact="b", queue=QUEUE)
        assert brief(watching.at(LIMIT)) == [("firing", 1)]
        leave(watching, LIMIT - 1, now_ms=LIMIT + 500)
        assert watching.at(LIMIT + 500) == []
        leave(watching, LIMIT + 1000, "b")
        [ended] = watching.at(LIMIT + 1000)
        assert (ended.reason, ended.resolved_ms) == (None, START_MS + LIMIT + 1000)

    def test_who_is_told_after_the_end_and_still_waits_has_an_alert(self) -> None:
        watching = fired()
        leave(watching, LIMIT + 9000)
        assert brief(watching.at(LIMIT + 9000)) == [("resolved", 2)]
        watching.tell(QueueEntered, 5000, now_ms=LIMIT + 10_000, contact="b", queue=QUEUE)
        [alert] = watching.at(LIMIT + 10_000)
        assert (alert.alert_id, alert.state, alert.late) == (id_of(LIMIT + 5000), AlertState.FIRING, True)

    def test_an_end_told_late_but_after_the_crossing_is_a_plain_end_at_its_instant(self) -> None:
        watching = fired()
        leave(watching, LIMIT + 3000, now_ms=LIMIT + 9000)
        [ended] = watching.at(LIMIT + 9000)
        assert (ended.reason, ended.resolved_ms) == (None, START_MS + LIMIT + 3000)


class TestSkew:
    """The source's clock goes wrong by `skew`: received - told; its instants are read that much later."""

    def beat(self, watching: Watching, at_ms: int, skew_ms: int) -> None:
        watching.tell(SourceHeartbeat, at_ms, clock_ms=START_MS + at_ms - skew_ms)

    def test_it_fires_by_our_clock_and_is_named_by_theirs(self) -> None:
        watching = Watching()
        self.beat(watching, 0, 5000)
        watching.tell(QueueEntered, -5000, now_ms=0, contact="a", queue=QUEUE)
        assert watching.due_ms(0) == LIMIT
        self.beat(watching, LIMIT - 1, 5000)
        assert watching.at(LIMIT - 1) == []
        [alert] = watching.at(LIMIT)
        assert (alert.alert_id, alert.crossed_ms) == (id_of(LIMIT - 5000), START_MS + LIMIT - 5000)
        assert (alert.late, alert.value) == (False, 120.0)

    def test_below_250_ms_it_is_none(self) -> None:
        watching = Watching()
        self.beat(watching, 0, 250)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        self.beat(watching, LIMIT, 250)
        assert brief(watching.at(LIMIT)) == [("firing", 1)]

    @pytest.mark.parametrize("skews", [(260, 300), (0, 300), (300, 0), (300, -300), (260, 0)])
    def test_measured_anew_it_neither_ends_nor_repeats_an_alert(self, skews: tuple[int, int]) -> None:
        before, after = skews
        watching = Watching()
        self.beat(watching, 0, before)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        watching.tell(QueueEntered, 200, contact="b", queue=QUEUE)
        self.beat(watching, LIMIT, before)
        assert brief(watching.at(LIMIT + before)) == [("firing", 1)]
        for n in range(1, 4):
            self.beat(watching, LIMIT + before + n, after)
        assert watching.at(LIMIT + before + 5) == []
        for name in ("a", "b"):
            leave(watching, LIMIT + 5000, name)
        assert brief(watching.at(LIMIT + 6000)) == [("resolved", 2)]
        for n in range(1, 9):
            self.beat(watching, LIMIT + 7000 + n, before)
            assert watching.at(LIMIT + 7000 + n) == []

    @pytest.mark.parametrize("clear", [DEFAULT_RULE.clear, None])
    def test_first_measured_after_the_firing_it_takes_nothing_back(self, clear: str | None) -> None:
        """A source ten seconds slow: the alert came ten seconds early, before anybody could know."""
        watching = Watching(Config(rules=[structs.replace(DEFAULT_RULE, clear=clear)]))
        watching.tell(QueueEntered, -10_000, now_ms=0, contact="a", queue=QUEUE)
        assert brief(watching.at(LIMIT - 10_000)) == [("firing", 1)]
        for second in range(1, 20):
            self.beat(watching, LIMIT - 10_000 + second * 1000, 10_000)
            assert watching.at(LIMIT - 10_000 + second * 1000) == []
        leave(watching, LIMIT, now_ms=LIMIT + 10_000)
        [ended] = watching.at(LIMIT + 10_000)
        assert (ended.version, ended.reason, ended.resolved_ms) == (2, None, START_MS + LIMIT + 10_000)

    def test_first_measured_after_the_firing_it_is_corrected_by_who_left_too_early(self) -> None:
        watching = Watching()
        watching.tell(QueueEntered, -10_000, now_ms=0, contact="a", queue=QUEUE)
        watching.at(LIMIT - 10_000)
        self.beat(watching, LIMIT - 9000, 10_000)
        watching.at(LIMIT - 9000)
        leave(watching, LIMIT - 15_000, now_ms=LIMIT - 5000)
        [ended] = watching.at(LIMIT - 5000)
        assert (ended.version, ended.reason) == (2, "corrected")


class TestCatchingUp:
    def test_rules_wait_until_the_log_is_caught_up_with(self) -> None:
        watching = waiting()
        watching.at(0)
        now_ms = LIMIT + 60_000
        watching.partition.set_lag(
            end_reached=False, last_appended_ms=START_MS + now_ms - 2001, now_ms=START_MS + now_ms
        )
        assert watching.at(now_ms) == []
        assert watching.due_ms(now_ms) is None
        leave(watching, LIMIT + 7000, now_ms=now_ms)
        watching.partition.set_lag(end_reached=True, last_appended_ms=None, now_ms=START_MS + now_ms)
        [alert] = watching.at(now_ms)
        assert (alert.state, alert.late, alert.version) == (AlertState.RESOLVED, True, 1)
        assert alert.resolved_ms == START_MS + LIMIT + 7000


class TestOutbox:
    def test_what_was_not_sent_is_sent_again_after_a_restart_word_for_word(self) -> None:
        watching = waiting()
        watching.hear(LIMIT)
        watching.partition.advance(START_MS + LIMIT)
        watching.topic.flush(watching.partition)
        before = watching.partition.outbox()
        watching.restart(LIMIT + 3000, is_noted=False)
        assert watching.partition.outbox() == before
        assert brief(watching.at(LIMIT + 3000)) == [("firing", 1)]
        assert watching.sent[0].fired_ms == START_MS + LIMIT
        assert watching.at(LIMIT + 4000) == []

    def test_sent_but_not_noted_as_sent_is_repeated_word_for_word(self) -> None:
        watching = fired()  # its flush came before the broker had it
        watching.restart(LIMIT + 1000, is_noted=False)
        assert brief(watching.at(LIMIT + 1000)) == [("firing", 1)]
        assert watching.at(LIMIT + 2000) == []
        watching.assert_one_wording()

    def test_the_site_row_keeps_open_ones_and_the_last_fifty_ended(self) -> None:
        watching = fired()
        for n in range(60):
            entered = n * 1000
            watching.tell(QueueEntered, entered, now_ms=LIMIT, contact=f"c{n}", queue=f"q{n}")
        watching.at(LIMIT + MINUTE)
        for n in range(60):
            watching.tell(QueueLeft, 200_000 + n, contact=f"c{n}", queue=f"q{n}", outcome=Outcome.ABANDONED)
            watching.at(200_000 + n)
        kept = watching.partition.sites[SITE].alerts.stored.alerts
        assert len(kept) == 51
        assert [a.queue for a in kept if a.state is AlertState.FIRING] == [QUEUE]
        assert "q9" not in {a.queue for a in kept}
        assert [a.crossed_ms for a in kept] == sorted((a.crossed_ms for a in kept), reverse=True)
