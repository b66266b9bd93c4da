"""The clock of a source, by its heartbeats: a median that no repeat, order or bad reading moves."""

import itertools

import pytest

from schemas.codec import encode
from schemas.config import Config
from schemas.events import QueueEntered, SourceHeartbeat
from services.aggregator.core.sources import Source
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

DAY_MS = 86_400_000


def skew_of(*beats: tuple[int, int]) -> int:
    """(received, clock) pairs from the start, told in that order."""
    source = Source("pbx")
    for received_ms, clock_ms in beats:
        source.beat(START_MS + received_ms, START_MS + clock_ms)
    return source.skew_ms


def test_a_repeated_reading_is_as_old_as_its_first_receipt() -> None:
    assert skew_of((0, 0), (20_000, 0)) == 0
    assert skew_of((20_000, 0), (0, 0)) == 0
    assert skew_of((0, -10_000), (5000, -5000), *[(60_000 * n, -10_000) for n in range(1, 9)]) == 10_000


def test_a_repeat_after_any_silence_moves_nothing() -> None:
    beats = [(n * 60_000, n * 60_000 - 2000) for n in range(10)]
    for _, clock_ms in beats:
        for later_ms in (600_000, 900_000, DAY_MS // 2):
            assert skew_of(*beats, (later_ms, clock_ms)) == 2000


def test_any_order_gives_the_same() -> None:
    beats = [(0, -9000), (100_000, 92_000), (200_000, 190_500), (301_000, 290_000), (301_000, 0)]
    assert {skew_of(*several) for several in itertools.permutations(beats)} == {9500}


@pytest.mark.parametrize(
    ("behind_ms", "skew_ms"),
    [
        (250, 0),
        (251, 251),
        (3_600_000, 3_600_000),
        (DAY_MS, DAY_MS),
        (DAY_MS + 1, 0),
        (START_MS, 0),
        (-251, -251),
        (-300_000, -300_000),
        (-300_001, 0),
        (-(2**53 - 1 - START_MS), 0),
    ],
)
def test_a_clock_that_does_not_tell_the_time_is_not_followed(behind_ms: int, skew_ms: int) -> None:
    assert skew_of((0, -behind_ms)) == skew_ms


@pytest.mark.parametrize("clock_ms", [2**53 - 1, START_MS + 300_001])
def test_a_clock_far_ahead_is_a_dead_letter_and_moves_no_alert(clock_ms: int) -> None:
    watching = Watching(Config())
    beat = SourceHeartbeat(
        id="b", source="pbx", site=SITE, occurred_ms=START_MS, received_ms=START_MS, clock_ms=clock_ms
    )
    letter = watching.partition.fold(encode(beat), offset=0, appended_ms=START_MS, now_ms=START_MS)
    assert letter is not None
    assert (letter.reason, letter.source, letter.site) == ("future", "pbx", SITE)
    assert watching.partition.sites == {}


def test_the_same_heartbeat_again_leaves_the_waits_as_they_were() -> None:
    watching = Watching(Config())
    watching.tell(SourceHeartbeat, 0, id="b", clock_ms=START_MS)
    watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
    watching.tell(SourceHeartbeat, 20_000, id="b", clock_ms=START_MS)
    watching.at(30_000)
    found, sites = rows(watching.partition, START_MS + 30_000)
    assert found[SITE, QUEUE].longest_wait_s == 30.0
    assert [source.skew_ms for source in sites[SITE].sources if source.source == "pbx"] == [0]


def test_every_figure_of_a_wait_in_progress_is_on_our_clock() -> None:
    """A clock 10 s slow: who entered at 0 by it entered at 10 s by ours, in the window's longest wait too."""
    watching = Watching(Config())
    watching.tell(SourceHeartbeat, 0, clock_ms=START_MS - 10_000)
    watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
    watching.tell(QueueEntered, 5000, contact="b", queue=QUEUE, source="crm")
    for now_ms in (40_000, 6 * 60_000):
        watching.at(now_ms)
        [row] = rows(watching.partition, START_MS + now_ms)[0].values()
        for window in row.windows.values():
            assert window.longest_wait_s in (None, row.longest_wait_s)
        assert row.trend.longest_wait_s[-1] == row.longest_wait_s == (now_ms - 5000) / 1000
        expected = figures(watching.log.events, watching.config, now_ms=START_MS + now_ms)
        assert differences(expected[SITE, QUEUE], row) == []
