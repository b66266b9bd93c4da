"""What a reader of the state log believes: the records that lie where their writer expected them."""

import pytest

from schemas.errors import InvalidMessage
from services.aggregator.state_log import Loaded
from tests.unit.aggregator_shell.kafka_records import event_record, state_record


def test_newest_value_of_each_key_counts_and_a_tombstone_takes_it_away() -> None:
    loaded = Loaded()
    loaded.read(state_record(0, b"a", b"1", at=0))
    loaded.read(state_record(1, b"b", b"1", at=1))
    loaded.read(state_record(2, b"a", b"2", at=2))
    loaded.read(state_record(3, b"b", None, at=3))
    assert loaded.records == {b"a": b"2"}
    assert loaded.hidden == {}


def test_record_of_a_writer_that_did_not_know_of_another_is_void() -> None:
    loaded = Loaded()
    loaded.read(state_record(0, b"a", b"good", at=0))
    loaded.read(state_record(1, b"a", b"stale", at=0))
    loaded.read(state_record(2, b"new", b"stale", at=1))
    assert loaded.records == {b"a": b"good"}


def test_keys_hidden_by_void_records_are_named_with_what_to_write_again() -> None:
    loaded = Loaded()
    loaded.read(state_record(0, b"a", b"good", at=0))
    loaded.read(state_record(1, b"b", b"good", at=1))
    for offset, key in ((2, b"a"), (3, b"b"), (4, b"never")):
        loaded.read(state_record(offset, key, b"stale", at=offset - 1))
    loaded.read(state_record(5, b"b", b"newer", at=5))
    assert loaded.hidden == {b"a": b"good", b"never": None}


def test_compaction_leaves_holes_that_change_nothing() -> None:
    loaded = Loaded()
    loaded.read(state_record(17, b"a", b"1", at=17))
    loaded.read(state_record(90, b"b", b"1", at=90))
    assert loaded.records == {b"a": b"1", b"b": b"1"}


def test_record_that_no_aggregator_wrote_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="not written by an aggregator"):
        Loaded().read(event_record(0, b"{}"))
