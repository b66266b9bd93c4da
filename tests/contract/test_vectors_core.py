"""Every figure of `vectors/` that is a live one comes out of the real fold, as a row of the board.

Which rows are no live figure, and why: `NOT_LIVE`; that each row is one or the other is shown beside
the oracle, which runs through the same cases.
"""

import pytest

from tests.data.vector_case import QUEUE, SITE, Case
from tests.data.vector_cases import cases
from tests.unit.aggregator.core.folding import fold, rows, whole

CASES = cases()
STEPS = 40
"""About how often time passes in a case."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_core_gives_the_figure(case: Case) -> None:
    partition = fold(case.events, case.config, case.now_ms)
    row = rows(partition, case.now_ms)[0][SITE, QUEUE]
    assert case.figure(row) == pytest.approx(case.expected, rel=0, abs=case.tolerance)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_core_gives_it_when_time_passes_with_the_events(case: Case) -> None:
    """As on a live system: a few events are folded at their instant, then rows are shown, and so on."""
    clock_ms = min((event.occurred_ms for event in case.events), default=case.now_ms)
    partition = whole(case.config, clock_ms)
    step = len(case.events) // STEPS + 1
    for start in range(0, len(case.events), step):
        some = case.events[start : start + step]
        clock_ms = max(clock_ms, *(event.occurred_ms for event in some))
        fold(some, case.config, clock_ms, partition=partition)
        partition.rows(clock_ms)
    partition.advance(case.now_ms)
    row = rows(partition, case.now_ms)[0][SITE, QUEUE]
    assert case.figure(row) == pytest.approx(case.expected, rel=0, abs=case.tolerance)
