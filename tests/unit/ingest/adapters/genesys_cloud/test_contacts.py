"""Whole conversations, in their three forms, become facts."""

import json
from typing import Any

import pytest

from schemas.events import HoldEnd, SourceEvent
from services.ingest.adapters.genesys_cloud.translate import Translator
from tests.doubles.genesys_calls import (
    ADA,
    BOB,
    CALL,
    CUSTOMER,
    OTHER_QUEUE,
    QUEUE,
    START_MS,
    acd,
    agent,
    analytics,
    conversation,
    customer,
    iso,
    ms,
    notification,
    part,
    source,
)
from tests.doubles.running_source import PSEUDONYMS


def take(translator: Translator, *payloads: Any, now_ms: int = ms(900)) -> list[SourceEvent]:
    found = [translator.take(json.dumps(each).encode(), now_ms) for each in payloads]
    assert [each.spoiled for each in found if each.spoiled] == []
    return [event for each in found for event in each.events]


def lines(events: list[SourceEvent]) -> list[str]:
    """Kind, instant, and what says more, of each."""
    out = []
    for each in events:
        words = [str(getattr(each, name, None) or "") for name in ("outcome", "agent", "queue", "by", "kind")]
        words.append("inferred" if each.inferred else "")
        at_s = (each.occurred_ms - START_MS) / 1000
        out.append(" ".join([each.__struct_config__.tag, f"{at_s:g}", *filter(None, words)]))  # type: ignore[list-item]
    return out


def told(*payloads: Any) -> list[str]:
    return lines(take(Translator(source(), PSEUDONYMS, is_pulled=True), *payloads))


def one(*parties: dict[str, Any], **more: Any) -> list[str]:
    return told(notification(conversation(*parties), **more))


def left(found: list[str]) -> list[str]:
    return [line.removeprefix("queue.left ") for line in found if line.startswith("queue.left")]


def test_a_call_that_waits() -> None:
    assert one(customer(0), acd(5)) == ["contact.created 0", "queue.entered 5 support"]


def test_a_call_that_is_answered_held_no_more_and_wrapped_up() -> None:
    held = agent(12, connected_s=16, held=True, startHoldTime=iso(40))
    over = agent(12, connected_s=16, end_s=60, wrap_s=(60, 80))

    found = told(
        notification(conversation(customer(0), acd(5), agent(12))),
        notification(conversation(customer(0), acd(5, end_s=16.01), held)),
        notification(conversation(customer(0, end_s=60), acd(5, end_s=16.01), over)),
    )

    assert sorted(found) == sorted(
        [
            "contact.created 0",
            "queue.entered 5 support",
            "agent.offered 12 ada support",
            "queue.left 16.01 answered ada support",
            "agent.accepted 16 ada support",
            "hold.start 40 ada",
            "hold.end 900 ada",
            "talk.ended 60 ada support customer",
            "wrap.start 60 ada",
            "wrap.end 80 ada",
            "contact.ended 60",
        ]
    )


def test_the_end_of_a_hold_is_not_told_where_nobody_knows_what_time_it_is() -> None:
    translator = Translator(source(), PSEUDONYMS)
    held = agent(12, connected_s=16, held=True, startHoldTime=iso(40))
    for each in (held, agent(12, connected_s=16)):
        found = take(translator, notification(conversation(customer(0), acd(5), each)), now_ms=0)

    assert not any(isinstance(each, HoldEnd) for each in found)


@pytest.mark.parametrize(
    ("parties", "outcome"),
    [
        # the customer hangs up: abandoned, whoever is said to have ended it
        ([customer(0, end_s=20), acd(5, end_s=20, ended="peer")], "20 abandoned support"),
        ([customer(0, end_s=20.4), acd(5, end_s=20, ended="endpoint")], "20 abandoned support"),
        ([customer(0, end_s=20), acd(5, end_s=20, ended="error")], "20 abandoned support"),
        ([customer(0, end_s=20), acd(5, end_s=20), agent(12, end_s=20)], "20 transferred support"),
        # he goes on elsewhere, or is on his way
        ([customer(0), acd(5, end_s=20)], "20 transferred support inferred"),
        ([customer(0), acd(5, end_s=20, ended="peer")], "20 transferred support inferred"),
        ([customer(0), acd(5, end_s=20, ended="transfer.noanswer")], "20 transferred support inferred"),
        ([customer(0, end_s=90), acd(5, end_s=20)], "20 transferred support inferred"),
        ([customer(0, end_s=20), acd(5, end_s=20, ended="timeout")], "20 timeout support"),
        ([customer(0, end_s=20), acd(5, end_s=20, ended="spam")], "20 withdrawn support"),
        # an agent takes it, one who missed it does not, one who rings still may
        ([customer(0), acd(5, end_s=20), agent(12, connected_s=19.9)], "20 answered ada support"),
        ([customer(0), acd(5, end_s=20), agent(12, connected_s=20.5)], "20 answered ada support"),
        (
            [customer(0), acd(5, end_s=20), agent(8, end_s=12), agent(14, connected_s=20, user=BOB)],
            "20 answered bob support",
        ),
        ([customer(0), acd(5, end_s=20), agent(12)], None),
        # he who spoke with the customer in another queue, or after another visit, did not answer this one
        ([customer(0), acd(5, end_s=20), agent(12, connected_s=19, queue=OTHER_QUEUE)],
         "20 transferred support inferred"),
        ([customer(0), acd(5, end_s=20), agent(50, connected_s=55)], "20 transferred support inferred"),
        ([customer(0), acd(5)], None),
    ],
)  # fmt: skip
def test_how_a_queue_was_left(parties: list[dict[str, Any]], outcome: str | None) -> None:
    assert left(one(*parties)) == ([outcome] if outcome else [])


def test_a_second_visit_to_the_same_queue_is_another() -> None:
    found = one(
        customer(0),
        acd(5, end_s=20),
        agent(12, connected_s=20, end_s=40, ended="transfer"),
        acd(40, end_s=50, number="p-acd2"),
        agent(45, connected_s=50, user=BOB, number="p-bob"),
    )

    assert left(found) == ["20 answered ada support", "50 answered bob support"]
    assert "talk.ended 40 ada support transfer" in found
    assert "transfer 40 blind" in found


def test_a_consultation_is_an_attended_transfer() -> None:
    party = agent(12, connected_s=16, end_s=60, ended="transfer.consult")

    assert "transfer 60 attended" in one(customer(0), acd(5, end_s=16), party)


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        ("client", "agent.no_answer 27 ada support"),
        ("transfer.noanswer", "agent.no_answer 27 ada support"),
        ("timeout", "agent.no_answer 27 ada support"),
        ("peer", "agent.offer_ended 27 ada support"),
        ("error", "agent.offer_ended 27 ada support"),
    ],
)
def test_ringing_that_nobody_answered(ended: str, line: str) -> None:
    assert line in one(customer(0), acd(5), agent(12, end_s=27, ended=ended))


@pytest.mark.parametrize(("ended", "by"), [("peer", "customer"), ("client", "agent"), ("system", "")])
def test_who_ended_the_talk(ended: str, by: str) -> None:
    found = one(customer(0), acd(5, end_s=16), agent(12, connected_s=16, end_s=60, ended=ended))

    assert f"talk.ended 60 ada support {by}".strip() in found


def test_who_asks_to_be_called_back_has_left_the_queue_so() -> None:
    """The call-back itself waits in no queue: nobody is on the line."""
    voice = notification(conversation(customer(0), acd(5, end_s=30)))
    wish = notification(
        conversation(customer(30), acd(30.2, number="p-acd2"), agent(50, connected_s=55)), media="callbacks"
    )

    found = told(voice, wish)

    assert left(found) == ["30 transferred support inferred", "30.2 callback support"]
    assert found.count("queue.entered 5 support") == 1
    assert len([line for line in found if line.startswith("queue.entered")]) == 1
    assert "agent.accepted 55 ada support" in found


def test_who_listens_answers_nothing() -> None:
    found = one(customer(0), acd(5), agent(12, connected_s=12, monitoredParticipantId="p-agent"))

    assert found == ["contact.created 0", "queue.entered 5 support"]


def test_an_agent_who_was_called_directly_answers_no_queue() -> None:
    party = agent(12, connected_s=16)
    del party["queue"]

    assert one(customer(0), party) == ["contact.created 0"]


def test_a_call_to_a_customer_rings_at_no_agent() -> None:
    party = agent(12, connected_s=16, direction="outbound")

    assert one(customer(0, direction="outbound"), party) == [
        "contact.created 0",
        "agent.accepted 16 ada support",
    ]


@pytest.mark.parametrize("purpose", ["workflow", "ivr", "voicemail", "user", "group", "x"])
def test_other_participants_are_no_part_of_a_wait(purpose: str) -> None:
    assert one(customer(0), acd(5), {**acd(1), "purpose": purpose}) == one(customer(0), acd(5))


@pytest.mark.parametrize(
    ("media", "kind", "channel"),
    [
        ("calls", None, "phone"),
        ("chats", None, "chat"),
        ("emails", None, "email"),
        ("messages", "webmessaging", "chat"),
        ("messages", "whatsapp", "chat"),
        ("messages", "sms", "sms"),
        ("messages", "facebook", "social"),
        ("messages", "instagram", "social"),
    ],
)
def test_channels(media: str, kind: str | None, channel: str) -> None:
    more: dict[str, Any] = {"type": kind} if kind else {}
    events = take(
        Translator(source(), PSEUDONYMS),
        notification(conversation(customer(0, **more), acd(5)), media=media),
    )

    assert [str(each.channel) for each in events] == [channel, channel]  # type: ignore[union-attr]


@pytest.mark.parametrize("media", ["cobrowsesessions", "screenshares", "videos", "internalmessages"])
def test_media_without_a_customer_who_waits_are_passed_over(media: str) -> None:
    found = Translator(source(), PSEUDONYMS).take(
        json.dumps(notification(conversation(customer(0), acd(5)), media=media)).encode(), 0
    )

    assert (found.events, found.unknown.total(), found.types.total()) == ([], 0, 1)


def test_what_was_told_is_not_told_again() -> None:
    frame = notification(conversation(customer(0), acd(5)))
    again = notification(conversation(customer(0), acd(5)), queue=OTHER_QUEUE)

    assert told(frame, frame, again) == told(frame)


def test_who_receives_webhooks_tells_it_again() -> None:
    translator = Translator(source(), PSEUDONYMS)
    frame = notification(conversation(customer(0), acd(5)))

    assert take(translator, frame) == take(translator, frame)


def test_visits_to_queues_that_are_not_watched_are_not_told() -> None:
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    translator.watch([QUEUE])
    parties = [customer(0), acd(5, end_s=9, queue=OTHER_QUEUE), acd(10, number="p-acd2")]

    assert lines(take(translator, notification(conversation(*parties)))) == [
        "contact.created 0",
        "queue.entered 10 support",
    ]
    assert take(translator, notification(conversation(*parties[:2], number="elsewhere"))) == []


def test_a_frame_of_all_media_says_the_same_where_it_has_instants() -> None:
    """Participants carry their state in lists of sessions."""

    def session(at_s: float, end_s: float | None = None, **more: Any) -> list[dict[str, Any]]:
        told = {"id": "s", "state": "connected", "direction": "inbound", "connectedTime": iso(at_s), **more}
        return [told if end_s is None else {**told, "disconnectedTime": iso(end_s)}]

    body = conversation(
        {"id": "p-cust", "purpose": "customer", "address": CUSTOMER, "calls": session(0, 60)},
        {"id": "p-acd", "purpose": "acd", "queueId": QUEUE, "calls": session(5, 16)},
        {
            "id": "p-agent",
            "purpose": "agent",
            "userId": ADA,
            "queueId": QUEUE,
            "startAcwTime": iso(60),
            "calls": session(16, 60, disconnectType="peer"),
        },
    )
    topic = f"v2.routing.queues.{QUEUE}.conversations"

    assert told({"topicName": topic, "eventBody": body}) == [
        "contact.created 0",
        "queue.entered 5 support",
        "queue.left 16 answered ada support",
        "agent.accepted 16 ada support",
        "talk.ended 60 ada support customer",
        "wrap.start 60 ada",
        "contact.ended 60",
    ]


def test_analytics_and_notifications_give_the_same_facts() -> None:
    """The same ids, so that a snapshot tells only what is missing."""
    over = agent(12, connected_s=16, end_s=60, wrap_s=(60, 80))
    frame = notification(conversation(customer(0, end_s=60), acd(5, end_s=16.01), over))
    shown = analytics(
        part("p-cust", "customer", ("interact", 0, 60)),
        part("p-acd", "acd", ("interact", 5, 16.01), queueId=QUEUE, disconnectType="transfer"),
        part(
            "p-agent", "agent", ("alert", 12, 16), ("interact", 16, 60), ("wrapup", 60, 80),
            queueId=QUEUE, userId=ADA, disconnectType="peer",
        ),
        end_s=60,
    )  # fmt: skip
    by_frame, by_analytics = (take(Translator(source(), PSEUDONYMS), each) for each in (frame, shown))

    assert by_frame == by_analytics
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    take(translator, frame)
    assert translator.snapshot([shown], ms(900)).events == []


def test_a_snapshot_tells_what_is_missing_and_says_that_it_was_not_heard() -> None:
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    shown = analytics(
        part("p-cust", "customer", ("interact", 0, None)),
        part("p-acd", "acd", ("interact", 5, None), queueId=QUEUE),
    )

    assert lines(translator.snapshot([shown], ms(900)).events) == [
        "contact.created 0 inferred",
        "queue.entered 5 support inferred",
    ]


def test_what_is_open_here_and_nowhere_else_ends_unknown() -> None:
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    waiting = conversation(customer(0), acd(5), number="waits")
    talking = conversation(customer(0), acd(5, end_s=16), agent(12, connected_s=16), number="talks")
    over = conversation(customer(0, end_s=30), acd(5, end_s=30, ended="peer"), number="over")
    take(translator, *(notification(each) for each in (waiting, talking, over)))

    assert translator.open_contacts(heard_before_ms=ms(900)) == ["waits", "talks"]
    assert translator.open_contacts(heard_before_ms=ms(10)) == ["waits"]
    assert lines(translator.gone(["waits", "talks", "over"], ms(900)).events) == [
        "queue.left 900 unknown support inferred",
        "talk.ended 900 ada support inferred",
        "contact.ended 900 inferred",
        "contact.ended 900 inferred",
    ]
    assert translator.open_contacts(heard_before_ms=ms(9000)) == []


def test_what_is_open_is_known_again_after_a_restart() -> None:
    told = take(Translator(source(), PSEUDONYMS), notification(conversation(customer(0), acd(5))))
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    for event in told:
        translator.recall(event)

    assert translator.open_contacts(heard_before_ms=ms(900)) == [CALL]
    assert take(translator, notification(conversation(customer(0), acd(5)))) == []


def test_the_customer_is_a_pseudonym_whatever_form_the_number_has() -> None:
    events = [
        take(Translator(source(), PSEUDONYMS), notification(conversation(customer(0, ani=number), acd(5))))[0]
        for number in (CUSTOMER, CUSTOMER.removeprefix("tel:"))
    ]

    assert {each.customer for each in events} == {PSEUDONYMS.of("+15550177")}  # type: ignore[union-attr]
