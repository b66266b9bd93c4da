"""Detail events, each alone, become facts."""

import json
from typing import Any

import pytest

from schemas.events import SourceEvent
from schemas.vocabulary import Reason
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.translated import Translated
from tests.doubles.genesys_calls import (
    ADA,
    BOB,
    START_MS,
    agent_state,
    detail,
    event,
    ms,
    presence,
    routing,
    source,
    user,
)
from tests.doubles.running_source import PSEUDONYMS

ANSWERED = {"acdOutcome": "ANSWERED", "answeredUserId": ADA}


def found(payload: Any, translator: Translator | None = None) -> Translated:
    return (translator or Translator(source(), PSEUDONYMS)).take(json.dumps(payload).encode(), ms(900))


def line(told: SourceEvent) -> str:
    words = [str(getattr(told, name, None) or "") for name in ("outcome", "agent", "queue", "by", "state")]
    at_s = (told.occurred_ms - START_MS) / 1000
    more = ["unsure"] * (told.rank < 0)
    return " ".join([str(told.__struct_config__.tag), f"{at_s:g}", *filter(None, words), *more])


def lines(*payloads: Any, translator: Translator | None = None) -> list[str]:
    translator = translator or Translator(source(), PSEUDONYMS)
    return [line(each) for payload in payloads for each in found(payload, translator).events]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (detail("customer.start", 0), ["contact.created 0"]),
        (detail("customer.end", 60), ["contact.ended 60"]),
        (detail("acd.start", 5), ["queue.entered 5 support"]),
        (detail("acd.end", 16, **ANSWERED), ["queue.left 16 answered ada support"]),
        (detail("acd.end", 16, acdOutcome="ABANDON"), ["queue.left 16 abandoned support"]),
        (detail("acd.end", 16, acdOutcome="FLOW_OUT"), ["queue.left 16 transferred support unsure"]),
        (
            detail("acd.end", 16, acdOutcome="UNKNOWN", disconnectType="PEER"),
            ["queue.left 16 abandoned support unsure"],
        ),
        (
            detail("acd.end", 16, disconnectType="NO_ANSWER_TRANSFER"),
            ["queue.left 16 transferred support unsure"],
        ),
        (detail("user.start", 12), ["agent.offered 12 ada support"]),
        (detail("user.start", 12, direction="OUTBOUND"), []),
        (detail("user.start", 12, queueId=None), []),
        (
            detail("user.end", 27, alertingDurationMs=15_000, disconnectType="CLIENT"),
            ["agent.no_answer 27 ada support"],
        ),
        (
            detail("user.end", 27, alertingDurationMs=15_000, disconnectType="PEER"),
            ["agent.offer_ended 27 ada support"],
        ),
        (
            detail(
                "user.end", 60, interactingDurationMs=34_000, heldDurationMs=10_000, disconnectType="PEER"
            ),
            ["talk.ended 60 ada support customer", "agent.accepted 16 ada support unsure"],
        ),
        (detail("user.end", 60), []),
        (detail("acw", 80, wrapupDurationMs=20_000), ["wrap.start 60 ada", "wrap.end 80 ada"]),
        (detail("acw", 80), ["wrap.end 80 ada"]),
        (agent_state("ALERT", 12), ["agent.offered 12 ada support"]),
        (agent_state("INTERACT", 16), ["agent.accepted 16 ada support"]),
        (agent_state("HOLD", 30), ["hold.start 30 ada"]),
        (agent_state("WRAPUP", 60), ["wrap.start 60 ada"]),
        (agent_state("TERMINATED", 80), []),
        (agent_state("DIALING", 10), []),
        (detail("acd.start", 5, mediaType="CALLBACK"), ["queue.left 5 callback support"]),
        (detail("acd.end", 9, mediaType="CALLBACK", acdOutcome="ABANDON"), []),
        (detail("customer.start", 5, mediaType="CALLBACK"), []),
        (detail("acd.start", 5, mediaType="COBROWSE"), []),
    ],
)
def test_each_event_alone(payload: Any, told: list[str]) -> None:
    result = found(payload)

    assert [line(each) for each in result.events] == told
    assert (result.spoiled, result.unknown.total(), result.types.total()) == ([], 0, 1)


@pytest.mark.parametrize(
    ("media", "kind", "channel"),
    [
        ("VOICE", None, "phone"),
        ("CHAT", None, "chat"),
        ("EMAIL", None, "email"),
        ("MESSAGE", "WHATSAPP", "chat"),
        ("MESSAGE", "SMS", "sms"),
        ("MESSAGE", "TWITTER", "social"),
    ],
)
def test_channels(media: str, kind: str | None, channel: str) -> None:
    (told,) = found(detail("acd.start", 5, mediaType=media, messageType=kind)).events

    assert told.channel == channel  # type: ignore[union-attr]


def test_interact_after_hold_is_the_end_of_the_hold_and_no_second_answer() -> None:
    translator = Translator(source(), PSEUDONYMS)
    states = [("INTERACT", 16), ("HOLD", 30), ("INTERACT", 40), ("HOLD", 45), ("INTERACT", 50)]

    assert lines(*(agent_state(*each) for each in states), translator=translator) == [
        "agent.accepted 16 ada support",
        "hold.start 30 ada",
        "hold.end 40 ada",
        "hold.start 45 ada",
        "hold.end 50 ada",
    ]


def test_the_hold_of_an_earlier_session_or_another_agent_is_none_of_this_one() -> None:
    translator = Translator(source(), PSEUDONYMS)
    payloads = [
        agent_state("HOLD", 30),
        agent_state("INTERACT", 40, userId=BOB),
        agent_state("INTERACT", 90, begun_s=80),
    ]

    assert lines(*payloads, translator=translator)[1:] == [
        "agent.accepted 40 bob support",
        "agent.accepted 90 ada support",
    ]


def test_terminated_ends_the_wrap_up_that_is_known_of() -> None:
    translator = Translator(source(), PSEUDONYMS)

    assert lines(agent_state("WRAPUP", 60), agent_state("TERMINATED", 80), translator=translator) == [
        "wrap.start 60 ada",
        "wrap.end 80 ada",
    ]


def test_hold_and_wrap_up_are_remembered_over_a_restart() -> None:
    translator = Translator(source(), PSEUDONYMS)
    for payload in (agent_state("HOLD", 30), agent_state("WRAPUP", 60)):
        for each in found(payload).events:
            translator.recall(each)

    assert lines(agent_state("INTERACT", 40), agent_state("TERMINATED", 80), translator=translator) == [
        "hold.end 40 ada",
        "wrap.end 80 ada",
    ]


def test_what_an_agent_does_is_his_state_where_he_has_one() -> None:
    translator = Translator(source(), PSEUDONYMS)
    chosen = event(
        user("presence", {})["topicName"],
        {**presence("ON_QUEUE", -9), "primary": True},
    )
    idle = event(user("routingStatus", {})["topicName"], {"id": ADA, "routingStatus": routing("IDLE", -8)})
    states = [("ALERT", 12), ("INTERACT", 16), ("HOLD", 30), ("WRAPUP", 60)]

    told = lines(chosen, idle, *(agent_state(*each) for each in states), translator=translator)

    assert [each for each in told if each.startswith("agent.state")] == [
        "agent.state -9 ada available",
        "agent.state -9 ada available",
        "agent.state 12 ada ringing",
        "agent.state 16 ada in_contact",
        "agent.state 16 ada in_contact",
        "agent.state 60 ada wrap_up",
    ]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("acd.start", "eventTime"),
        ("acd.start", "conversationId"),
        ("acd.start", "participantId"),
        ("acd.start", "queueId"),
        ("acd.start", "mediaType"),
        ("acd.end", "participantId"),
        ("customer.end", "participantId"),
        ("user.start", "userId"),
    ],
)
def test_what_is_needed_and_missing_is_a_dead_letter_that_names_it(kind: str, field: str) -> None:
    spoilt: dict[str, Any] = {field: None}
    result = found(detail(kind, 5, **spoilt))

    assert result.events == []
    (spoiled,) = result.spoiled
    assert field in spoiled.detail
    assert kind in spoiled.detail


@pytest.mark.parametrize("kind", ["flow.start", "flow.end", "wrapup", "voicemail.start", "outbound.init"])
def test_known_events_of_no_use_are_counted(kind: str) -> None:
    result = found(detail(kind, 5))

    assert (result.events, result.dropped) == ([], {Reason.NOT_AN_EVENT: 1})
    assert list(result.types) == [f"v2.detail.events.conversation.{{id}}.{kind}"]


@pytest.mark.parametrize(
    "topic",
    [
        "v2.detail.events.conversation.0c0ffee0-0000-4000-8000-0000000000d1.hologram.start",
        "v2.detail.events.agent.0c0ffee0-0000-4000-8000-0000000000d1.mood",
        "v2.hologram.0c0ffee0-0000-4000-8000-0000000000d1.started",
    ],
)
def test_unknown_events_are_counted_without_ids(topic: str) -> None:
    result = found(event(topic, {}))

    assert list(result.unknown) == [topic.replace("0c0ffee0-0000-4000-8000-0000000000d1", "{id}")]
    assert (result.events, result.spoiled, result.types.total()) == ([], [], 0)


def test_several_events_in_one_body_are_all_read() -> None:
    told = found([detail("acd.start", 5), detail("acd.end", 16, **ANSWERED), {"x": 1}])

    assert (len(told.events), told.unknown.total()) == (2, 1)


def test_the_same_event_again_is_the_same_fact() -> None:
    translator = Translator(source(), PSEUDONYMS)
    for payload in (detail("acd.start", 5), agent_state("HOLD", 30), agent_state("INTERACT", 40)):
        first, again = (found(payload, translator).events for _ in range(2))
        assert first == again
        assert first
