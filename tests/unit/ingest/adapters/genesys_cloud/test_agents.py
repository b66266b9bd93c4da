"""Presence, routing status and what is in hand: how an agent stands."""

import itertools
import json
from typing import Any

import pytest

from schemas.events import AgentStateChanged
from schemas.vocabulary import AgentState
from services.ingest.adapters.genesys_cloud.agents import Known, Word, standing
from services.ingest.adapters.genesys_cloud.translate import Translator
from tests.doubles.genesys_calls import (
    ADA,
    OTHER_QUEUE,
    QUEUE,
    acd,
    agent,
    conversation,
    customer,
    event,
    iso,
    ms,
    notification,
    presence,
    routing,
    source,
    user,
)
from tests.doubles.running_source import PSEUDONYMS

A = AgentState
TABLE = [
    # presence, routing status, state, reason
    ("ON_QUEUE", "IDLE", A.AVAILABLE, None),
    ("ON_QUEUE", "INTERACTING", A.IN_CONTACT, None),
    ("ON_QUEUE", "COMMUNICATING", A.IN_CONTACT, None),
    ("ON_QUEUE", "NOT_RESPONDING", A.UNREACHABLE, None),
    ("ON_QUEUE", "OFF_QUEUE", A.PAUSED, "on_queue"),
    ("ON_QUEUE", None, A.AVAILABLE, None),
    ("AVAILABLE", "OFF_QUEUE", A.PAUSED, "available"),
    ("AVAILABLE", "IDLE", A.PAUSED, "available"),
    ("AVAILABLE", "INTERACTING", A.IN_CONTACT, None),
    ("AVAILABLE", "COMMUNICATING", A.IN_CONTACT, None),
    ("AVAILABLE", None, A.PAUSED, "available"),
    ("BREAK", "OFF_QUEUE", A.PAUSED, "break"),
    ("MEAL", "IDLE", A.PAUSED, "meal"),
    ("TRAINING", "OFF_QUEUE", A.PAUSED, "training"),
    ("BUSY", "COMMUNICATING", A.IN_CONTACT, None),
    ("MEETING", None, A.PAUSED, "meeting"),
    ("AWAY", "NOT_RESPONDING", A.UNREACHABLE, None),
    ("OFFLINE", "OFF_QUEUE", A.OFFLINE, None),
    ("OFFLINE", "IDLE", A.OFFLINE, None),
    ("OFFLINE", None, A.OFFLINE, None),
    (None, "IDLE", A.AVAILABLE, None),
    (None, "OFF_QUEUE", A.PAUSED, "off_queue"),
    (None, "INTERACTING", A.IN_CONTACT, None),
    ("IDLE", "WHATEVER_IS_NEW", A.PAUSED, "idle"),
]


@pytest.mark.parametrize(("chosen", "status", "state", "reason"), TABLE)
def test_the_two_words_of_a_user(
    chosen: str | None, status: str | None, state: AgentState, reason: str | None
) -> None:
    known = Known(presence=Word(chosen, 1) if chosen else None, routing=Word(status, 2) if status else None)

    found = standing(known, {})

    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("chosen", "status", "states", "state"),
    [
        ("MEAL", "OFF_QUEUE", {"MEAL": A.OFFLINE}, A.OFFLINE),
        ("AVAILABLE", "OFF_QUEUE", {"AVAILABLE": A.AVAILABLE}, A.AVAILABLE),
        ("BUSY", "COMMUNICATING", {"COMMUNICATING": A.PAUSED}, A.PAUSED),
        ("ON_QUEUE", "NOT_RESPONDING", {"NOT_RESPONDING": A.PAUSED}, A.PAUSED),
        ("BREAK", "OFF_QUEUE", {"lunch-id": A.OFFLINE}, A.OFFLINE),
        ("BREAK", "INTERACTING", {"BREAK": A.OFFLINE}, A.IN_CONTACT),
    ],
)
def test_settings_say_otherwise(
    chosen: str, status: str, states: dict[str, AgentState], state: AgentState
) -> None:
    known = Known(presence=Word(chosen, 1, "lunch-id"), routing=Word(status, 2))

    assert standing(known, states).state is state


def take(translator: Translator, *payloads: dict[str, Any]) -> list[AgentStateChanged]:
    told = [e for each in payloads for e in translator.take(json.dumps(each).encode(), ms(900)).events]
    return [each for each in told if isinstance(each, AgentStateChanged)]


def states(*payloads: dict[str, Any], **settings: Any) -> list[tuple[str, float]]:
    told = take(Translator(source(**settings), PSEUDONYMS, is_pulled=True), *payloads)
    return [(str(each.state), (each.occurred_ms - ms(0)) / 1000) for each in told]


def chosen(word: str, at_s: float) -> dict[str, Any]:
    return user("presence", presence(word, at_s, primary=True))


def routed(word: str, at_s: float) -> dict[str, Any]:
    return user("routingStatus", {"id": ADA, "routingStatus": routing(word, at_s)})


CALL = [
    notification(conversation(customer(0), acd(5), agent(12))),
    routed("INTERACTING", 12.02),
    notification(conversation(customer(0), acd(5, end_s=16), agent(12, connected_s=16))),
    notification(
        conversation(
            customer(0, end_s=60),
            acd(5, end_s=16),
            agent(12, connected_s=16, end_s=60, wrap_s=(60, None)),
        )
    ),
    notification(
        conversation(
            customer(0, end_s=60),
            acd(5, end_s=16),
            agent(12, connected_s=16, end_s=60, wrap_s=(60, 80)),
        )
    ),
    routed("IDLE", 80.03),
]


def test_interacting_is_ringing_talk_and_wrap_up() -> None:
    assert states(chosen("ON_QUEUE", -30), routed("IDLE", -29), *CALL) == [
        ("available", -30),
        ("ringing", 12),
        ("in_contact", 16),
        ("wrap_up", 60),
        ("available", 80.03),
    ]


def test_who_stops_taking_calls_during_one_is_in_contact_until_it_is_over() -> None:
    assert states(
        chosen("ON_QUEUE", -30), *CALL[:3], chosen("BREAK", 30), routed("OFF_QUEUE", 31), *CALL[3:5]
    ) == [("available", -30), ("ringing", 12), ("in_contact", 16), ("wrap_up", 60), ("paused", 80)]


def test_idle_ends_what_is_thought_to_be_in_hand() -> None:
    assert states(chosen("ON_QUEUE", -30), *CALL[:3], routed("IDLE", 70))[-1] == ("available", 70)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_the_words_does_not_change_how_he_stands_in_the_end(order: tuple[int, ...]) -> None:
    words = [
        chosen("ON_QUEUE", 0),
        routed("IDLE", 0.05),
        chosen("BREAK", 60),
        routed("OFF_QUEUE", 60.03),
    ]

    told = take(Translator(source(), PSEUDONYMS), *(words[i] for i in order))

    last = max(told, key=lambda each: (each.occurred_ms, each.id))
    assert (last.state, last.reason) == (A.PAUSED, "break")
    assert ms(60) <= last.occurred_ms <= ms(60.03)


def test_an_older_word_changes_nothing() -> None:
    told = states(chosen("BREAK", 60), chosen("ON_QUEUE", 0))

    assert told == [("paused", 60)]


def test_a_presence_of_another_system_is_none() -> None:
    other = user("presence", presence("OFFLINE", 5, primary=False, source="MICROSOFTTEAMS"))

    assert states(other) == []


def test_activity_gives_all_at_once_and_the_queues() -> None:
    body = {
        "id": ADA,
        "routingStatus": routing("IDLE", 3),
        "presence": presence("ON_QUEUE", 2),
        "activeQueueIds": [QUEUE, OTHER_QUEUE],
        "dateActiveQueuesChanged": "2024-03-01T08:00:00.000Z",
    }

    (told,) = take(Translator(source(), PSEUDONYMS), user("activity", body))

    assert (told.agent, told.state, told.queues) == ("ada", A.AVAILABLE, ("sales", "support"))


def test_queues_that_are_activated_later_are_told_at_that_instant() -> None:
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    body = {"presence": presence("ON_QUEUE", 2), "activeQueueIds": [QUEUE]}
    more = {**body, "activeQueueIds": [QUEUE, OTHER_QUEUE], "dateActiveQueuesChanged": iso(30)}

    told = take(translator, user("activity", body), user("activity", more))

    assert [(each.queues, each.occurred_ms) for each in told] == [
        (("support",), ms(2)),
        (("sales", "support"), ms(30)),
    ]


def test_only_watched_queues_are_an_agent_s() -> None:
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    translator.watch([QUEUE])
    body = {"presence": presence("ON_QUEUE", 2), "activeQueueIds": [QUEUE, OTHER_QUEUE]}

    (told,) = take(translator, user("activity", body))

    assert told.queues == ("support",)


def test_an_audit_says_the_presence() -> None:
    body = {
        "userId": ADA,
        "eventTime": "2024-03-01T09:00:00.000Z",
        "entity": {"name": "Ada"},
        "propertyChanges": [{"property": "PRESENCE", "oldValues": ["Break"], "newValues": ["On Queue"]}],
    }

    (told,) = take(
        Translator(source(), PSEUDONYMS),
        event(f"v2.audits.entitytype.UserPresence.entityid.{ADA}", body),
    )

    assert (told.agent, told.state) == ("ada", A.AVAILABLE)


def test_of_who_has_no_word_of_his_own_no_state_is_told() -> None:
    """His contacts tell it then (docs/decisions/0009, 11)."""
    assert states(CALL[0], CALL[2]) == []


def test_a_webhook_that_comes_again_says_the_same() -> None:
    translator = Translator(source(), PSEUDONYMS)
    first = take(translator, chosen("ON_QUEUE", 0), routed("IDLE", 0.05))
    again = take(translator, routed("IDLE", 0.05), chosen("ON_QUEUE", 0))

    assert {each.id for each in again} <= {each.id for each in first}
    assert [each.state for each in again] == [A.AVAILABLE, A.AVAILABLE]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([chosen("ON_QUEUE", 0), routed("IDLE", 1)], (routed("INTERACTING", 5), A.IN_CONTACT)),
        ([chosen("MEAL", 0), routed("OFF_QUEUE", 1)], (routed("IDLE", 5), A.PAUSED)),
        ([chosen("OFFLINE", 0), routed("OFF_QUEUE", 1)], (chosen("ON_QUEUE", 5), A.PAUSED)),
        ([chosen("ON_QUEUE", 0), routed("NOT_RESPONDING", 1)], (routed("IDLE", 5), A.AVAILABLE)),
    ],
)
def test_the_other_half_is_remembered_over_a_restart(
    before: list[dict[str, Any]], after: tuple[dict[str, Any], AgentState]
) -> None:
    translator = Translator(source(), PSEUDONYMS)
    for each in take(Translator(source(), PSEUDONYMS), *before):
        translator.recall(each)

    (told,) = take(translator, after[0])

    assert told.state is after[1]


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    words = [chosen("ON_QUEUE", 0), routed("IDLE", 1)]
    translator = Translator(source(), PSEUDONYMS, is_pulled=True)
    for each in take(Translator(source(), PSEUDONYMS), *words):
        translator.recall(each)

    assert take(translator, *words) == []
