"""How fresh a row is now: SEMANTICS.md §6."""

import pytest
from msgspec import structs

from schemas.board import Backlog, Limits
from schemas.vocabulary import Freshness
from services.api import freshness
from tests.unit.api.rows import BACKLOG, NOW, queue_row, site_row, source_row

LIVE, CATCHING_UP, STALE, UNKNOWN = Freshness


@pytest.mark.parametrize(
    ("said", "heard_ms", "stale_at_ms", "worker", "expected"),
    [
        (LIVE, NOW - 100, NOW + 1, LIVE, LIVE),
        (LIVE, NOW - 100, None, LIVE, LIVE),
        (LIVE, NOW - 100, NOW, LIVE, STALE),
        (LIVE, NOW - 100, NOW - 1, CATCHING_UP, STALE),
        (STALE, NOW - 100, NOW + 9999, LIVE, STALE),
        (CATCHING_UP, NOW - 100, NOW + 9999, LIVE, CATCHING_UP),
        (LIVE, NOW - 100, NOW + 9999, CATCHING_UP, CATCHING_UP),
        (CATCHING_UP, NOW - 100, NOW + 9999, STALE, STALE),
        (LIVE, NOW - 100, NOW + 9999, STALE, STALE),
        (LIVE, None, None, LIVE, UNKNOWN),
        (STALE, None, None, STALE, UNKNOWN),
        (UNKNOWN, NOW - 100, NOW + 9999, LIVE, LIVE),
    ],
)
def test_a_row_is_as_fresh_as_its_worker_and_its_source(
    said: Freshness, heard_ms: int | None, stale_at_ms: int | None, worker: Freshness, expected: Freshness
) -> None:
    for row in (queue_row, site_row, source_row):
        made = row(freshness=said, heard_ms=heard_ms, stale_at_ms=stale_at_ms)
        assert freshness.of_row(made, worker, NOW) is expected


@pytest.mark.parametrize(
    ("as_of_ms", "received_ms", "expected"),
    [
        (NOW, NOW, LIVE),
        (NOW - 3000, NOW - 3000, LIVE),
        (NOW - 3001, NOW, STALE),
        (NOW, NOW - 3001, STALE),
        (NOW + 60_000, NOW - 3001, STALE),
    ],
)
def test_a_worker_silent_for_more_than_three_seconds_is_stale(
    as_of_ms: int, received_ms: int, expected: Freshness
) -> None:
    assert freshness.of_worker(site_row(as_of_ms=as_of_ms), received_ms, NOW) is expected


def test_a_worker_that_never_wrote_is_stale() -> None:
    assert freshness.of_worker(None, 0, NOW) is STALE


def test_age_counts_from_when_it_was_heard() -> None:
    assert freshness.age_ms(None, NOW) is None
    assert freshness.age_ms(NOW - 120, NOW) == 120
    assert freshness.age_ms(NOW + 5, NOW) == 0


def test_longest_wait_grows_with_the_clock() -> None:
    row = queue_row(entered_ms=[NOW - 61_200, NOW - 1000])
    assert freshness.longest_wait_s(row, NOW) == 61.2
    assert freshness.longest_wait_s(row, NOW + 800) == 62.0
    assert freshness.longest_wait_s(queue_row(), NOW) is None
    assert freshness.longest_wait_s(queue_row(entered_ms=[NOW + 3]), NOW) == 0


@pytest.mark.parametrize(
    ("waited_ms", "counts"),
    [(0, 0), (89_999, 0), (90_000, 1), (119_999, 1), (120_000, 0), (500_000, 0)],
)
def test_pre_breach_counts_those_within_thirty_seconds_of_the_limit(waited_ms: int, counts: int) -> None:
    found = freshness.pre_breach(queue_row(entered_ms=[NOW - waited_ms]), NOW)
    assert (found.count, found.threshold_s, found.within_s) == (counts, 120, 30)


def test_pre_breach_of_a_limit_below_thirty_seconds_counts_everybody_below_it() -> None:
    row = queue_row(entered_ms=[NOW - 25_000, NOW - 5000], limits=Limits(wait_s=20, service_level=0.8))
    assert freshness.pre_breach(row, NOW).count == 1


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("open_", "changes_ms", "later_ms", "business_s"),
    [
        (True, None, 2000, 36_002),
        (True, NOW + HOUR_MS, 2000, 36_002),
        (True, NOW + 1000, 2000, 36_001),  # it has closed since
        (False, NOW + HOUR_MS, 2000, 36_000),
        (False, NOW + 1500, 2000, 36_000.5),  # it has opened since
        (False, None, 2000, 36_000),
        (False, NOW - 1000, 2000, 36_002),  # as the row was made
        (True, None, -2000, 36_000),  # our clock behind the worker's
    ],
)
def test_the_business_age_goes_on_while_the_queue_is_open(
    open_: bool, changes_ms: int | None, later_ms: int, business_s: float
) -> None:
    found = freshness.backlog(queue_row(open=open_, changes_ms=changes_ms, backlog=BACKLOG), NOW + later_ms)
    assert found is not None
    assert found.oldest_business_s == business_s
    assert found.oldest_s == 90_000 + later_ms / 1000


def test_business_time_is_never_longer_than_the_calendars() -> None:
    young = structs.replace(BACKLOG, oldest_ms=NOW + 1000, oldest_s=0, oldest_business_s=0)
    found = freshness.backlog(queue_row(backlog=young), NOW + 1500)
    assert found is not None
    assert (found.oldest_s, found.oldest_business_s) == (0.5, 0.5)


def test_without_open_items_nothing_ages() -> None:
    empty = Backlog(open=0, promise_s=3600)
    assert freshness.backlog(queue_row(backlog=empty), NOW + 5000) == empty
    assert freshness.backlog(queue_row(), NOW) is None
