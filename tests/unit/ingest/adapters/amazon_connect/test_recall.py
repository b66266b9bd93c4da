"""A process that dies and another that starts: what was told is read back, nothing is lost or told wrong."""

import pytest

from schemas.events import QueueLeft, SourceEvent
from schemas.vocabulary import Outcome
from services.ingest.adapters.amazon_connect import agents, contacts
from tests.doubles.connect_events import (
    START_MS,
    Story,
    agent_arn,
    agent_event,
    contact_event,
    in_hand,
    snapshot,
)

FREE = snapshot()
GONE = contact_event("DISCONNECTED", queue="support", hung=30)
CALL_BACK = contact_event(
    "INITIATED", "c2", previousContactId="c1", initialContactId="c1", initiationMethod="CALLBACK"
)


def started_after(told: list[SourceEvent], at_s: float = 0, *, is_stream: bool = True) -> Story:
    story = Story(is_stream=is_stream)
    for event in told:
        story.translator.recall(event)
    story.translator.go_on(START_MS + round(at_s * 1000))
    return story


def test_who_left_before_a_death_within_the_wait_has_abandoned_at_the_next_start() -> None:
    first = Story()
    first.tell(GONE, received_s=31)

    assert started_after(first.events).wait_until(40) == [
        "queue.left abandoned aws/c1/c1 support at 30 inferred"
    ]


def test_what_is_decided_again_has_the_same_id() -> None:
    first = Story()
    first.tell(GONE, received_s=31)
    before = list(first.events)
    first.wait_until(40)
    again = started_after(before)
    again.wait_until(40)

    assert [event.id for event in again.events] == [event.id for event in first.events[len(before) :]]


def test_what_is_decided_is_not_decided_again() -> None:
    first = Story()
    first.tell(GONE, received_s=31)
    first.wait_until(40)

    assert started_after(first.events).wait_until(100) == []


@pytest.mark.parametrize("is_first", [True, False])
def test_a_call_back_that_was_told_before_the_death_is_still_one(is_first: bool) -> None:
    first = Story()
    for event in (CALL_BACK, GONE) if is_first else (GONE, CALL_BACK):
        first.tell(event, received_s=31)
    again = started_after(first.events)
    again.tell(GONE, received_s=41)

    assert again.wait_until(100) == []


def test_an_answer_told_before_settles_it() -> None:
    answered = contact_event("CONNECTED_TO_AGENT", queue="support", agent="alice", accepted=9)
    first = Story()
    first.tell(GONE, received_s=31)
    first.tell(answered, received_s=31)

    assert started_after(first.events).wait_until(100) == []


def test_a_visit_that_others_left_unknown_is_not_ours_to_decide() -> None:
    other = QueueLeft(
        id="x",
        source="aws",
        site="paris",
        occurred_ms=START_MS,
        received_ms=START_MS,
        contact="c",
        outcome=Outcome.UNKNOWN,
    )

    assert started_after([other]).wait_until(100) == []


def test_an_answer_whose_instant_is_not_known_is_not_made_an_abandon() -> None:
    told = contact_event("DISCONNECTED", queue="support", hung=60, agentInfo={"agentArn": agent_arn("alice")})
    first = Story()
    first.tell(told)

    assert started_after(first.events).wait_until(100) == []


def test_states_and_contacts_in_hand_are_known_again_so_nothing_is_told_twice() -> None:
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    first = Story()
    first.tell(agent_event("LOGIN", 0, FREE))
    first.tell(agent_event("STATE_CHANGE", 12, talking, FREE))

    assert started_after(first.events).tell(agent_event("HEART_BEAT", 130, talking, FREE)) == []


@pytest.mark.parametrize(
    ("shown", "healed"),
    [
        (
            snapshot(in_hand(state="ENDED", since_s=60, accepted=12)),
            ["talk.ended aws/c1/c1 support alice at 60", "wrap.start aws/c1/c1 alice at 60"],
        ),
        (
            snapshot(in_hand(state="CONNECTED_ONHOLD", since_s=60, accepted=12)),
            ["hold.start aws/c1/c1 alice at 60"],
        ),
        (
            FREE,
            [
                "talk.ended aws/c1/c1 support alice at 130 inferred",
                "wrap.end aws/c1/c1 alice at 130 inferred",
            ],
        ),
    ],
)
def test_what_happened_while_we_were_away_is_made_good(shown: dict[str, object], healed: list[str]) -> None:
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    first = Story()
    first.tell(agent_event("STATE_CHANGE", 12, talking, FREE))
    said = started_after(first.events).tell(agent_event("HEART_BEAT", 130, shown, FREE))

    assert [each for each in said if not each.startswith("agent.state")] == healed


def test_agents_are_waited_for_from_the_start_on_whenever_they_last_said_something() -> None:
    first = Story()
    first.tell(agent_event("LOGIN", 0, FREE))
    again = started_after(first.events, at_s=7_200)

    assert again.wait_until(7_200 + agents.SILENT_S - 1) == []
    assert again.wait_until(7_200 + agents.SILENT_S) == ["agent.state offline alice at 7500 inferred"]


def test_who_does_not_hear_the_stream_closes_nobody_whom_others_told_of() -> None:
    first = Story()
    first.tell(agent_event("LOGIN", 0, FREE))

    assert started_after(first.events, is_stream=False).translator.next_due_ms() is None


def test_a_log_out_is_remembered() -> None:
    first = Story()
    first.tell(agent_event("LOGIN", 0, FREE))
    first.tell(agent_event("LOGOUT", 100, FREE))

    assert started_after(first.events).tell(agent_event("HEART_BEAT", 220, FREE, FREE)) == []


def test_what_waits_to_be_decided_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MAX_KEPT", 2)
    story = Story()
    story.tell(contact_event("DISCONNECTED", "c1", queue="support", hung=30), received_s=31)
    story.tell(contact_event("DISCONNECTED", "c2", queue="support", hung=30), received_s=31)

    assert story.tell(contact_event("DISCONNECTED", "c3", queue="support", hung=30), received_s=31)[-1] == (
        "queue.left abandoned aws/c1/c1 support at 30 inferred"
    )
