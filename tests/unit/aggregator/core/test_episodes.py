"""Episodes from waits alone, by tables; and through the whole core, against the oracle."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.board import Alert
from schemas.config import Config, FlapConfig, QueueConfig
from schemas.events import QueueEntered, QueueLeft
from schemas.vocabulary import AlertState, Channel, Outcome
from services.aggregator.core.episodes import Span, Wait, first_crossing, over_at
from tests.oracle.episodes import wait_alerts
from tests.unit.aggregator.core.watching import SITE, START_MS, Watching

LIMIT, CLEAR = 12, 9
MINUTE, HOUR = 60_000, 3_600_000


def waits(*stays: tuple[int, int | None]) -> list[Wait]:
    return [Wait((f"c{n}", ""), entered, left) for n, (entered, left) in enumerate(stays)]


@pytest.mark.parametrize(
    ("wait", "now_ms", "reaches"),
    [
        (Wait(("c", ""), 0, None), 11, False),
        (Wait(("c", ""), 0, None), 12, True),
        (Wait(("c", ""), 0, 12), 20, False),
        (Wait(("c", ""), 0, 13), 20, True),
        (Wait(("c", ""), 0, 13), 11, False),
    ],
)
def test_a_wait_reaches_its_limit_when_somebody_still_waits_then(
    wait: Wait, now_ms: int, reaches: bool
) -> None:
    assert wait.reaches(LIMIT, now_ms) is reaches


@pytest.mark.parametrize(
    ("stays", "known", "entered_ms"),
    [
        ([], [], None),
        ([(0, None)], [], 0),
        ([(5, None), (0, 30)], [], 0),
        ([(0, 11), (5, None)], [], 5),
        ([(0, 30)], [Span(12, 12, 12)], None),
        ([(0, 30), (3, 15)], [Span(12, 30, 12)], None),
        ([(0, 15), (3, 30)], [Span(12, 15, 12)], 3),  # told after the end: it lasted longer than we knew
        ([(0, 15), (3, None)], [Span(12, 15, 12)], 3),
        ([(0, 15), (4, None)], [Span(12, 15, 12)], 4),
        ([(0, 15), (4, 30)], [Span(12, 15, 12), Span(16, 30, 16)], None),
    ],
)
def test_the_first_crossing_outside_known_episodes_begins_one(
    stays: list[tuple[int, int | None]], known: list[Span], entered_ms: int | None
) -> None:
    found = first_crossing(waits(*stays), LIMIT, known=known, since_ms=0, now_ms=50)
    assert (found and found.entered_ms) == entered_ms


def test_what_was_looked_at_in_its_time_is_not_brought_up_again_but_who_waits_is() -> None:
    both = waits((0, 30), (5, None))
    found = first_crossing(both, LIMIT, known=[], since_ms=40, now_ms=50)
    assert found is both[1]


def test_a_moved_skew_does_not_make_another_episode() -> None:
    known = [Span(1300, 1500, 1000)]
    for skew in (0, 250, 1300):
        moved = Wait(("c", ""), 1000 - LIMIT + skew, None, skew)
        assert first_crossing([moved], LIMIT, known=known, since_ms=0, now_ms=9999) is None


@pytest.mark.parametrize(
    ("stays", "over_ms"),
    [
        ([(0, None)], None),
        ([(0, 20)], 20),
        ([(0, 20), (11, None)], None),
        ([(0, 20), (12, None)], 20),
        ([(0, 20), (11, 25)], 25),
        ([(0, 20), (11, 25), (16, 40)], 40),
        ([(0, 20), (11, 25), (17, 40)], 25),
        ([(0, 60)], None),
    ],
)
def test_an_episode_lasts_until_nobody_has_waited_the_clear_value(
    stays: list[tuple[int, int | None]], over_ms: int | None
) -> None:
    assert over_at(waits(*stays), CLEAR, from_ms=LIMIT, now_ms=50) == over_ms


LEFT: dict[str, Any] = {"outcome": Outcome.ABANDONED}
Told = tuple[str, Channel, int, int | None]
"""Queue, channel, entered, left (None: still waiting)."""


SHORT_MS = 10_000
"""A limit short enough for an alert to flap."""


def history(rng: random.Random, contacts: int, phone_ms: int = 120_000) -> list[Told]:
    """Waits around the limits of phone and chat, crowded enough to hold one another's episodes open."""
    told: list[Told] = []
    for _ in range(contacts):
        queue, channel, limit = rng.choice((("p", Channel.PHONE, phone_ms), ("c", Channel.CHAT, 300_000)))
        entered = rng.randrange(0, 30 * MINUTE, rng.choice((1, 1000)))
        wait = rng.choice(
            (
                rng.randrange(0, 2 * limit),
                limit + rng.choice((-1, 0, 1)),
                limit * 3 // 4 + rng.choice((-1, 0, 1)),
            )
        )
        told.append((queue, channel, entered, None if rng.random() < 0.1 else entered + wait))
    return told


def folded(told: list[Told], rng: random.Random, config: Config, *, until_ms: int) -> Watching:
    """The facts in order of occurrence, time moving in steps between them, restarts now and then."""
    watching = Watching(config)
    facts = [(entered, n, True) for n, (_, _, entered, _) in enumerate(told)]
    facts += [(left, n, False) for n, (_, _, _, left) in enumerate(told) if left is not None]
    now_ms = 0
    for at_ms, number, is_entry in sorted(facts, key=lambda fact: (fact[0], fact[1])):
        while now_ms < at_ms - 1 and rng.random() < 0.7:  # who leaves at the limit is told by then
            now_ms = min(at_ms - 1, now_ms + rng.randrange(1, 100_000))
            watching.at(now_ms)
        now_ms = max(now_ms, at_ms)
        queue, channel, _, _ = told[number]
        if is_entry:
            watching.tell(QueueEntered, at_ms, contact=f"c{number}", queue=queue, channel=channel)
        else:
            watching.tell(QueueLeft, at_ms, contact=f"c{number}", queue=queue, outcome=Outcome.ABANDONED)
        if rng.random() < 0.05:
            watching.restart(now_ms, is_noted=rng.random() < 0.5)
    watching.at(until_ms)
    return watching


@given(st.integers(0, 2**32), st.integers(0, 24))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_told_in_order_episodes_are_the_oracles_to_the_millisecond(seed: int, contacts: int) -> None:
    rng = random.Random(seed)
    until_ms = rng.choice((40 * MINUTE, 3 * HOUR))
    phone_ms = rng.choice((120_000, SHORT_MS))
    config = Config(
        queues=[QueueConfig(id="p", site=SITE, wait_limit_s=phone_ms / 1000)],
        flap=FlapConfig(episodes=rng.choice((2, 4)), within_s=rng.choice((60, 900, 5400))),
    )
    watching = folded(history(rng, contacts, phone_ms), rng, config, until_ms=until_ms)
    expected = {
        e.alert_id: (e.queue, e.crossed_ms, e.resolved_ms)
        for e in wait_alerts(watching.log.events, watching.config, now_ms=START_MS + until_ms)
    }
    last: dict[str, Alert] = {}
    for alert in (a for a in watching.sent if a.source is None):
        last[alert.alert_id] = alert
        assert alert.fired_ms >= alert.crossed_ms
        assert alert.site == SITE
    assert {i: (a.queue, a.crossed_ms, a.resolved_ms) for i, a in last.items()} == expected
    assert all((a.state is AlertState.RESOLVED) == (a.resolved_ms is not None) for a in last.values())
    assert all(a.reason is None for a in last.values())
    watching.assert_one_wording()


@given(st.integers(0, 2**32), st.integers(0, 10))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_told_in_any_order_nothing_is_worded_twice_and_what_lasts_is_open(seed: int, contacts: int) -> None:
    """Facts up to five minutes late: an episode may go by another id, but none that lasts is missing."""
    rng = random.Random(seed)
    watching = Watching(Config())
    told = history(rng, contacts)
    facts = [(entered, n, True) for n, (_, _, entered, _) in enumerate(told)]
    facts += [(left, n, False) for n, (_, _, _, left) in enumerate(told) if left is not None]
    late = [
        (at_ms + rng.choice((0, 0, 1, rng.randrange(300_000))), at_ms, n, kind) for at_ms, n, kind in facts
    ]
    now_ms = 0
    for now_ms, at_ms, number, is_entry in sorted(late):
        queue, channel, _, _ = told[number]
        make, more = (QueueEntered, {"channel": channel}) if is_entry else (QueueLeft, LEFT)
        watching.tell(make, at_ms, now_ms=now_ms, contact=f"c{number}", queue=queue, **more)
        if rng.random() < 0.8:
            watching.at(now_ms)
        if rng.random() < 0.05:
            watching.restart(now_ms, is_noted=rng.random() < 0.5)
    watching.at(now_ms)
    expected = wait_alerts(watching.log.events, watching.config, now_ms=START_MS + now_ms)
    lasting = {e.queue for e in expected if e.resolved_ms is None}
    last = {alert.alert_id: alert for alert in watching.sent}
    assert {a.queue for a in last.values() if a.state is AlertState.FIRING} == lasting
    watching.assert_one_wording()
    for alert_id, alert in last.items():
        versions = {a.version for a in watching.sent if a.alert_id == alert_id}
        assert versions == set(range(1, alert.version + 1))
