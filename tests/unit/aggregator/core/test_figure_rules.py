"""Rules on all figures but the wait, as a script of times."""

from typing import Any

import pytest

from schemas.board import Alert, Lever
from schemas.config import DEFAULT_RULE, Config, FlapConfig, QueueConfig, RuleConfig, SiteConfig
from schemas.events import (
    API_SOURCE,
    AgentAccepted,
    AgentStateChanged,
    AlertResolve,
    AlertSnooze,
    QueueEntered,
    QueueLeft,
    TalkEnded,
)
from schemas.vocabulary import AgentState, AlertState, Channel, Outcome, Severity, WindowName
from services.aggregator.core.alerts import alert_id
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.test_alerts import brief
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

MINUTE = 60_000


def config(
    metric: str, fire: str, clear: str | None = None, *, hours: str | None = None, **more: Any
) -> Config:
    """One rule, `r`, on one queue or on those that appear."""
    rule = RuleConfig(id="r", metric=metric, fire=fire, clear=clear, **more)  # type: ignore[arg-type]
    queue = QueueConfig(id=QUEUE, site=SITE, hours=hours, team="n1")
    return Config(sites=[SiteConfig(id=SITE)], queues=[queue], rules=[rule])


def state(watching: Watching, at_ms: int, agent: str, state: AgentState, *queues: str) -> None:
    watching.tell(AgentStateChanged, at_ms, agent=agent, state=state, queues=queues or (QUEUE,))


def seen(config: Config) -> Watching:
    """A queue whose source was heard: one contact, answered at once by who then goes home."""
    watching = Watching(config)
    contacts(watching, 1, wait_ms=0, from_ms=-2 * 3_600_000)
    state(watching, -2 * 3_600_000 + 1000, "lea", AgentState.OFFLINE)
    return watching


def contacts(
    watching: Watching, count: int, *, wait_ms: int, from_ms: int = 0, answered: bool = True
) -> None:
    """So many contacts, one a second, each over after its wait."""
    for n in range(count):
        entered, contact = from_ms + n * 1000, f"{from_ms}-{n}-{answered}"
        watching.tell(QueueEntered, entered, contact=contact, queue=QUEUE)
        if answered:
            watching.tell(AgentAccepted, entered + wait_ms, contact=contact, queue=QUEUE, agent="lea")
            watching.tell(TalkEnded, entered + wait_ms, contact=contact, queue=QUEUE, agent="lea")
        else:
            watching.tell(
                QueueLeft, entered + wait_ms, contact=contact, queue=QUEUE, outcome=Outcome.ABANDONED
            )


class TestServiceLevel:
    CONFIG = config(
        "service_level", "< service_level.target", ">= 0.85", severity=Severity.WARNING, min_contacts=10
    )

    def late(self, config: Config | None = None) -> Watching:
        """Ten answered in time, four too late: 71 %."""
        watching = Watching(config or self.CONFIG)
        contacts(watching, 10, wait_ms=5000)
        contacts(watching, 4, wait_ms=30_000, from_ms=20_000)
        return watching

    def test_fires_at_the_first_second_that_sees_it_below(self) -> None:
        watching = self.late()
        [alert] = watching.at(60_250)
        assert (alert.state, alert.metric, alert.severity) == (
            AlertState.FIRING,
            "service_level",
            Severity.WARNING,
        )
        assert (alert.value, alert.threshold, alert.clear) == (10 / 14, 0.8, 0.85)
        assert (alert.window, alert.fires_below) == (WindowName.M15, True)
        assert (alert.crossed_ms, alert.fired_ms) == (START_MS + 60_250, START_MS + 60_250)
        assert alert.alert_id == alert_id(SITE, QUEUE, "r", START_MS + 60_250)
        assert (alert.late, alert.team, alert.channel) == (False, "n1", Channel.PHONE)
        assert watching.at(60_900) == []
        assert watching.at(61_300) == []

    def test_is_looked_at_once_a_second(self) -> None:
        watching = Watching(self.CONFIG)
        watching.at(60_000)
        contacts(watching, 10, wait_ms=30_000, from_ms=1000)
        assert watching.at(60_900) == []
        assert brief(watching.at(61_000)) == [("firing", 1)]

    def test_says_what_the_row_says(self) -> None:
        watching = self.late()
        [alert] = watching.at(60_250)
        queues, _ = rows(watching.partition, START_MS + 60_250)
        assert alert.value == queues[SITE, QUEUE].windows[WindowName.M15].service_level.value

    def test_stays_between_fire_and_clear(self) -> None:
        watching = self.late()
        watching.at(60_000)
        contacts(watching, 8, wait_ms=1000, from_ms=61_000)  # 18 of 22: 82 %
        assert watching.at(71_000) == []
        contacts(watching, 6, wait_ms=1000, from_ms=72_000)  # 24 of 28: 86 %
        [ended] = watching.at(80_000)
        assert (ended.state, ended.version, ended.value) == (AlertState.RESOLVED, 2, 24 / 28)
        assert ended.resolved_ms == START_MS + 80_000

    def test_clear_left_out_is_not_fire(self) -> None:
        watching = self.late(config("service_level", "< 0.8"))
        [alert] = watching.at(60_000)
        assert alert.clear == 0.8
        contacts(watching, 6, wait_ms=1000, from_ms=61_000)  # 16 of 20: 80 %
        assert brief(watching.at(70_000)) == [("resolved", 2)]

    def test_small_numbers_do_not_fire(self) -> None:
        watching = Watching(self.CONFIG)
        contacts(watching, 9, wait_ms=30_000)
        assert watching.at(60_000) == []
        contacts(watching, 1, wait_ms=30_000, from_ms=30_000)
        assert brief(watching.at(61_000)) == [("firing", 1)]

    def test_null_neither_fires_nor_clears(self) -> None:
        watching = Watching(config("service_level", "< 0.8", min_contacts=0))
        watching.tell(AgentAccepted, 0, contact="x", queue=QUEUE, agent="lea")  # a queue without contacts
        assert watching.at(1000) == []
        contacts(watching, 3, wait_ms=30_000, from_ms=1000)
        assert brief(watching.at(60_000)) == [("firing", 1)]
        assert watching.at(30 * MINUTE) == []  # the window is empty: nobody knows
        contacts(watching, 3, wait_ms=1000, from_ms=30 * MINUTE)
        assert brief(watching.at(31 * MINUTE)) == [("resolved", 2)]

    def test_another_window(self) -> None:
        watching = self.late(config("service_level", "< 0.8", window=WindowName.M5))
        [alert] = watching.at(60_000)
        assert alert.window is WindowName.M5
        contacts(watching, 1, wait_ms=1000, from_ms=6 * MINUTE)
        assert brief(watching.at(7 * MINUTE)) == [("resolved", 2)]

    def test_a_closed_queue_is_not_looked_at(self) -> None:
        watching = self.late(config("service_level", "< 0.8", hours="Su 09:00-10:02,10:04-12:00"))
        assert brief(watching.at(60_000)) == [("firing", 1)]
        assert brief(watching.at(2 * MINUTE)) == [("withdrawn", 2)]
        assert watching.at(3 * MINUTE) == []
        [again] = watching.at(4 * MINUTE)
        assert (again.state, again.crossed_ms) == (AlertState.FIRING, START_MS + 4 * MINUTE)

    def test_other_queues_and_channels_are_nobodys_matter(self) -> None:
        watching = self.late(config("service_level", "< 0.8", channels=[Channel.CHAT]))
        assert watching.at(60_000) == []

    def test_suppressed_while_its_source_is_silent(self) -> None:
        watching = self.late()
        watching.at(60_000)
        assert brief(watching.at(76_000, is_heard=False)) == [("suppressed", 2)]
        assert watching.at(78_000, is_heard=False) == []
        contacts(watching, 20, wait_ms=1, from_ms=79_000)
        assert brief(watching.at(79_000)) == [("firing", 3), ("resolved", 4)]

    def test_waits_while_the_log_is_behind(self) -> None:
        watching = self.late()
        now_ms = START_MS + 120_000
        watching.partition.set_lag(end_reached=False, last_appended_ms=now_ms - 2001, now_ms=now_ms)
        assert watching.at(120_000) == []
        watching.partition.set_lag(end_reached=True, last_appended_ms=None, now_ms=now_ms)
        assert brief(watching.at(121_000)) == [("firing", 1)]

    def test_closed_by_hand_it_stays_so_until_clear(self) -> None:
        watching = self.late()
        [alert] = watching.at(60_000)
        watching.tell(AlertResolve, 61_000, source=API_SOURCE, alert_id=alert.alert_id, command="c", by="zoe")
        assert brief(watching.at(61_000)) == [("resolved", 2)]
        watching.restart(62_000)
        assert watching.at(63_000) == []
        contacts(watching, 20, wait_ms=1000, from_ms=64_000)
        assert watching.at(90_000) == []
        contacts(watching, 10, wait_ms=30_000, from_ms=91_000)
        [again] = watching.at(140_000)
        assert (again.version, again.episodes_10m, again.crossed_ms) == (1, 2, START_MS + 140_000)

    def test_withdrawn_when_its_rule_is_gone(self) -> None:
        watching = self.late()
        watching.at(60_000)
        watching.restart(61_000, Config(rules=[DEFAULT_RULE]))
        assert brief(watching.at(61_000)) == [("withdrawn", 2)]


class TestAbandonment:
    CONFIG = config("abandonment", "> 0.1", min_contacts=5)

    def test_fires_above_its_limit_and_not_at_it(self) -> None:
        watching = Watching(self.CONFIG)
        contacts(watching, 9, wait_ms=1000)
        contacts(watching, 1, wait_ms=9000, from_ms=10_000, answered=False)
        assert watching.at(60_000) == []
        contacts(watching, 1, wait_ms=9000, from_ms=12_000, answered=False)
        [alert] = watching.at(61_000)
        assert (alert.value, alert.threshold, alert.fires_below) == (2 / 11, 0.1, False)

    def test_at_its_limit_where_the_rule_says_so(self) -> None:
        watching = Watching(config("abandonment", ">= 0.1"))
        contacts(watching, 9, wait_ms=1000)
        contacts(watching, 1, wait_ms=9000, from_ms=10_000, answered=False)
        assert brief(watching.at(60_000)) == [("firing", 1)]

    def test_it_does_not_apply_where_nobody_hangs_up(self) -> None:
        rule = RuleConfig(id="r", metric="abandonment", fire="> 0.1", min_contacts=0)
        queue = QueueConfig(id=QUEUE, site=SITE, channel=Channel.EMAIL)
        watching = Watching(Config(queues=[queue], rules=[rule]))
        contacts(watching, 5, wait_ms=1000, answered=False)
        assert watching.at(60_000) == []


class TestOccupancy:
    CONFIG = config("occupancy", "> occupancy.high", "<= occupancy.low", min_contacts=0)

    def test_fires_above_the_band_and_clears_below_it(self) -> None:
        watching = seen(self.CONFIG)
        state(watching, 0, "lea", AgentState.IN_CONTACT)
        [alert] = watching.at(60_000)
        assert (alert.value, alert.threshold, alert.clear) == (1.0, 0.85, 0.75)
        state(watching, 60_000, "lea", AgentState.AVAILABLE)
        assert watching.at(75_000) == []
        [ended] = watching.at(80_000)
        assert (ended.state, ended.value) == (AlertState.RESOLVED, 0.75)

    def test_below_the_band_where_the_rule_says_so(self) -> None:
        watching = seen(config("occupancy", "< occupancy.low", min_contacts=0))
        state(watching, 0, "lea", AgentState.AVAILABLE)
        [alert] = watching.at(60_000)
        assert (alert.value, alert.fires_below) == (0.0, True)

    def test_contacts_are_those_offered_meanwhile(self) -> None:
        watching = seen(config("occupancy", "> 0.85", min_contacts=1))
        state(watching, 0, "lea", AgentState.IN_CONTACT)
        assert watching.at(60_000) == []
        watching.tell(QueueEntered, 61_000, contact="a", queue=QUEUE)
        assert brief(watching.at(61_000)) == [("firing", 1)]


class TestAvailableAgents:
    CONFIG = config("agents.available", "< 1", ">= 2")

    def test_fires_when_nobody_is_free_and_clears_when_two_are(self) -> None:
        watching = seen(self.CONFIG)
        state(watching, 0, "lea", AgentState.AVAILABLE)
        assert watching.at(1000) == []
        state(watching, 2000, "lea", AgentState.IN_CONTACT)
        [alert] = watching.at(2000)
        assert (alert.value, alert.threshold, alert.window) == (0, 1, None)
        state(watching, 3000, "max", AgentState.AVAILABLE)
        assert watching.at(3000) == []
        state(watching, 4000, "lea", AgentState.AVAILABLE)
        [ended] = watching.at(4000)
        assert (ended.state, ended.value) == (AlertState.RESOLVED, 2)

    def test_of_a_queue_whose_agents_nobody_tells_it_is_null(self) -> None:
        watching = Watching(self.CONFIG)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        assert watching.at(1000) == []

    def test_who_went_home_is_known_and_not_available(self) -> None:
        watching = seen(self.CONFIG)
        assert brief(watching.at(1000)) == [("firing", 1)]

    def test_it_flaps_like_any_other(self) -> None:
        watching = seen(
            Config(
                rules=self.CONFIG.rules, queues=self.CONFIG.queues, flap=FlapConfig(episodes=2, within_s=60)
            )
        )
        told: list[Alert] = []
        state(watching, 0, "max", AgentState.AVAILABLE)
        state(watching, 0, "lea", AgentState.AVAILABLE)
        for n in range(3):
            for agent in ("lea", "max"):
                state(watching, n * 10_000 + 1000, agent, AgentState.PAUSED)
            told += watching.at(n * 10_000 + 1000)
            for agent in ("lea", "max"):
                state(watching, n * 10_000 + 5000, agent, AgentState.AVAILABLE)
            told += watching.at(n * 10_000 + 5000)
        assert [(a.state.value, a.flapping) for a in told] == [
            ("firing", False),
            ("resolved", False),
            ("firing", False),
            ("resolved", False),
            ("firing", True),
        ]
        [ended] = watching.at(81_500)
        assert (ended.state, ended.resolved_ms) == (AlertState.RESOLVED, START_MS + 81_000)


class TestLever:
    """Where hands are free when an alert fires, and when a reminder comes."""

    CONFIG = Config(
        queues=[
            QueueConfig(id=QUEUE, site=SITE),
            QueueConfig(id="sales", site=SITE, team="n2"),
            QueueConfig(id="billing", site=SITE, team="n3"),
            QueueConfig(id="night", site=SITE, hours="Mo-Su 20:00-22:00"),
            QueueConfig(id="chat", site=SITE, channel=Channel.CHAT),
        ]
    )

    def fired(self, free: dict[str, int], waiting: str | None = None) -> Alert:
        watching = Watching(self.CONFIG)
        for queue, agents in free.items():
            for n in range(agents):
                state(watching, 0, f"{queue}-{n}", AgentState.AVAILABLE, queue)
            watching.tell(QueueEntered, 0, contact=f"{queue}-c", queue=queue)
            watching.tell(QueueLeft, 1, contact=f"{queue}-c", queue=queue, outcome=Outcome.ABANDONED)
        if waiting is not None:
            watching.tell(QueueEntered, 100_000, contact="w", queue=waiting)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        [alert] = watching.at(120_000)
        return alert

    @pytest.mark.parametrize(
        ("free", "waiting", "lever"),
        [
            ({}, None, None),
            ({QUEUE: 3}, None, None),
            ({"sales": 2, "billing": 1}, None, ("sales", "n2", 2)),
            ({"sales": 1, "billing": 1}, None, ("sales", "n2", 1)),
            ({"sales": 2, "billing": 1}, "sales", ("billing", "n3", 1)),
            ({"sales": 2}, "sales", None),
            ({"chat": 4, "night": 4}, None, None),
        ],
    )
    def test_is_another_queue_of_the_channel_with_most_available_and_none_waiting(
        self, free: dict[str, int], waiting: str | None, lever: tuple[str, str, int] | None
    ) -> None:
        found = self.fired(free, waiting).lever
        wanted = lever and Lever(kind="help_from", queue=lever[0], team=lever[1], available=lever[2])
        assert found == wanted

    def test_a_reminder_says_where_hands_are_free_now(self) -> None:
        watching = Watching(self.CONFIG)
        contacts(watching, 1, wait_ms=0)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        [alert] = watching.at(120_000)
        assert alert.lever is None
        watching.tell(
            AlertSnooze,
            121_000,
            source=API_SOURCE,
            alert_id=alert.alert_id,
            command="c",
            by="zoe",
            until_ms=START_MS + 300_000,
        )
        watching.tell(QueueEntered, 122_000, contact="s", queue="sales")
        watching.tell(QueueLeft, 123_000, contact="s", queue="sales", outcome=Outcome.ABANDONED)
        state(watching, 124_000, "max", AgentState.AVAILABLE, "sales")
        watching.at(124_000)
        [back] = watching.at(300_000)
        assert back.lever == Lever(kind="help_from", team="n2", queue="sales", available=1)
        assert (back.value, back.waiting) == (300.0, 1)


def of_mail(metric: str, fire: str, clear: str | None = None, **more: Any) -> Config:
    """One rule on a queue of mails. The story begins as it opens; it is closed for ten minutes."""
    rule = RuleConfig(id="r", metric=metric, fire=fire, clear=clear, **more)  # type: ignore[arg-type]
    queue = QueueConfig(
        id=QUEUE, site=SITE, channel=Channel.EMAIL, wait_limit_s=600, hours="Su 11:00-11:30,11:40-23:00"
    )
    return Config(sites=[SiteConfig(id=SITE, time_zone="Europe/Paris")], queues=[queue], rules=[rule])


class TestItems:
    def told(self, config: Config, *mails: str) -> Watching:
        watching = Watching(config)
        for mail in mails:
            watching.tell(QueueEntered, 0, contact=mail, queue=QUEUE)
            watching.tell(AgentAccepted, MINUTE, contact=mail, queue=QUEUE, agent="lea")
        return watching

    def ended(self, watching: Watching, at_ms: int, mail: str) -> None:
        watching.tell(TalkEnded, at_ms, contact=mail, queue=QUEUE, agent="lea")

    def test_a_backlog_that_is_too_long(self) -> None:
        watching = self.told(of_mail("backlog", "> 1"), "a", "b")
        [alert] = watching.at(2 * MINUTE)
        assert (alert.value, alert.threshold, alert.window, alert.waiting) == (2, 1, None, 0)
        self.ended(watching, 3 * MINUTE, "a")
        assert brief(watching.at(3 * MINUTE)) == [("resolved", 2)]

    @pytest.mark.parametrize(
        ("metric", "at_ms"), [("oldest_item_s", 60 * MINUTE), ("oldest_item_business_s", 70 * MINUTE)]
    )
    def test_the_oldest_item_by_either_clock(self, metric: str, at_ms: int) -> None:
        watching = self.told(of_mail(metric, ">= 6 * wait_limit_s", "< 60"), "a")
        assert watching.at(at_ms - 1000) == []
        [alert] = watching.at(at_ms)
        assert (alert.value, alert.threshold, alert.clear) == (3600, 3600, 60)
        self.ended(watching, at_ms, "a")
        [alert] = watching.at(at_ms + 1000)  # none is open: 0
        assert (alert.state, alert.value) == (AlertState.RESOLVED, 0)

    @pytest.mark.parametrize("metric", ["cleared", "cleared_business"])
    def test_the_share_cleared_of_enough_items(self, metric: str) -> None:
        watching = self.told(of_mail(metric, "< 0.6", min_contacts=2), "a", "b")
        self.ended(watching, 5 * MINUTE, "a")
        assert watching.at(10 * MINUTE) == []  # one of one; the other is not decided
        [alert] = watching.at(10 * MINUTE + 1000)
        assert (alert.value, alert.window) == (0.5, WindowName.M15)

    @pytest.mark.parametrize(
        "metric", ["backlog", "oldest_item_s", "oldest_item_business_s", "cleared", "cleared_business"]
    )
    def test_on_the_phone_it_does_not_apply(self, metric: str) -> None:
        watching = seen(config(metric, "< 1", min_contacts=0))
        assert watching.at(1000) == []
