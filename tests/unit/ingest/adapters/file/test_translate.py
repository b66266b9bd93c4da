"""Histories in CSV and JSONL: single events, whole contacts, and rows that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import SourceConfig
from schemas.events import (
    AgentAccepted,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import Channel, Outcome
from services.ingest.adapters.file.translate import MAX_ROW_BYTES, lines_of, read, translate
from services.ingest.translated import Translated
from tests.doubles.running_source import PSEUDONYMS

NOW_MS = 1_795_400_000_000
RECORDS = {
    "contact": "call_id",
    "entered": "queued at",
    "answered": "answered at",
    "ended": "hung up at",
    "wrap_ended": "free at",
    "queue": "queue",
    "agent": "agent",
    "outcome": "result",
    "customer": "caller",
}


def source(**more: object) -> SourceConfig:
    told: dict[str, object] = {"id": "old", "kind": "file", "site": "paris", "file": "history.csv", **more}
    return SourceConfig(**told)  # type: ignore[arg-type] # the tests name real fields


def told(text: str, **more: object) -> Translated:
    return translate(lines_of([text.encode()]), source(**more), PSEUDONYMS, now_ms=NOW_MS)


HISTORY = """\
call_id;caller;queue;queued at;answered at;hung up at;free at;agent;result
2;+33102030405;600;2026-11-22 11:00:10;;2026-11-22 11:00:40;;;hung up
1;+33102030406;600;2026-11-22 11:00:00;2026-11-22 11:00:12;2026-11-22 11:03:00;2026-11-22 11:03:20;7;ok
"""


def test_a_record_of_a_whole_contact_tells_what_happened_to_it_in_order() -> None:
    found = told(
        HISTORY,
        columns=RECORDS,
        time_zone="Europe/Paris",
        map={"600": "support"},
        agents={"7": "lea"},
        outcomes={"hung up": "abandoned"},
        channel=Channel.PHONE,
    )
    kinds: list[tuple[type, str, int]] = [
        (type(event), event.contact, (event.occurred_ms - 1_795_341_600_000) // 1000)  # type: ignore[union-attr]
        for event in found.events
    ]

    assert found.spoiled == []
    assert kinds == [
        (ContactCreated, "1", 0),
        (QueueEntered, "1", 0),
        (ContactCreated, "2", 10),
        (QueueEntered, "2", 10),
        (QueueLeft, "1", 12),
        (AgentAccepted, "1", 12),
        (QueueLeft, "2", 40),
        (ContactEnded, "2", 40),
        (TalkEnded, "1", 180),
        (ContactEnded, "1", 180),
        (WrapEnd, "1", 200),
    ]
    left = [event for event in found.events if isinstance(event, QueueLeft)]
    assert [(each.queue, each.outcome) for each in left] == [
        ("support", Outcome.ANSWERED),
        ("support", Outcome.ABANDONED),
    ]
    assert {event.channel for event in found.events if isinstance(event, QueueEntered)} == {Channel.PHONE}
    assert [event.agent for event in found.events if isinstance(event, AgentAccepted)] == ["lea"]


def test_who_called_is_a_pseudonym() -> None:
    found = told(HISTORY, columns=RECORDS, outcomes={"hung up": "abandoned"})

    assert "+331" not in repr(found)
    assert [e.customer for e in found.events if isinstance(e, ContactCreated)] == [
        PSEUDONYMS.of("+33102030406"),
        PSEUDONYMS.of("+33102030405"),
    ]


def test_how_it_ended_is_unknown_where_the_record_does_not_tell() -> None:
    same = {name: name for name in ("contact", "entered", "ended", "queue")}
    found = told("contact,entered,ended,queue\n1,1795341600,1795341660,q\n", columns=same)

    assert [event.outcome for event in found.events if isinstance(event, QueueLeft)] == [Outcome.UNKNOWN]


EVENT_COLUMNS = {"type": "what", "time": "at", "contact": "ref", "queue": "where.name"}


def test_rows_of_events_with_words_of_their_own_in_nested_objects() -> None:
    text = (
        '{"what": "IN", "at": 1795341600123, "ref": 12, "where": {"name": "letters"}}\n'
        '{"what": "DONE", "at": 1795341700000, "ref": 12}\n'
    )
    found = told(
        text, format="jsonl", columns=EVENT_COLUMNS, events={"IN": "queue.entered", "DONE": "contact.ended"}
    )

    assert [(type(e), e.occurred_ms, e.id) for e in found.events] == [
        (QueueEntered, 1_795_341_600_123, "12/queue.entered/1795341600123"),
        (ContactEnded, 1_795_341_700_000, "12/contact.ended/1795341700000"),
    ]


def test_the_newest_first_is_told_the_oldest_first() -> None:
    text = "".join(
        f'{{"what": "queue.entered", "at": {at}, "ref": "{at}", "where": {{"name": "q"}}}}\n'
        for at in (30, 20, 10)
    )
    found = told(text, format="jsonl", columns=EVENT_COLUMNS)

    assert [event.occurred_ms for event in found.events] == [10_000, 20_000, 30_000]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ('{"what": "queue.entered", "ref": "1"}', "row: time: missing"),
        ('{"at": 5, "ref": "1"}', "row: type: missing"),
        ('{"what": "queue.entered", "at": "noon", "ref": "1"}', "row: time: not an instant"),
        ('{"what": "queue.entered", "at": 5, "where": {"name": "q"}}', "row: data.contact: missing"),
        ("[1, 2]", "row: not an object, or cells are missing"),
        ("{", "row: not an object, or cells are missing"),
        ("[" * 100_000, f"row: above {MAX_ROW_BYTES} bytes"),
    ],
)
def test_a_row_that_is_none_is_spoiled_with_its_reason_and_spoils_no_other(line: str, detail: str) -> None:
    good = '{"what": "contact.ended", "at": 5, "ref": "1"}'
    found = told(f"{good}\n{line}\n{good}\n", format="jsonl", columns=EVENT_COLUMNS)

    assert [each.detail for each in found.spoiled] == [detail]
    assert len(found.events) == 2


def test_an_unknown_word_is_counted() -> None:
    found = told('{"what": "COFFEE", "at": 5, "ref": "1"}', format="jsonl", columns=EVENT_COLUMNS)

    assert (found.unknown, found.spoiled, found.events) == ({"COFFEE": 1}, [], [])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_usual_separator_and_a_mark_at_the_beginning(separator: str) -> None:
    text = "\ufeff" + separator.join(["what", "at", "ref", "where.name"]) + "\r\n"
    text += separator.join(["queue.entered", "5", '"a, b"', "q"]) + "\r\n"
    (event,) = told(text, columns=EVENT_COLUMNS).events

    assert isinstance(event, QueueEntered)
    assert (event.contact, event.queue) == ("a, b", "q")


def test_a_row_with_too_few_cells_is_spoiled() -> None:
    found = told("what,at,ref,where.name\nqueue.entered,5\n", columns=EVENT_COLUMNS)

    assert [each.detail for each in found.spoiled] == ["row: not an object, or cells are missing"]


def test_the_same_file_gives_the_same_ids() -> None:
    once, twice = (told(HISTORY, columns=RECORDS).events for _ in range(2))

    assert [event.id for event in once] == [event.id for event in twice]
    assert len({event.id for event in once}) == len(once)


@given(st.lists(st.binary(max_size=200)))
def test_any_bytes_in_any_cut_never_raise(chunks: list[bytes]) -> None:
    for config in (source(columns=RECORDS), source(columns=EVENT_COLUMNS, format="jsonl")):
        read(chunks, config, PSEUDONYMS)


def test_lines_in_any_cut_are_the_same_lines() -> None:
    text = b"one\r\ntwo\n\nthree"
    whole: list[bytes] = list(lines_of([text]))

    assert whole == [b"one", b"two", b"", b"three"]
    for cut in range(len(text)):
        assert list(lines_of([text[:cut], text[cut:]])) == whole
