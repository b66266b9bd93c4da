"""Conversations: who wrote, when it is over; forms and Event Streams alike."""

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from schemas.events import ContactEnded, MessageIn, MessageOut
from schemas.vocabulary import Author, Channel
from services.ingest.adapters.twilio_taskrouter import conversations
from services.ingest.adapters.twilio_taskrouter.translate import SINK_TEST, Translator
from services.ingest.translated import Translated
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import CONVERSATION, START_MS, iso, message, source

NOW_MS = START_MS + 3_600_000
CUSTOMER = (MessageIn, Author.CUSTOMER)
AGENT = (MessageOut, Author.AGENT)
BOT = (MessageOut, Author.BOT)


def told(form: bytes, **settings: object) -> Translated:
    return Translator(source(**settings), PSEUDONYMS).body(form, is_form=True, now_ms=NOW_MS)


def streamed(form: bytes, type_: str, **settings: object) -> Translated:
    """The same as Event Streams send it, whose `time` is left out as on Twilio's pages."""
    event = {
        "type": f"com.twilio.conversations.{type_}",
        "specversion": "1.0",
        "data": dict(parse_qsl(form.decode())),
    }
    body = json.dumps([event]).encode()
    return Translator(source(**settings), PSEUDONYMS).body(body, is_form=False, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("author", "source_", "expected", "channel"),
    [
        ("+15550100001", "SMS", CUSTOMER, Channel.SMS),
        ("whatsapp:+15550100001", "WHATSAPP", CUSTOMER, Channel.SOCIAL),
        ("messenger:1234567890", "API", CUSTOMER, Channel.SOCIAL),
        ("rcs:+15550100001", "", CUSTOMER, Channel.SMS),
        ("Ann", "MESSENGER", CUSTOMER, Channel.SOCIAL),
        ("ann@example.com", "EMAIL", CUSTOMER, Channel.EMAIL),
        ("system", "SDK", BOT, Channel.CHAT),
        ("Bot", "API", BOT, Channel.CHAT),
        ("", "API", BOT, Channel.CHAT),
        ("lea", "SDK", AGENT, Channel.CHAT),
        ("max_40example_2Ecom", "SDK", AGENT, Channel.CHAT),
        ("ann@example.com", "SDK", None, None),
        ("FX00000000000000000000000000000001", "SDK", None, None),
        ("someone", "", None, None),
        ("1234", "SDK", None, None),
    ],
)
def test_who_wrote_a_message(
    author: str, source_: str, expected: tuple[type, Author] | None, channel: Channel | None
) -> None:
    form = message(1, 250, author=author, Source=source_)
    found = told(form, agents={"lea": "Léa"})

    assert found.types == {"onMessageAdded": 1}
    assert found.spoiled == []
    assert found.events == streamed(form, "message.added", agents={"lea": "Léa"}).events
    if expected is None:
        assert found.events == []
        return
    (event,) = found.events
    assert isinstance(event, MessageIn | MessageOut)
    assert ((type(event), event.author), event.channel) == (expected, channel)
    assert (event.contact, event.occurred_ms) == (f"flex/{CONVERSATION}", START_MS + 250)
    assert event.agent == ("Léa" if author == "lea" else None)


def state(**more: str) -> bytes:
    fields = {
        "EventType": "onConversationStateUpdated",
        "ConversationSid": CONVERSATION,
        "StateFrom": "inactive",
        "StateTo": "closed",
        "StateUpdated": iso(START_MS + 9_000),
    }
    return urlencode(fields | more).encode()


def test_a_closed_conversation_is_the_end_of_the_contact_and_an_inactive_one_is_not() -> None:
    for found in (told(state()), streamed(state(), "conversation-state.updated")):
        (ended,) = found.events
        assert isinstance(ended, ContactEnded)
        assert (ended.contact, ended.occurred_ms) == (f"flex/{CONVERSATION}", START_MS + 9_000)
    assert told(state(StateTo="inactive")).events == []


def test_a_removed_conversation_is_over_too() -> None:
    form = state(EventType="onConversationRemoved", StateTo="", DateRemoved=iso(START_MS + 9_500))

    (ended,) = told(form).events
    assert (type(ended), ended.occurred_ms) == (ContactEnded, START_MS + 9_500)
    assert ended.id != told(state()).events[0].id


@pytest.mark.parametrize(
    ("form", "detail"),
    [
        (state(ConversationSid=""), "onConversationStateUpdated: conversation_sid: missing"),
        (state(StateTo=""), "onConversationStateUpdated: state_to: missing"),
        (state(StateUpdated="noon"), "onConversationStateUpdated: state_updated: missing, or no instant"),
        (message(1, 5, author="system", MessageSid=""), "onMessageAdded: message_sid: missing"),
        (message(1, 5, author="x", DateCreated=""), "onMessageAdded: date_created: missing, or no instant"),
    ],
)
def test_what_says_too_little_is_a_dead_letter(form: bytes, detail: str) -> None:
    assert [letter.detail for letter in told(form).spoiled] == [detail]


@pytest.mark.parametrize("kind", sorted(conversations.UNUSED))
def test_what_tells_nothing_is_known_and_counted(kind: str) -> None:
    found = told(state(EventType=kind))

    assert (found.events, found.types, found.unknown) == ([], {kind: 1}, {})


@pytest.mark.parametrize(
    ("type_", "is_known"),
    [
        ("com.twilio.conversations.participant.added", True),
        ("com.twilio.conversations.delivery.updated", True),
        (SINK_TEST, True),
        ("com.twilio.conversations.horoscope.added", False),
        ("com.twilio.messaging.message.sent", False),
        ("com.twilio.voice.status-callback.call.completed", False),
        ("org.example", False),
    ],
)
def test_types_of_event_streams_that_are_of_no_use_are_known_or_not(type_: str, is_known: bool) -> None:
    body = json.dumps({"type": type_, "data": {"from": "+15550100001"}}).encode()
    found = Translator(source(), PSEUDONYMS).body(body, is_form=False, now_ms=NOW_MS)

    assert (found.types, found.unknown) == (({type_: 1}, {}) if is_known else ({}, {type_: 1}))
    assert (found.events, found.spoiled) == ([], [])
