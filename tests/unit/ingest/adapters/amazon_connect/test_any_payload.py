"""Whatever Connect sends, broken as it may be: nothing is raised, and every event can be read back."""

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import InvalidMessage
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.checking import refuse
from services.ingest.translated import Translated
from tests.doubles.connect_events import (
    PSEUDONYMS,
    START_MS,
    agent_event,
    body,
    contact_event,
    in_hand,
    iso,
    snapshot,
    source,
)

KINDS = ["INITIATED", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED", "COMPLETED", "CONTACT_DATA_UPDATED"]
METHODS = ["INBOUND", "OUTBOUND", "CALLBACK", "TRANSFER", "QUEUE_TRANSFER", "MONITOR", "x"]
HELD = ["INCOMING", "CONNECTING", "CONNECTED", "CONNECTED_ONHOLD", "MISSED", "ERROR", "ENDED", "PAUSED", "x"]
SECOND = st.integers(0, 100)

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CONTACT_EVENTS = st.builds(
    lambda kind, contact, method, previous, accepted, hung: contact_event(
        kind,
        contact,
        queue="support",
        agent="alice",
        accepted=accepted,
        hung=hung,
        initiationMethod=method,
        previousContactId=previous,
    ),
    st.sampled_from(KINDS),
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(METHODS),
    st.sampled_from(["c1", "c2", "null"]),
    st.none() | SECOND,
    SECOND,
)
SNAPSHOTS = st.builds(
    lambda held, status: snapshot(*(in_hand(c, s, at, accepted=at) for c, s, at in held), status=status),
    st.lists(st.tuples(st.sampled_from(["c1", "c2"]), st.sampled_from(HELD), SECOND), max_size=3),
    st.sampled_from(["Available", "Offline", "Lunch"]),
)
AGENT_EVENTS = st.builds(
    agent_event,
    st.sampled_from(["LOGIN", "LOGOUT", "STATE_CHANGE", "HEART_BEAT"]),
    SECOND,
    SNAPSHOTS,
    st.none() | SNAPSHOTS,
)


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """A payload in which fields are missing, or are something else."""
    payload = copy.deepcopy(draw(CONTACT_EVENTS | AGENT_EVENTS))
    for _ in range(draw(st.integers(0, 3))):
        place: object = payload
        while isinstance(place, dict) and place:
            name = draw(st.sampled_from(sorted(place)))
            if not isinstance(place[name], dict) or draw(st.booleans()):
                place[name] = draw(ANYTHING)
                break
            place = place[name]
    return payload


def readable(found: Translated) -> None:
    for event in found.events:
        assert codec.decode_event(codec.encode(event)) == event
        refused = refuse(event, now_ms=START_MS + 10**12)
        assert refused is None or refused.reason == "invalid"


@settings(max_examples=200, deadline=None)
@given(st.lists(damaged() | ANYTHING, max_size=8), st.booleans())
def test_any_payloads_give_readable_events(payloads: list[object], is_stream: bool) -> None:
    translator = Translator(source(), PSEUDONYMS, is_stream=is_stream)
    for at_s, payload in enumerate(payloads):
        readable(translator.take(body(payload), START_MS + at_s * 1000))
        readable(translator.due(START_MS + at_s * 1000))
    readable(translator.due(START_MS + 10**9))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64) | st.text(max_size=64).map(str.encode))
def test_any_bytes_are_refused_or_counted(raw: bytes) -> None:
    translator = Translator(source(), PSEUDONYMS)
    try:
        found = translator.take(raw, START_MS)
    except InvalidMessage:
        return
    assert found.events == []


@settings(max_examples=60, deadline=None)
@given(st.lists(CONTACT_EVENTS, max_size=6))
def test_two_processes_give_the_same_ids(payloads: list[dict[str, object]]) -> None:
    one, other = (Translator(source(), PSEUDONYMS) for _ in range(2))
    said = [translator.take(json.dumps(payloads).encode(), START_MS) for translator in (one, other)]

    assert [event.id for event in said[0].events] == [event.id for event in said[1].events]


def test_what_is_deep_is_refused() -> None:
    raw = b"[" * 100_000 + b"]" * 100_000
    try:
        found = Translator(source(), PSEUDONYMS).take(raw, START_MS)
    except InvalidMessage:
        return
    assert found.events == []


def test_an_instant_of_another_century_is_none_of_ours() -> None:
    event = contact_event("INITIATED", initiationTimestamp="9999-12-31T23:59:59Z")
    assert Translator(source(), PSEUDONYMS).take(body(event), START_MS).spoiled == []
    assert iso(None).startswith("1970")
