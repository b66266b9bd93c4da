"""The simulated centre looks like a real one: figures of the hour before the start, for twenty seeds."""

from collections import Counter
from statistics import mean

import pytest

from services.cli.demo.profile import QUEUES
from tests.unit.cli.demo.counter import (
    LIMIT_S,
    MINUTE_MS,
    SEEDS,
    START_MS,
    Visit,
    abandonment,
    occupancy_of,
    played,
    service_level,
    stretches,
    visits_of,
)

HOUR_MS = 60 * MINUTE_MS
LIVE = [queue.id for queue in QUEUES if queue.id != "email"]


def last_hour(seed: int, queue: str) -> list[Visit]:
    return [v for v in visits_of(seed) if v.queue == queue and 0 < START_MS - v.entered_ms <= HOUR_MS]


@pytest.mark.parametrize("queue", LIVE)
def test_service_level_is_that_of_an_ordinary_day(queue: str) -> None:
    levels = [service_level(last_hour(seed, queue)) for seed in SEEDS]
    assert 0.78 <= mean(levels) <= 0.96
    assert min(levels) >= 0.60


@pytest.mark.parametrize("queue", LIVE)
def test_a_few_per_cent_hang_up(queue: str) -> None:
    shares = [abandonment(last_hour(seed, queue)) for seed in SEEDS]
    assert 0.005 <= mean(shares) <= 0.06
    assert max(shares) <= 0.15


@pytest.mark.parametrize("queue", [queue.id for queue in QUEUES])
def test_occupancy_lies_around_the_wished_band(queue: str) -> None:
    found = [occupancy_of(seed, HOUR_MS)[queue] for seed in SEEDS]
    assert 0.70 <= mean(found) <= 0.88
    assert min(found) >= 0.45
    assert max(found) <= 0.95


def test_contacts_come_at_the_rate_asked_for() -> None:
    """At the mean of the hours from 11:00 to 12:00, twelve contacts a minute."""
    arrivals = [sum(len(last_hour(seed, queue.id)) for queue in QUEUES) for seed in SEEDS]
    assert 620 <= mean(arrivals) <= 860


def test_every_way_to_leave_a_queue_occurs() -> None:
    seen = Counter(v.outcome for seed in SEEDS for v in visits_of(seed))
    assert {"answered", "abandoned", "timeout", "transferred", "callback"} <= set(seen)
    short = [
        v
        for seed in SEEDS
        for v in visits_of(seed)
        if v.outcome == "abandoned" and v.wait_s(START_MS + HOUR_MS) < 5
    ]
    assert len(short) > 20


def test_mails_of_many_hours_lie_in_the_mailbox_and_none_passes_its_limit() -> None:
    for seed in SEEDS:
        waiting = [v for v in visits_of(seed) if v.queue == "email" and v.left_ms is None]
        ages_h = [v.wait_s(START_MS) / 3600 for v in waiting]
        assert 15 <= len(waiting) <= 60
        assert 6 <= max(ages_h) < LIMIT_S["email"] / 3600 - 12


def test_states_of_every_kind_are_seen() -> None:
    states = Counter(one.state for seed in SEEDS for one in stretches(played(seed), START_MS))
    assert set(states) == {
        "available", "ringing", "in_contact", "wrap_up", "paused", "unreachable", "offline"
    }  # fmt: skip
