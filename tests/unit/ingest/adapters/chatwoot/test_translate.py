"""Chatwoot's webhooks: the first answer of a human, bots, assignment, opened again, surveys; in any order."""

import contextlib
import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas.board import QueueRow
from schemas.config import Config, QueueConfig, SiteConfig, SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import (
    AgentAccepted,
    AgentOffered,
    ContactCreated,
    MessageIn,
    MessageOut,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    SurveyAnswered,
    Transfer,
)
from schemas.vocabulary import Author, Channel, Outcome, WindowName
from services.ingest.adapters.chatwoot.translate import Translator
from tests.doubles.running_source import PSEUDONYMS
from tests.unit.aggregator.core.folding import fold, rows

SOURCE = SourceConfig(id="chat", kind="chatwoot", site="paris", system="chat", map={"3": "shop"})
T = 1_709_287_200
"""Seconds: when the conversation began."""


def conversation(event: str, at_s: float = 0, *, status: str = "open", **more: Any) -> dict[str, Any]:
    return {
        "event": event,
        "id": 77,
        "inbox_id": 3,
        "channel": "Channel::WebWidget",
        "status": status,
        "created_at": T,
        "updated_at": T + at_s,
        "first_reply_created_at": None,
        "waiting_since": T,
        "meta": {"sender": {"phone_number": "+33102030405", "name": "Ada"}, "assignee": None},
        "account": {"id": 2},
        **more,
    }


def changed(name: str, before: object, now: object) -> dict[str, Any]:
    return {name: {"previous_value": before, "current_value": now}}


def lea(number: int = 5) -> dict[str, Any]:
    return {"meta": {"assignee": {"id": number, "name": "Lea Martin", "type": "user"}}}


def assigned(at_s: float, before: int | None, now: int | None, **more: Any) -> dict[str, Any]:
    changes = [changed("assignee_id", before, now)]
    return conversation("conversation_updated", at_s, changed_attributes=changes, **more)


def first_answer(at_s: float) -> dict[str, Any]:
    changes = [changed("first_reply_created_at", None, T + at_s), changed("waiting_since", T, None)]
    told = {"first_reply_created_at": T + at_s, "waiting_since": 0, "changed_attributes": changes, **lea()}
    return conversation("conversation_updated", at_s, **told)


def status(at_s: float, before: str, now: str, **more: Any) -> dict[str, Any]:
    changes = [changed("status", before, now)]
    return conversation("conversation_status_changed", at_s, status=now, changed_attributes=changes, **more)


def message(number: int, at_s: float, kind: str, sender: str | None, **more: Any) -> dict[str, Any]:
    return {
        "event": "message_created",
        "id": number,
        "content": "my secret matter",
        "message_type": kind,
        "private": False,
        "created_at": T + at_s,
        "sender": {"id": 5, "type": sender, "name": "Ada"},
        "conversation": {"id": 77, "inbox_id": 3, "channel": "Channel::WebWidget"},
        "account": {"id": 2},
        **more,
    }


ANSWERED = {"first_reply_created_at": T + 60, "waiting_since": 0, **lea()}


def told(*payloads: dict[str, Any], translator: Translator | None = None) -> list[SourceEvent]:
    translator = translator or Translator(SOURCE, PSEUDONYMS)
    return [
        event
        for payload in payloads
        for event in translator.take(json.dumps(payload).encode(), (T + 5000) * 1000).events
    ]


def row(events: list[SourceEvent], at_s: float = 3000) -> QueueRow:
    """The queue as the board shows it once all is over."""
    now_ms = round((T + at_s) * 1000)
    heard = [structs.replace(event, received_ms=event.occurred_ms) for event in events]
    config = Config(
        sites=[SiteConfig(id="paris")],
        queues=[QueueConfig(id="shop", site="paris", channel=Channel.CHAT)],
        sources=[SOURCE],
        from_file=True,
    )
    return rows(fold(heard, config, now_ms), now_ms)[0]["paris", "shop"]


def outcomes(events: list[SourceEvent]) -> list[tuple[Outcome, float]]:
    return [(e.outcome, e.occurred_ms / 1000 - T) for e in events if isinstance(e, QueueLeft)]


def test_who_writes_waits_in_the_queue_of_the_inbox() -> None:
    created, entered = told(conversation("conversation_created"))

    assert isinstance(created, ContactCreated)
    assert isinstance(entered, QueueEntered)
    assert (created.contact, created.channel) == ("chat/2/77", Channel.CHAT)
    assert created.customer == PSEUDONYMS.of("+33102030405")
    assert (entered.queue, entered.occurred_ms) == ("shop", T * 1000)


@pytest.mark.parametrize(
    ("channel", "ours"),
    [
        ("Channel::Email", Channel.EMAIL),
        ("Channel::Sms", Channel.SMS),
        ("Channel::FacebookPage", Channel.SOCIAL),
        ("Channel::Whatsapp", Channel.CHAT),
        ("Channel::SomethingNew", Channel.CHAT),
    ],
)
def test_channels(channel: str, ours: Channel) -> None:
    created = told(conversation("conversation_created", channel=channel))[0]

    assert isinstance(created, ContactCreated)
    assert created.channel is ours


def test_while_a_bot_has_it_nobody_waits() -> None:
    assert [type(e) for e in told(conversation("conversation_created", status="pending"))] == [ContactCreated]
    (entered,) = told(status(30, "pending", "open"))
    assert isinstance(entered, QueueEntered)
    assert entered.occurred_ms == (T + 30) * 1000


def test_assigned_is_offered_and_the_first_answer_of_a_human_ends_the_wait() -> None:
    events = told(conversation("conversation_created"), assigned(31, None, 5, **lea()), first_answer(60))

    offers = [e for e in events if isinstance(e, AgentOffered)]
    (accepted,) = (e for e in events if isinstance(e, AgentAccepted))
    assert [(e.agent, e.occurred_ms / 1000 - T) for e in offers] == [("agent-5", 31)]
    assert (accepted.agent, accepted.occurred_ms / 1000 - T) == ("agent-5", 60)
    assert outcomes(events) == [(Outcome.ANSWERED, 60)]


@pytest.mark.parametrize(
    ("payload", "author"),
    [
        (message(1, 5, "incoming", None), Author.CUSTOMER),
        (message(1, 5, "outgoing", "user"), Author.AGENT),
        (message(1, 5, "outgoing", "agent_bot"), Author.BOT),
        (message(1, 5, "outgoing", None), Author.BOT),
        (message(1, 5, "outgoing", "user", content_attributes={"automation_rule_id": 9}), Author.BOT),
        (message(1, 5, "outgoing", "user", private=True), None),
        (message(1, 5, "activity", "user"), None),
        (message(1, 5, "template", None), None),
        ({**message(1, 5, "", None), "message_type": 0}, Author.CUSTOMER),
    ],
)
def test_messages_are_by_somebody_or_none(payload: dict[str, Any], author: Author | None) -> None:
    authors = [e.author for e in told(payload) if isinstance(e, MessageIn | MessageOut)]

    assert authors == ([author] if author is not None else [])


def test_a_bot_s_answer_stops_no_clock() -> None:
    events = told(conversation("conversation_created"), message(1, 5, "outgoing", "agent_bot"))

    assert row(events, 100).waiting == 1


@pytest.mark.parametrize(
    ("channel", "outcome"), [("Channel::WebWidget", Outcome.ABANDONED), ("Channel::Email", Outcome.CLOSED)]
)
def test_closed_without_an_answer(channel: str, outcome: Outcome) -> None:
    events = told(
        conversation("conversation_created", channel=channel), status(90, "open", "resolved", channel=channel)
    )

    assert outcomes(events) == [(outcome, 90)]


def test_given_on_before_an_answer_is_another_offer_and_after_it_a_transfer() -> None:
    before = told(conversation("conversation_created"), assigned(10, None, 5), assigned(20, 5, 6))
    after = told(assigned(100, 5, 6, **ANSWERED))

    assert [type(e).__name__ for e in before[2:]] == ["AgentOffered", "AgentOfferEnded", "AgentOffered"]
    assert [type(e).__name__ for e in after] == ["Transfer", "TalkEnded", "WrapEnd", "AgentAccepted"]
    assert isinstance(after[0], Transfer)


def test_opened_again_is_another_visit_of_the_same_contact() -> None:
    again = status(700, "resolved", "open", **ANSWERED)
    waiting = {"first_reply_created_at": T + 60, **lea()}
    changes = [changed("waiting_since", T + 700, None)]
    answer = conversation(
        "conversation_updated", 730, changed_attributes=changes, **{**waiting, "waiting_since": 0}
    )
    events = told(
        conversation("conversation_created"),
        first_answer(60),
        status(600, "open", "resolved", **ANSWERED),
        again,
        answer,
        status(800, "open", "resolved", **ANSWERED),
    )
    window = row(events).windows[WindowName.M60]

    assert len([e for e in events if isinstance(e, QueueEntered)]) == 2
    assert (window.offered, window.answered, window.abandoned) == (2, 2, 0)
    assert window.asa_s.numerator == 90


def test_opened_again_and_never_answered_is_abandoned() -> None:
    events = told(
        conversation("conversation_created"),
        first_answer(60),
        status(600, "open", "resolved", **ANSWERED),
        status(700, "resolved", "open", **ANSWERED),
        status(900, "open", "resolved", **{**ANSWERED, "waiting_since": T + 700}),
    )
    window = row(events).windows[WindowName.M60]

    assert (window.offered, window.answered, window.abandoned) == (2, 1, 1)


def test_a_restart_knows_what_was_opened_again() -> None:
    before = Translator(SOURCE, PSEUDONYMS)
    events = told(status(700, "resolved", "open", **ANSWERED), translator=before)
    after = Translator(SOURCE, PSEUDONYMS)
    for event in events:
        after.recall(event)
    changes = [changed("waiting_since", T + 700, None)]
    answer = conversation("conversation_updated", 730, changed_attributes=changes, **ANSWERED)

    (left, accepted) = told(answer, translator=after)
    assert isinstance(left, QueueLeft)
    assert isinstance(accepted, AgentAccepted)
    assert left.segment == accepted.segment == f"chat/2/77/{(T + 700) * 1000}"


def test_a_survey_s_answer() -> None:
    payload = message(9, 900, "template", None, content_type="input_csat") | {
        "event": "message_updated",
        "updated_at": T + 950,
        "content_attributes": {
            "submitted_values": {"csat_survey_response": {"rating": 4, "feedback_message": "my feedback"}}
        },
    }
    (event,) = told(payload)

    assert isinstance(event, SurveyAnswered)
    assert (event.score, event.programme, event.scale) == (4.0, "csat", "1-5")
    assert "feedback" not in repr(event)


STORY = [
    conversation("conversation_created"),
    message(1, 0, "incoming", None),
    assigned(31, None, 5, **lea()),
    message(2, 40, "outgoing", "agent_bot"),
    first_answer(60),
    message(3, 60, "outgoing", "user"),
    status(600, "open", "resolved", **ANSWERED),
]


def test_any_order_and_any_repeat_gives_the_same_figures() -> None:
    expected = row(told(*STORY))
    for seed in range(30):
        drawn = random.Random(seed)
        shuffled = drawn.sample(STORY * 2, 2 * len(STORY))
        window, wanted = row(told(*shuffled)).windows, expected.windows
        for name in WindowName:
            assert structs.replace(window[name], duplicates=0) == structs.replace(wanted[name], duplicates=0)


def test_one_agent_has_three_chats_at_once() -> None:
    events = list(
        itertools.chain.from_iterable(
            told(*({**payload, "id": number} for payload in STORY[:5:2])) for number in (1, 2, 3)
        )
    )

    assert row(events, 100).agents.in_contact == 1


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        ({"event": "conversation_created", "id": 1}, "conversation_created: created_at: no instant"),
        ({"event": "conversation_created", "created_at": T}, "conversation_created: id: missing"),
        (
            {**conversation("conversation_created"), "inbox_id": None},
            "conversation_created: inbox_id: missing",
        ),
        ({"event": "message_created", "message_type": "incoming", "id": 1}, "message_created: id: missing"),
    ],
)
def test_what_says_too_little_is_spoiled_with_its_reason(payload: dict[str, Any], detail: str) -> None:
    found = Translator(SOURCE, PSEUDONYMS).take(json.dumps(payload).encode(), 0)

    assert [each.detail for each in found.spoiled] == [detail]
    assert found.events == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(STORY), st.sampled_from(sorted(set().union(*STORY))), _JSON)
def test_whatever_stands_in_a_field_never_raises(payload: dict[str, Any], field: str, value: object) -> None:
    Translator(SOURCE, PSEUDONYMS).take(json.dumps({**payload, field: value}).encode(), 0)


@given(st.binary(max_size=100))
def test_any_body_is_taken_or_invalid(body: bytes) -> None:
    with contextlib.suppress(InvalidMessage):
        Translator(SOURCE, PSEUDONYMS).take(body, 0)
