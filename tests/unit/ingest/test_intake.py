"""One posted body: what goes into the log, what is answered, what becomes a dead letter."""

import hashlib
from typing import Any

import pytest

from schemas import codec
from schemas.vocabulary import Reason
from services.ingest.cloudevents import Mode
from services.ingest.intake import BATCH_ENTRIES, EVENT_BYTES, Intake
from tests.unit.ingest.posts import NOW_MS, body, door, entered

GOOD = entered()
INVALID = entered(data={"contact": "c"})
FUTURE = entered(time="2026-11-22T11:00:00Z")
UNKNOWN = entered(type="com.example.someevent")
LARGE = entered(data={"contact": "c", "queue": "q", "more": "x" * EVENT_BYTES})
ELSEWHERE = entered(site="lyon")


def take(posted: Any, *, mode: Mode = Mode.BATCH) -> Intake:
    entry = posted if isinstance(posted, bytes) else body(posted)
    return door("paris").take(mode, [], entry, now_ms=NOW_MS)


def test_batch_is_answered_entry_by_entry() -> None:
    intake = take([GOOD, INVALID, FUTURE, UNKNOWN, LARGE, ELSEWHERE, GOOD, 7])
    assert intake.status == 202
    assert len(intake.events) == 2
    assert [(line.index, line.reason) for line in intake.rejected] == [
        (1, Reason.INVALID),
        (2, Reason.FUTURE),
        (3, Reason.UNKNOWN_TYPE),
        (4, Reason.TOO_LARGE),
        (5, Reason.UNKNOWN_SITE),
        (7, Reason.INVALID),
    ]


def test_every_entry_is_counted_once_by_source_and_outcome() -> None:
    intake = take([GOOD, INVALID, FUTURE, UNKNOWN, LARGE, ELSEWHERE, GOOD, 7])
    assert intake.outcomes == {
        ("shop", Reason.ACCEPTED): 2,
        ("shop", Reason.INVALID): 1,
        ("shop", Reason.FUTURE): 1,
        ("shop", Reason.UNKNOWN_TYPE): 1,
        ("http", Reason.TOO_LARGE): 1,
        ("shop", Reason.UNKNOWN_SITE): 1,
        ("http", Reason.INVALID): 1,
    }


@pytest.mark.parametrize(
    ("posted", "reason", "source"),
    [
        (INVALID, "invalid", "shop"),
        (FUTURE, "future", "shop"),
        (LARGE, "too_large", "http"),
        (7, "invalid", "http"),
    ],
)
def test_dead_letter_of_what_was_meant_for_us(posted: Any, reason: str, source: str) -> None:
    entry = body(posted)
    (letter,) = take(b"[" + entry + b"]").letters
    assert (letter.reason, letter.source, letter.received_ms) == (reason, source, NOW_MS)
    assert (letter.sha256, letter.size) == (hashlib.sha256(entry).hexdigest(), len(entry))


@pytest.mark.parametrize("posted", [GOOD, UNKNOWN, ELSEWHERE])
def test_no_dead_letter_of_the_others(posted: Any) -> None:
    assert take([posted]).letters == []


def test_dead_letters_hold_nothing_of_what_was_sent() -> None:
    told = "+33612345678"
    posted = [
        entered(data={"contact": told, "queue": [told]}),
        entered(id=told * 99),
        entered(time=told),
        entered(data={"contact": "c", "queue": "q", "channel": told}),
        told,
    ]
    assert [b"612345" in codec.encode(letter) for letter in take(posted).letters] == [False] * 5


@pytest.mark.parametrize("posted", [[INVALID], [UNKNOWN, ELSEWHERE], [LARGE], b"{", {}, b"null", b""])
def test_nothing_taken_is_400(posted: Any) -> None:
    intake = take(posted)
    assert (intake.status, intake.events) == (400, [])
    assert intake.rejected


def test_empty_batch_is_taken() -> None:
    assert (take([]).status, take([]).rejected) == (202, [])


@pytest.mark.parametrize("mode", [Mode.STRUCTURED, Mode.BINARY])
def test_event_alone_that_is_too_large_is_413(mode: Mode) -> None:
    intake = take(LARGE, mode=mode)
    assert (intake.status, [line.reason for line in intake.rejected]) == (413, [Reason.TOO_LARGE])
    assert [letter.reason for letter in intake.letters] == ["too_large"]


def test_event_of_the_greatest_size_is_taken() -> None:
    room = EVENT_BYTES - len(body(entered(note="")))
    assert take(entered(note="x" * room), mode=Mode.STRUCTURED).status == 202
    assert take(entered(note="x" * (room + 1)), mode=Mode.STRUCTURED).status == 413


def test_batch_of_more_entries_than_events_fit_is_413() -> None:
    intake = take(b"[" + b",".join([b"1"] * (BATCH_ENTRIES + 1)) + b"]")
    assert (intake.status, len(intake.rejected), len(intake.letters)) == (413, 1, 1)


def test_ignored_fields_are_counted_by_event() -> None:
    more = entered(data={"contact": "c", "queue": "q", "a": 1, "b": 2})
    assert take([more, GOOD, more]).ignored == {"queue.entered": 4}
