"""Agent events: what became different, by what they show themselves and by what we knew."""

import base64
import json
from itertools import pairwise

import pytest

from schemas.events import AgentStateChanged
from schemas.vocabulary import AgentState, Channel
from services.ingest.adapters.amazon_connect import agents
from tests.doubles.connect_events import START_MS, Story, agent_event, body, in_hand, line, snapshot

FREE = snapshot()
HELD_BEFORE = ["PENDING", "INCOMING", "CONNECTING"]


def states(story: Story) -> list[tuple[str, str | None]]:
    return [(e.state.value, e.reason) for e in story.events if isinstance(e, AgentStateChanged)]


@pytest.mark.parametrize(
    ("shown", "state", "reason"),
    [
        (snapshot(), "available", None),
        (snapshot(status="Lunch"), "paused", "Lunch"),
        (snapshot(status="Offline"), "offline", None),
        (snapshot(status="Available", type=None), "available", None),
        (snapshot(status="Offline", type=None), "offline", None),
        (snapshot(status="Training", type=None), "paused", "Training"),
        (snapshot(in_hand(state="CONNECTING")), "ringing", None),
        (snapshot(in_hand(state="INCOMING")), "ringing", None),
        (snapshot(in_hand(state="CONNECTED")), "in_contact", None),
        (snapshot(in_hand(state="CONNECTED_ONHOLD")), "in_contact", None),
        (snapshot(in_hand(state="ENDED")), "wrap_up", None),
        (snapshot(in_hand(state="MISSED")), "unreachable", "MISSED"),
        (snapshot(in_hand(state="REJECTED")), "unreachable", "REJECTED"),
        (snapshot(in_hand(state="ERROR")), "unreachable", "ERROR"),
        (snapshot(in_hand(state="PAUSED", Channel="TASK")), "available", None),
        (snapshot(in_hand(state="CONNECTED", Channel="TASK")), "in_contact", None),
        (snapshot(in_hand(state="CONNECTED"), status="Lunch"), "in_contact", None),
        (snapshot(in_hand("a", "ENDED"), in_hand("b", "CONNECTED")), "in_contact", None),
        (snapshot(in_hand("a", "ENDED"), in_hand("b", "CONNECTING")), "wrap_up", None),
        (snapshot(status="Conseil", type=None), "available", None),
    ],
)
def test_state_of_a_snapshot(shown: dict[str, object], state: str, reason: str | None) -> None:
    story = Story(states={"Conseil": AgentState.AVAILABLE})
    story.tell(agent_event("LOGIN", 1, shown))

    assert states(story) == [(state, reason)]


def test_queues_and_slots_are_those_of_the_routing_profile_without_agents_own_queues() -> None:
    story = Story(map={"support": "Support N1"})
    story.tell(agent_event("LOGIN", 1, snapshot(queues=["support", "sales"])))

    (event,) = story.events
    assert isinstance(event, AgentStateChanged)
    assert event.queues == ("Support N1", "sales")
    assert event.capacity == {Channel.PHONE: 1, Channel.CHAT: 3}


def test_a_call_from_ringing_to_free_again() -> None:
    story = Story()
    ringing = snapshot(in_hand(state="CONNECTING", since_s=10))
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    holding = snapshot(in_hand(state="CONNECTED_ONHOLD", since_s=20, accepted=12))
    again = snapshot(in_hand(state="CONNECTED", since_s=25, accepted=12))
    wrapping = snapshot(in_hand(state="ENDED", since_s=40, accepted=12))
    shots = [(0, FREE), (10, ringing), (12, talking), (20, holding), (25, again), (40, wrapping), (50, FREE)]
    story.tell(agent_event("LOGIN", 0, FREE))
    said = [
        story.tell(agent_event("STATE_CHANGE", at_s, now, before))
        for (_, before), (at_s, now) in pairwise(shots)
    ]

    assert said == [
        ["agent.state ringing alice at 10", "agent.offered aws/c1/c1 support alice at 10"],
        ["agent.state in_contact alice at 12", "agent.accepted aws/c1/c1 support alice at 12"],
        ["hold.start aws/c1/c1 alice at 20"],
        ["hold.end aws/c1/c1 alice at 25"],
        [
            "agent.state wrap_up alice at 40",
            "talk.ended aws/c1/c1 support alice at 40",
            "wrap.start aws/c1/c1 alice at 40",
        ],
        ["agent.state available alice at 50", "wrap.end aws/c1/c1 alice at 50"],
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("MISSED", "agent.no_answer aws/c1/c1 support alice at 30"),
        ("REJECTED", "agent.no_answer aws/c1/c1 support alice at 30"),
        ("ERROR", "agent.offer_ended aws/c1/c1 support alice at 30"),
    ],
)
def test_offers_that_come_to_nothing(state: str, said: str) -> None:
    ringing, over = (
        snapshot(in_hand(state="CONNECTING", since_s=10)),
        snapshot(in_hand(state=state, since_s=30)),
    )
    story = Story()
    story.tell(agent_event("STATE_CHANGE", 10, ringing, FREE))

    assert story.tell(agent_event("STATE_CHANGE", 30, over, ringing)) == [
        f"agent.state unreachable {state} alice at 30",
        said,
    ]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("CONNECTING", ["agent.offer_ended aws/c1/c1 support alice at 30 inferred"]),
        ("CONNECTED", ["talk.ended aws/c1/c1 support alice at 30", "wrap.end aws/c1/c1 alice at 30"]),
        (
            "CONNECTED_ONHOLD",
            [
                "hold.end aws/c1/c1 alice at 30",
                "talk.ended aws/c1/c1 support alice at 30",
                "wrap.end aws/c1/c1 alice at 30",
            ],
        ),
        ("ENDED", ["wrap.end aws/c1/c1 alice at 30"]),
        ("MISSED", []),
    ],
)
def test_a_contact_that_is_gone_from_the_snapshot_is_over(held: str, said: list[str]) -> None:
    shown = snapshot(in_hand(state=held, since_s=10, accepted=10))
    story = Story()
    story.tell(agent_event("STATE_CHANGE", 10, shown, FREE))

    assert story.tell(agent_event("STATE_CHANGE", 30, FREE, shown))[1:] == said


def test_a_heartbeat_says_nothing_new_and_makes_good_what_was_lost() -> None:
    story = Story()
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    story.tell(agent_event("LOGIN", 0, FREE))

    assert story.tell(agent_event("HEART_BEAT", 5, FREE, FREE)) == []
    assert story.tell(agent_event("HEART_BEAT", 20, talking, FREE)) == [
        "agent.state in_contact alice at 20 inferred",
        "agent.accepted aws/c1/c1 support alice at 12",
    ]
    assert story.tell(agent_event("HEART_BEAT", 140, FREE, FREE)) == [
        "agent.state available alice at 140 inferred",
        "talk.ended aws/c1/c1 support alice at 140 inferred",
        "wrap.end aws/c1/c1 alice at 140 inferred",
    ]


@pytest.mark.parametrize("state", ["CONNECTING", "CONNECTED", "CONNECTED_ONHOLD", "ENDED", "MISSED", "ERROR"])
def test_a_heartbeat_does_not_tell_again_what_is_in_hand(state: str) -> None:
    shown = snapshot(in_hand(state=state, since_s=12, accepted=10))
    story = Story()
    story.tell(agent_event("STATE_CHANGE", 12, shown, FREE))

    assert story.tell(agent_event("HEART_BEAT", 120, shown, FREE)) == []


def test_a_call_back_that_comes_nearer_is_offered_once() -> None:
    shots = [snapshot(in_hand(state=state, since_s=at_s)) for at_s, state in enumerate(HELD_BEFORE, 10)]
    story = Story()
    said = [
        each
        for at_s, (before, now) in enumerate(pairwise([FREE, *shots]), 10)
        for each in story.tell(agent_event("STATE_CHANGE", at_s, now, before))
    ]

    assert said == ["agent.state ringing alice at 10", "agent.offered aws/c1/c1 support alice at 10"]


@pytest.mark.parametrize("more", [{"Channel": "TASK"}, {"InitiationMethod": "MONITOR"}])
def test_what_is_no_customers_contact_keeps_the_agent_busy_and_is_none(more: dict[str, str]) -> None:
    shown = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12, **more))
    story = Story()

    assert story.tell(agent_event("STATE_CHANGE", 12, shown, FREE)) == ["agent.state in_contact alice at 12"]
    assert story.tell(agent_event("STATE_CHANGE", 40, FREE, shown)) == ["agent.state available alice at 40"]


def test_a_change_that_was_lost_is_made_good_by_the_next() -> None:
    story = Story()
    one, two = in_hand("c1", "CONNECTED", 12, accepted=12), in_hand("c2", "CONNECTED", 60, accepted=60)
    story.tell(agent_event("STATE_CHANGE", 12, snapshot(one), FREE))

    assert story.tell(agent_event("STATE_CHANGE", 60, snapshot(two), FREE)) == [
        "agent.state in_contact alice at 60",
        "agent.accepted aws/c2/c2 support alice at 60",
        "talk.ended aws/c1/c1 support alice at 60 inferred",
        "wrap.end aws/c1/c1 alice at 60 inferred",
    ]


def test_an_event_that_comes_again_says_the_same() -> None:
    story = Story()
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    story.tell(agent_event("LOGIN", 0, FREE))
    heal = agent_event("HEART_BEAT", 20, talking, FREE)
    change = agent_event("STATE_CHANGE", 40, FREE, talking)

    assert story.tell(heal) == story.tell(heal) != []
    assert story.tell(change) == story.tell(change) != []


def test_two_states_of_one_instant_are_ordered_as_they_came() -> None:
    """Old instances count whole seconds; at one instant, ids decide (docs/decisions/0009, 14)."""
    story = Story()
    ringing = snapshot(in_hand(state="CONNECTING", since_s=12))
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    for kind, now, before in (("STATE_CHANGE", ringing, FREE), ("STATE_CHANGE", talking, ringing)):
        event = agent_event(kind, 12, now, before) | {"EventId": json.dumps(now)}
        story.tell(event)
        story.tell(event)

    words = {event.id: event.state for event in story.events if isinstance(event, AgentStateChanged)}
    assert [words[each] for each in sorted(words)] == ["ringing", "in_contact"]


def test_seconds_that_stand_where_milliseconds_should_are_whole_seconds() -> None:
    story = Story()
    talking = snapshot(in_hand(state="CONNECTED", since_s=12.012, accepted=12.012))
    story.tell(agent_event("STATE_CHANGE", 13.013, talking, FREE))
    story.tell(agent_event("STATE_CHANGE", 20.5, FREE, talking))

    assert [(line(event).rpartition(" ")[2], event.precision_ms) for event in story.events] == [
        *(("13", 1000), ("12", 1000)),
        *(("20.5", 0), ("20.5", 0), ("20.5", 0)),
    ]


def test_a_late_event_tells_what_it_shows_and_moves_nothing_back() -> None:
    story = Story()
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    story.tell(agent_event("STATE_CHANGE", 30, FREE, talking))

    assert story.tell(agent_event("STATE_CHANGE", 12, talking, FREE)) == [
        "agent.state in_contact alice at 12",
        "agent.accepted aws/c1/c1 support alice at 12",
    ]
    assert story.tell(agent_event("HEART_BEAT", 150, FREE, FREE)) == []


def test_who_logged_out_is_offline_whatever_the_heartbeats_of_the_next_hour_show() -> None:
    story = Story()
    story.tell(agent_event("LOGIN", 0, FREE))

    assert story.tell(agent_event("LOGOUT", 100, FREE)) == ["agent.state offline alice at 100"]
    assert story.tell(agent_event("HEART_BEAT", 220, FREE, FREE)) == []
    assert story.tell(agent_event("LOGIN", 400, FREE)) == ["agent.state available alice at 400"]


def test_a_log_in_that_was_lost_is_seen_by_the_newer_status() -> None:
    story = Story()
    story.tell(agent_event("LOGOUT", 100, FREE))

    assert story.tell(agent_event("HEART_BEAT", 220, snapshot(since=150), FREE)) == [
        "agent.state available alice at 220 inferred"
    ]


def test_a_log_out_without_a_snapshot_is_one_too() -> None:
    assert Story().tell(agent_event("LOGOUT", 100, None)) == ["agent.state offline alice at 100"]


def test_the_next_status_counts_when_it_has_come() -> None:
    story = Story()
    talking = snapshot(in_hand(state="CONNECTED", since_s=12, accepted=12))
    talking["NextAgentStatus"] = {"Name": "Lunch", "Type": "CUSTOM"}
    story.tell(agent_event("STATE_CHANGE", 12, talking, FREE))

    assert states(story) == [("in_contact", None)]


def test_who_is_not_heard_for_too_long_is_offline_until_he_is_heard_again() -> None:
    story = Story()
    story.tell(agent_event("LOGIN", 0, FREE), received_s=1)
    story.tell(agent_event("HEART_BEAT", 120, FREE, FREE), received_s=121)

    assert story.wait_until(121 + agents.SILENT_S - 0.001) == []
    assert story.wait_until(121 + agents.SILENT_S) == ["agent.state offline alice at 420 inferred"]
    assert story.translator.next_due_ms() is None
    assert story.tell(agent_event("HEART_BEAT", 600, FREE, FREE)) == [
        "agent.state available alice at 600 inferred"
    ]


def test_who_is_offline_is_not_waited_for() -> None:
    story = Story()
    story.tell(agent_event("LOGOUT", 0, FREE))

    assert story.translator.next_due_ms() is None


def test_where_others_hear_a_part_silence_is_longer() -> None:
    story = Story(is_stream=False)
    story.tell(agent_event("LOGIN", 0, FREE), received_s=0)

    assert story.translator.next_due_ms() == START_MS + agents.SILENT_SHARED_S * 1000


def test_no_more_agents_are_known_than_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MAX_AGENTS", 2)
    story = Story()
    for name in ("alice", "bruno", "chloe"):
        story.tell(agent_event("LOGIN", 0, FREE, agent=name))

    assert story.tell(agent_event("HEART_BEAT", 9, FREE, FREE, agent="bruno")) == []
    assert story.tell(agent_event("HEART_BEAT", 9, FREE, FREE, agent="alice")) != []


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"AgentARN": None}, "STATE_CHANGE: AgentARN: missing"),
        ({"EventTimestamp": None}, "STATE_CHANGE: EventTimestamp: missing"),
        ({"CurrentAgentSnapshot": None}, "STATE_CHANGE: CurrentAgentSnapshot: missing"),
        ({"EventTimestamp": "noon"}, "STATE_CHANGE: EventTimestamp: not an instant"),
    ],
)
def test_what_cannot_be_read_is_spoiled(changed: dict[str, object], detail: str) -> None:
    event = agent_event("STATE_CHANGE", 1, FREE, FREE) | changed
    found = Story().translator.take(body(event), START_MS)

    assert found.events == []
    assert [spoiled.detail[: len(detail)] for spoiled in found.spoiled] == [detail]


def test_a_record_of_a_kinesis_batch_is_opened() -> None:
    data = base64.b64encode(json.dumps(agent_event("LOGIN", 1, FREE)).encode()).decode()
    record = {"kinesisSchemaVersion": "1.0", "partitionKey": "p", "sequenceNumber": "1", "data": data}

    assert Story().tell([record]) == ["agent.state available alice at 1"]


def test_a_record_that_cannot_be_opened_is_spoiled() -> None:
    found = Story().translator.take(body({"kinesisSchemaVersion": "1.0", "data": "%"}), START_MS)

    assert [spoiled.detail for spoiled in found.spoiled] == ["?: data: not JSON in base64"]


def test_names_of_people_do_not_come_out() -> None:
    story = Story()
    story.tell(agent_event("LOGIN", 1, FREE))

    assert not any(word in repr(story.events) for word in ("Jacqueline", "Untel", "untel@"))
