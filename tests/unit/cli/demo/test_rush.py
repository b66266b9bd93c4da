"""The rush, for twenty seeds: it starts in time, crosses two minutes, recovers, and stays alone."""

import pytest

from services.cli.demo.profile import CONTACTS_PER_MIN
from services.cli.demo.rush import Phase
from services.cli.demo.simulation import Simulation
from tests.unit.cli.demo.counter import (
    LIMIT_S,
    MINUTE_MS,
    SEEDS,
    START_MS,
    longest_wait_s,
    visits,
    visits_of,
    waits_after,
)

END_MS = START_MS + 12 * MINUTE_MS
CLEAR_S = 90.0


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_rush_starts_sixty_to_ninety_seconds_after_the_start(seed: int) -> None:
    centre = Simulation(seed, CONTACTS_PER_MIN, START_MS)
    centre.step(START_MS + 59_999)
    phases = [centre.rush.phase]
    centre.step(START_MS + 90_001)
    phases.append(centre.rush.phase)
    assert phases == [Phase.QUIET, Phase.BUILDING]


@pytest.mark.parametrize("seed", SEEDS)
def test_billing_crosses_two_minutes_and_recovers_within_five(seed: int) -> None:
    billing = [v for v in visits_of(seed) if v.queue == "facturation" and waits_after(v, START_MS)]
    waits = {at: longest_wait_s(billing, at) for at in range(START_MS, END_MS, 1000)}
    crossed = next(at for at, wait in waits.items() if wait >= LIMIT_S.get("facturation", 120))
    recovered = next(at for at, wait in waits.items() if at > crossed and wait < CLEAR_S)
    assert 120_000 <= crossed - START_MS <= 330_000
    assert recovered - crossed >= 20_000
    assert recovered - START_MS <= 60_000 + 300_000
    assert max(wait for at, wait in waits.items() if at > recovered) < 120


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_one_other_queue_crosses_its_limit(seed: int) -> None:
    crossing = {v.queue for v in visits_of(seed) if v.wait_s(END_MS) >= LIMIT_S.get(v.queue, 120)}
    assert "facturation" in crossing
    assert len(crossing) <= 2


@pytest.mark.parametrize("rate", [6.0, 40.0])
def test_rush_crosses_at_other_paces_too(rate: float) -> None:
    centre = Simulation(3, rate, START_MS)
    every = visits(centre.step(END_MS))
    seen = [v for v in every if v.queue == "facturation" and waits_after(v, START_MS)]
    waits = [longest_wait_s(seen, at) for at in range(START_MS, END_MS, 5000)]
    assert max(waits) >= 120
    assert waits[-1] < 120


def test_next_rush_takes_its_turn_elsewhere() -> None:
    centre = Simulation(1, CONTACTS_PER_MIN, START_MS)
    queues = []
    for minute in range(80):
        centre.step(START_MS + minute * MINUTE_MS)
        if centre.rush.phase is Phase.BUILDING and centre.rush.queue.id not in queues:
            queues.append(centre.rush.queue.id)
    assert queues == ["facturation", "support-technique", "service-client"]
