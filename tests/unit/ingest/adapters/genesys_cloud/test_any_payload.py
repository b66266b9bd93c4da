"""Whatever Genesys Cloud sends, broken as it may be: nothing is raised, and every event can be read back."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import InvalidMessage
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.checking import refuse
from services.ingest.translated import Translated
from tests.doubles.genesys_calls import (
    ADA,
    QUEUE,
    START_MS,
    acd,
    agent,
    agent_state,
    analytics,
    conversation,
    customer,
    detail,
    event,
    notification,
    part,
    presence,
    routing,
    source,
    user,
)
from tests.doubles.running_source import PSEUDONYMS

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
GOOD: list[Any] = [
    notification(
        conversation(
            customer(0, end_s=60), acd(5, end_s=16), agent(12, connected_s=16, end_s=60, wrap_s=(60, 80))
        )
    ),
    notification(conversation(customer(0), acd(5)), media="messages"),
    {**notification(conversation(customer(0))), "topicName": f"v2.routing.queues.{QUEUE}.conversations"},
    *(detail(kind, 5) for kind in ("customer.start", "acd.start", "acd.end", "user.end", "acw")),
    *(agent_state(state, 9) for state in ("ALERT", "INTERACT", "HOLD", "WRAPUP", "TERMINATED")),
    user("presence", presence("ON_QUEUE", 0)),
    user("routingStatus", {"routingStatus": routing("IDLE", 0)}),
    user("activity", {"presence": presence("BREAK", 0), "activeQueueIds": [QUEUE]}),
    event(
        f"v2.audits.entitytype.UserPresence.entityid.{ADA}",
        {
            "eventTime": "2024-03-01T09:00:00Z",
            "propertyChanges": [{"property": "PRESENCE", "newValues": ["x"]}],
        },
    ),
    analytics(
        part("c", "customer", ("interact", 0, 60)),
        part("q", "acd", ("interact", 0, 60), queueId=QUEUE),
        part("a", "agent", ("alert", 0, 6), ("hold", 6, 9), ("wrapup", 9, 12), queueId=QUEUE, userId=ADA),
        end_s=60,
    ),
]


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """A payload in which fields are missing, or are something else."""
    payload = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 3))):
        place: Any = payload
        while isinstance(place, dict | list) and place:
            names = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            name = draw(st.sampled_from(names))
            if not isinstance(place[name], dict | list) or draw(st.integers(0, 3)) == 0:
                if draw(st.booleans()):
                    del place[name]
                else:
                    place[name] = draw(ANYTHING)
                break
            place = place[name]
    return payload


def readable(found: Translated) -> None:
    for told in found.events:
        assert codec.decode_event(codec.encode(told)) == told
        refused = refuse(told, now_ms=START_MS + 10**12)
        assert refused is None or refused.reason in ("invalid", "future")


@settings(max_examples=300, deadline=None)
@given(st.lists(damaged() | ANYTHING, max_size=8), st.booleans())
def test_any_payloads_give_readable_events(payloads: list[object], is_pulled: bool) -> None:
    translator = Translator(source(), PSEUDONYMS, is_pulled=is_pulled)
    for at_s, payload in enumerate(payloads):
        readable(translator.take(json.dumps(payload).encode(), START_MS + at_s * 1000))
    if is_pulled:
        tables = [each for each in payloads if isinstance(each, dict)]
        readable(translator.snapshot(tables, START_MS))
        readable(translator.users(tables, {}, START_MS))
        readable(translator.gone(translator.open_contacts(heard_before_ms=10**15), START_MS))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64) | st.text(max_size=64).map(str.encode))
def test_any_bytes_are_refused_or_counted(raw: bytes) -> None:
    translator = Translator(source(), PSEUDONYMS)
    try:
        found = translator.take(raw, START_MS)
    except InvalidMessage:
        assert translator.take_any(raw, START_MS).spoiled
    else:
        assert found.unknown.total() or found.types.total() or found.spoiled or raw.strip() == b"[]"
