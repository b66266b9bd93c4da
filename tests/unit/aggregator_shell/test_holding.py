"""One partition in memory: every offset once, in order, in flushes that fit."""

from collections.abc import Sequence

import pytest

from schemas import codec
from schemas.config import Config
from schemas.events import QueueEntered
from services.aggregator.holdings import Holding, Hole
from tests.doubles.counting_partition import CountingPartition
from tests.unit.aggregator_shell.kafka_records import event_record

_PLENTY = 1 << 20


def _event(number: int, *, queue: str = "support") -> bytes:
    return codec.encode(
        QueueEntered(
            id=f"e{number}",
            source="pbx1",
            site="main",
            queue=queue,
            contact=f"c{number}",
            occurred_ms=number,
            received_ms=number,
        )
    )


def _holding(applied: int = -1) -> tuple[Holding, CountingPartition]:
    partition = CountingPartition(0, Config())
    partition.applied = applied
    return Holding(0, partition, end=0), partition


def _fold(holding: Holding, offsets: Sequence[int], *, flush_bytes: int = _PLENTY, start: int = 0) -> int:
    records = [event_record(offset, _event(offset), timestamp=1000 + offset) for offset in offsets]
    return holding.fold(records, start, flush_bytes=flush_bytes)


def test_records_in_order_are_all_folded() -> None:
    holding, partition = _holding()
    assert _fold(holding, range(5)) == 5
    assert partition.applied == 4
    assert partition.tallies["main", "support"].events == 5
    assert holding.last_appended_ms == 1004


def test_records_folded_before_are_passed_over() -> None:
    holding, partition = _holding(applied=2)
    _fold(holding, range(5))
    assert partition.tallies["main", "support"].events == 2


def test_missing_offset_is_a_hole_with_both_numbers() -> None:
    holding, _ = _holding()
    with pytest.raises(Hole) as hole:
        _fold(holding, [0, 1, 3])
    assert (hole.value.applied, hole.value.offset) == (1, 3)


def test_fold_stops_early_when_the_flush_grows_large() -> None:
    holding, partition = _holding()
    place = _fold(holding, range(600), flush_bytes=1)
    assert place == 1
    assert partition.applied == 0
    assert _fold(holding, range(600), flush_bytes=1, start=place) == 129


def test_fold_that_takes_long_stops_in_between_and_always_gets_on() -> None:
    holding, partition = _holding()
    records = [event_record(offset, _event(offset), timestamp=1000 + offset) for offset in range(300)]
    place = 0
    for _ in range(4):
        place = holding.fold(records, place, flush_bytes=_PLENTY, until=0.0)
    assert place == 300
    assert partition.applied == 299


def test_record_that_is_no_event_becomes_a_dead_letter() -> None:
    holding, partition = _holding()
    holding.fold([event_record(0, b"{nonsense")], 0, flush_bytes=_PLENTY)
    assert [letter.reason for letter in holding.letters] == ["invalid"]
    assert partition.applied == 0


def test_lag_is_what_the_log_has_beyond_the_applied() -> None:
    holding, _ = _holding(applied=6)
    holding.end = 10
    assert holding.lag == 3
    holding.end = 5
    assert holding.lag == 0
