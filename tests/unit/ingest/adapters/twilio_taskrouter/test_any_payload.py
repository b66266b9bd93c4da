"""Whatever is posted: nothing is raised but for what is no message, and what is told can be read back."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import InvalidMessage
from services.ingest import checking
from services.ingest.adapters.twilio_taskrouter.recording import read
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from services.ingest.translated import Translated
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import START_MS, Task, Told, message, source, worker

NOW_MS = START_MS + 3_600_000
STAY = Task(1).enter("Support", 0)
FORMS = [
    *(STAY.reservation(what, 5, "alice", 7) for what in ("created", "accepted", "canceled", "completed")),
    *(STAY.told(f"task.{what}", 5) for what in ("canceled", "completed", "deleted", "transfer-initiated")),
    STAY.entered,
    Task(1).told("created", 5),
    worker("activity.update", 5, "alice", "Break"),
    worker("capacity.update", 5, "alice", "Break", TaskChannelUniqueName="chat", WorkerChannelCapacity="3"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", " ", 0, -1, 1e308, float("nan"), "9" * 5000, "\ud800", "\u0000", [], {}, "x" * 300, True, "{"]
)


def checked(found: Translated) -> None:
    for event in found.events:
        assert codec.decode_event(codec.encode(event)) == event
        refused = checking.refuse(event, now_ms=NOW_MS)
        assert refused is None or refused.reason in ("future", "invalid")
    for letter in found.spoiled:
        assert letter.detail


def body(translator: Translator, content: bytes, *, is_form: bool) -> None:
    with contextlib.suppress(InvalidMessage):
        checked(translator.body(content, is_form=is_form, now_ms=NOW_MS))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FORMS), st.dictionaries(st.integers(0, 30), ODD | JSON, max_size=4), st.data())
def test_any_field_may_be_anything(told: Told, changes: Mapping[int, Any], data: st.DataObject) -> None:
    event: dict[str, Any] = told.event
    payload = event["data"]["payload"]
    for place, value in changes.items():
        name = sorted(payload)[place % len(payload)]
        if data.draw(st.booleans()):
            payload[name] = value
        else:
            del payload[name]
            payload.setdefault("task_sid", "WT1")
    body(Translator(source(), PSEUDONYMS), json.dumps(event).encode(), is_form=False)


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(["type", "data", "specversion", "time"]))
def test_any_json_is_read_or_refused(found: Any, member: str) -> None:
    event = {**Task(1).told("created", 5).event, member: found}
    for content in (found, [found], event, [event, found]):
        body(Translator(source(), PSEUDONYMS), json.dumps(content).encode(), is_form=False)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(content: bytes, is_form: bool) -> None:
    body(Translator(source(), PSEUDONYMS), content, is_form=is_form)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from([t.form for t in FORMS])
        | JSON.map(lambda found: json.dumps(found).encode()),
        max_size=6,
    )
)
def test_any_recording_is_read(lines: list[bytes]) -> None:
    found = read([b"\n".join(lines)], source(), PSEUDONYMS)

    for event in found.events:
        assert codec.decode_event(codec.encode(event)) == event


@pytest.mark.parametrize(
    ("content", "is_form"),
    [
        (b"", True),
        (b"", False),
        (b"{", False),
        (b"[{}, ", False),
        (b"nonsense", False),
        (b"[" * 100_000, False),
        (b'{"data":' * 100_000, False),
        (b"&".join([b"a=b"] * 501), True),
    ],
)
def test_what_is_no_message_at_all_is_said_so(content: bytes, is_form: bool) -> None:
    with pytest.raises(InvalidMessage, match=r"body: no (form|JSON)"):
        Translator(source(), PSEUDONYMS).body(content, is_form=is_form, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("content", "details"),
    [
        (b"[1, {}]", ["event: expected an object", "type: missing"]),
        (b'{"type": 7}', ["type: missing"]),
        (b'{"type": "com.twilio.taskrouter.task.created"}', ["task.created: task_sid: missing"]),
    ],
)
def test_what_is_no_event_is_a_dead_letter_and_spoils_no_other(content: bytes, details: list[str]) -> None:
    found = Translator(source(), PSEUDONYMS).body(content, is_form=False, now_ms=NOW_MS)

    assert [letter.detail for letter in found.spoiled] == details


def test_each_of_a_batch_has_its_own_bytes_in_its_dead_letter() -> None:
    found = Translator(source(), PSEUDONYMS).body(b'[ {"a":1}, {"b": 22} ]', is_form=False, now_ms=NOW_MS)

    assert [letter.size for letter in found.spoiled] == [7, 9]


def test_a_form_without_a_type_is_a_dead_letter() -> None:
    found = Translator(source(), PSEUDONYMS).body(b"CallSid=CA1&From=x", is_form=True, now_ms=NOW_MS)

    assert [letter.detail for letter in found.spoiled] == ["EventType: missing"]


def test_a_message_of_any_author_is_read() -> None:
    for author in ("\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "x" * 400, "\x00"):
        body(Translator(source(), PSEUDONYMS), message(1, 5, author=author), is_form=True)
