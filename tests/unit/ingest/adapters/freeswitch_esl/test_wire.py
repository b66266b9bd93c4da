"""What is read out of an event, and out of the tables that answers are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.freeswitch_esl.frames import Frame
from services.ingest.adapters.freeswitch_esl.wire import (
    Event,
    event_of,
    from_block,
    from_json,
    from_plain,
    instant_us,
    is_uuid,
    seconds_ms,
    table,
)
from services.ingest.translated import Spoiled

HEADERS = {
    "Event-Name": "CUSTOM",
    "Event-Subclass": "callcenter::info",
    "Event-Date-Timestamp": "1696995740950000",
    "CC-Action": "member-queue-start",
    "CC-Queue": "3000@default",
}
PLAIN = (
    b"Event-Name: CUSTOM\nEvent-Subclass: callcenter%3A%3Ainfo\nEvent-Date-Timestamp: 1696995740950000\n"
    b"CC-Action: member-queue-start\nCC-Queue: 3000%40default\nCC-Agent: _undef_\n"
    b"CC-Member-CID-Name: Zoe%20Caller\nvariable_sip_from_user: 19083426\nContent-Length: 11\n\nCC-Queue: x"
)


def read(told: Event | Spoiled | None) -> Event:
    assert isinstance(told, Event)
    return told


def test_json_and_plain_say_the_same() -> None:
    plain, from_dict = read(from_plain(PLAIN)), read(from_json(json.dumps(HEADERS).encode()))

    assert plain.headers == from_dict.headers == HEADERS
    assert plain.type == "member-queue-start"
    assert plain.get("CC-Agent") == ""


def test_who_calls_and_the_channel_s_variables_end_here() -> None:
    assert "Zoe" not in str(read(from_plain(PLAIN)).headers)
    assert "19083426" not in str(read(from_plain(PLAIN)).headers)


def test_of_a_header_with_several_values_the_first_is_taken() -> None:
    told = read(from_json(b'{"Event-Name": "CHANNEL_HOLD", "Unique-ID": ["a", "b"], "CC-X": []}'))

    assert told.headers == {"Event-Name": "CHANNEL_HOLD", "Unique-ID": "a"}
    assert told.type == "CHANNEL_HOLD"


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"Event-Name": {"a": 1}}', b'{"CC-Action": "x"}', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_event_is_spoiled(raw: bytes) -> None:
    told = from_json(raw)

    assert isinstance(told, Spoiled)
    assert told.size == len(raw)


def test_blocks_are_read_encoded_or_not() -> None:
    clear = b"Event-Subclass: callcenter::info\nEvent-Name: CUSTOM\nCC-Queue: 100%25\nCC-Action: x"
    encoded = b"Event-Subclass: callcenter%3A%3Ainfo\nEvent-Name: CUSTOM\nCC-Queue: 100%25\nCC-Action: x"

    assert read(from_block(clear)).get("CC-Queue") == "100%25"
    assert read(from_block(encoded)).get("CC-Queue") == "100%"


@pytest.mark.parametrize("kind", ["log/data", "api/response", "command/reply", "auth/request"])
def test_other_frames_hold_no_event(kind: str) -> None:
    assert event_of(Frame(type=kind, headers={}, body=b"{}")) is None


def test_a_refused_frame_holds_no_event() -> None:
    assert event_of(Frame(type="text/event-json", headers={}, is_refused=True)) is None


@pytest.mark.parametrize(
    ("more", "at_us"),
    [
        ({"Event-Date-Timestamp": "1696995740950123"}, 1_696_995_740_950_123),
        ({"Event-Date-Timestamp": "1696995740950123", "CC-Agent-Answered-Time": "9"}, 1_696_995_740_950_123),
        ({"CC-Agent-Answered-Time": "10009", "CC-Agent-Called-Time": "10000"}, 10_009_000_000),
        ({"CC-Agent-Answered-Time": "0"}, None),
        ({"Event-Date-Timestamp": "soon"}, None),
        ({"Event-Date-Timestamp": "1e9"}, None),
        ({"Event-Date-Timestamp": "99999999999999999"}, None),
    ],
)
def test_whole_seconds_are_taken_only_where_there_is_nothing_better(
    more: dict[str, str], at_us: int | None
) -> None:
    headers = {
        "Event-Name": "CUSTOM",
        "Event-Subclass": "callcenter::info",
        "CC-Action": "bridge-agent-start",
    }

    assert instant_us(read(from_json(json.dumps({**headers, **more}).encode()))) == at_us


def test_seconds_that_are_none_are_none() -> None:
    told = read(from_json(b'{"Event-Name": "X", "CC-A": "0", "CC-B": "10", "CC-C": "-3"}'))

    assert [seconds_ms(told, f"CC-{key}") for key in "ABCD"] == [None, 10_000, None, None]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("+OK\n", []),
        ("a|b|c\n1|2|3\n+OK\n", [{"a": "1", "b": "2", "c": "3"}]),
        ("a|b|c\r\n1|2|3\r\n+OK\r\n", [{"a": "1", "b": "2", "c": "3"}]),
        ("a|b|c\n1|x|y|3\n+OK\n", [{"a": "1", "b": "x|y", "c": "3"}]),
        ("a|b|c\n1|x\ny|3\n4||6\n+OK\n", [{"a": "1", "b": "x\ny", "c": "3"}, {"a": "4", "b": "", "c": "6"}]),
        ("a|b|c\n1|(null)|3\n+OK\n", [{"a": "1", "b": "", "c": "3"}]),
        ("a|b|c\n1|2|3\n", None),
        ("-ERR Invalid!\n", None),
        ("", None),
    ],
)
def test_tables_are_read_whatever_their_free_column_holds(
    text: str, rows: list[dict[str, str]] | None
) -> None:
    assert table(text, free="b") == rows


@given(st.text(alphabet="a|\n+OK(", max_size=60))
def test_no_table_raises(text: str) -> None:
    table(text, free="a")
    table(f"a|b\n{text}\n+OK", free="b")


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "x" * 65, "é"])
def test_what_may_not_stand_in_a_command_is_no_uuid(text: str) -> None:
    assert not is_uuid(text)
    assert is_uuid("503d2093-45f8-4156-bed5-10f1d387d04b")
