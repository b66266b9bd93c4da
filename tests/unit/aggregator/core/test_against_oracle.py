"""The incremental fold gives what the slow, independent fold of tests/oracle gives, whatever happens."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.config import Config
from schemas.events import AnyEvent
from services.aggregator.core.partition import Partition
from tests.oracle.compare import differences, site_differences
from tests.oracle.fold import figures, site_figures
from tests.oracle.story import History
from tests.strategies import big_history, delivered, histories, shuffled
from tests.unit.aggregator.core.folding import StateTopic, fold, rows


def assert_right(partition: Partition, events: list[AnyEvent], config: Config, now_ms: int) -> None:
    queue_rows, site_rows = rows(partition, now_ms)
    wrong = []
    for (site, queue), expected in figures(events, config, now_ms=now_ms).items():
        found = differences(expected, queue_rows[site, queue])
        wrong += [f"{site}/{queue} {line}" for line in found]
    for site, expected_site in site_figures(events, config, now_ms=now_ms).items():
        wrong += [f"{site} {line}" for line in site_differences(expected_site, site_rows[site])]
    assert not wrong, "\n".join(wrong[:40])


@given(histories())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_in_order_it_is_the_oracle(history: History) -> None:
    partition = fold(history.events, history.config, history.now_ms)
    assert_right(partition, history.events, history.config, history.now_ms)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_and_any_repeat_give_the_same(data: st.DataObject) -> None:
    history = data.draw(histories())
    events = data.draw(shuffled(history))
    partition = fold(events, history.config, history.now_ms)
    assert_right(partition, history.events, history.config, history.now_ms)


@given(st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_crash_at_any_instant_changes_nothing(data: st.DataObject) -> None:
    """State as of any flush, replay from there: the fold."""
    history = data.draw(histories())
    events = data.draw(shuffled(history))
    now_ms = history.now_ms
    topic = StateTopic()
    partition = Partition(0, history.config, now_ms)
    partition.claim()
    place = 0
    while place < len(events):
        step = data.draw(st.integers(1, 12))
        fold(events[place : place + step], history.config, now_ms, partition=partition)
        if data.draw(st.booleans()):
            topic.flush(partition)
        if data.draw(st.booleans()):
            partition = topic.restored(history.config, now_ms)
        place = partition.applied + 1
    partition.advance(now_ms)
    assert_right(partition, history.events, history.config, now_ms)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_history_with_time_passing_and_crashes_is_the_oracle(seed: int) -> None:
    """The clock moves with the events, rows are shown on the way, the worker restarts now and then."""
    history = big_history(seed, 400)
    rng = random.Random(seed)
    events = delivered(rng, history.events, max_delay_ms=120_000)
    topic = StateTopic()
    start_ms = min((e.occurred_ms for e in events), default=history.now_ms)
    partition = Partition(0, history.config, start_ms)
    partition.claim()
    place, clock_ms = 0, start_ms
    while place < len(events):
        chunk = events[place : place + rng.randint(1, 200)]
        clock_ms = min(history.now_ms, max(clock_ms, *(e.occurred_ms for e in chunk)))
        fold(chunk, history.config, clock_ms, partition=partition)
        partition.rows(clock_ms)
        if rng.random() < 0.5:
            topic.flush(partition)
        if rng.random() < 0.15:
            partition = topic.restored(history.config, clock_ms)
        place = partition.applied + 1
    partition.advance(history.now_ms)
    assert_right(partition, history.events, history.config, history.now_ms)
