"""Contact events, each alone: what it says of the contact, of its visit to a queue, of the agent."""

import pytest

from schemas.events import AgentAccepted, ContactCreated, QueueLeft
from schemas.vocabulary import Direction
from services.ingest.translated import type_name
from tests.doubles.connect_events import (
    CUSTOMER,
    PSEUDONYMS,
    START_MS,
    Story,
    agent_arn,
    body,
    contact_event,
    iso,
)

ALICE = {"agent": "alice", "accepted": 9}
QUEUED = {"queue": "support", "entered": 1}
ENTERED = "queue.entered aws/c1/c1 support at 1"
ACCEPTED = "agent.accepted aws/c1/c1 support alice at 9"
ANSWERED = "queue.left answered aws/c1/c1 support alice at 9"
CREATED = "contact.created aws/c1 at 0"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (contact_event("INITIATED"), [CREATED]),
        (contact_event("CONNECTED_TO_SYSTEM"), []),
        (contact_event("QUEUED", **QUEUED), [ENTERED]),
        (contact_event("CONTACT_DATA_UPDATED", **QUEUED), [ENTERED]),
        (contact_event("CONTACT_DATA_UPDATED", **QUEUED, agent="alice"), [ENTERED]),
        (contact_event("CONNECTED_TO_AGENT", **QUEUED, **ALICE), [ENTERED, ACCEPTED, ANSWERED]),
        (
            contact_event("DISCONNECTED", **QUEUED, **ALICE, hung=60, disconnectReason="CUSTOMER_DISCONNECT"),
            [CREATED, ENTERED, ACCEPTED, ANSWERED, "talk.ended by customer aws/c1/c1 support alice at 60"],
        ),
        (
            contact_event("DISCONNECTED", **QUEUED, **ALICE, hung=60, disconnectReason="AGENT_DISCONNECT"),
            [CREATED, ENTERED, ACCEPTED, ANSWERED, "talk.ended by agent aws/c1/c1 support alice at 60"],
        ),
        (
            contact_event(
                "COMPLETED",
                **QUEUED,
                **ALICE,
                hung=60,
                agent_more={
                    "afterContactWorkStartTimestamp": iso(60),
                    "afterContactWorkEndTimestamp": iso(75),
                    "agentInitiatedHoldDuration": 7,
                },
            ),
            [
                *(CREATED, ENTERED, ACCEPTED, ANSWERED, "talk.ended aws/c1/c1 support alice at 60"),
                *("wrap.start aws/c1/c1 alice at 60", "wrap.end aws/c1/c1 alice at 75"),
            ],
        ),
        (
            contact_event("COMPLETED", **QUEUED, **ALICE, hung=60),  # there was no wrap-up
            [
                *(CREATED, ENTERED, ACCEPTED, ANSWERED, "talk.ended aws/c1/c1 support alice at 60"),
                "wrap.end aws/c1/c1 alice at 60",
            ],
        ),
        (
            contact_event(
                "COMPLETED",
                "c1",
                80,
                **QUEUED,
                **ALICE,
                hung=60,
                agent_more={"afterContactWorkStartTimestamp": iso(61)},
            ),
            [
                *(CREATED, ENTERED, ACCEPTED, ANSWERED, "talk.ended aws/c1/c1 support alice at 60"),
                *("wrap.start aws/c1/c1 alice at 61", "wrap.end aws/c1/c1 alice at 80"),
            ],
        ),
        (contact_event("DISCONNECTED", hung=3), [CREATED]),
        (
            contact_event("DISCONNECTED", **QUEUED, hung=30),
            [CREATED, ENTERED, "queue.left unknown aws/c1/c1 support at 30 inferred"],
        ),
        (
            contact_event("DISCONNECTED", **QUEUED, agent="alice", hung=30),  # it rang, nobody was connected
            [CREATED, ENTERED, "queue.left unknown aws/c1/c1 support at 30 inferred"],
        ),
        (
            contact_event("DISCONNECTED", **QUEUED, hung=30, disconnectReason="CONTACT_FLOW_DISCONNECT"),
            [CREATED, ENTERED, "queue.left withdrawn aws/c1/c1 support at 30"],
        ),
        (
            contact_event("DISCONNECTED", **QUEUED, hung=30, disconnectReason="EXPIRED"),
            [CREATED, ENTERED, "queue.left timeout aws/c1/c1 support at 30"],
        ),
        (
            contact_event("CONNECTED_TO_AGENT", **ALICE, initiationMethod="OUTBOUND"),
            ["agent.accepted aws/c1/c1 alice at 9"],
        ),
        (
            contact_event("QUEUED", **QUEUED, initiationMethod="OUTBOUND"),
            [],
        ),
        (contact_event("PAUSED"), []),
        (contact_event("RESUMED"), []),
        (contact_event("AMD_DISABLED"), []),
        (contact_event("WEBRTC_API"), []),
        (contact_event("QUEUED", **QUEUED, channel="TASK"), []),
        (contact_event("QUEUED", **QUEUED, initiationMethod="MONITOR"), []),
    ],
    ids=lambda value: "" if isinstance(value, list) else str(value["detail"]["eventType"]),
)
def test_each_event_says(event: dict[str, object], said: list[str]) -> None:
    assert Story().tell(event) == said


def test_what_goes_on_with_a_contact_says_how_that_left_its_queue_without_knowing_which() -> None:
    story = Story()
    moved = {"previousContactId": "c1", "initialContactId": "c1", "initiationTimestamp": iso(20)}

    assert story.tell(contact_event("INITIATED", "c2", **moved, initiationMethod="QUEUE_TRANSFER")) == [
        "queue.left transferred aws/c1/c1 at 20"
    ]
    assert story.tell(
        contact_event("QUEUED", "c2", **moved, queue="sales", entered=21, initiationMethod="QUEUE_TRANSFER")
    ) == [
        "queue.left transferred aws/c1/c1 at 20",
        "queue.entered aws/c1/c2 sales at 21",
        "transfer queue to sales aws/c1 at 20",
    ]
    assert story.tell(contact_event("INITIATED", "c3", **moved, initiationMethod="CALLBACK")) == [
        "queue.left callback aws/c1/c1 at 20"
    ]


@pytest.mark.parametrize(
    "method", ["OUTBOUND", "API", "DISCONNECT", "MONITOR", "AGENT_REPLY", "EXTERNAL_OUTBOUND"]
)
def test_others_that_follow_a_contact_do_not_take_it_out_of_its_queue(method: str) -> None:
    moved = {"previousContactId": "c1", "initialContactId": "c1"}

    assert Story().tell(contact_event("INITIATED", "c2", **moved, initiationMethod=method)) == []


def test_who_left_alone_has_abandoned_after_the_wait_and_at_the_instant_of_leaving() -> None:
    story = Story()
    story.tell(contact_event("DISCONNECTED", queue="support", hung=30), received_s=31)

    assert story.translator.next_due_ms() == START_MS + 36_000
    assert story.wait_until(35.9) == []
    assert story.wait_until(36) == ["queue.left abandoned aws/c1/c1 support at 30 inferred"]
    assert story.wait_until(3600) == []


def test_the_wait_is_as_set() -> None:
    story = Story(abandon_after_s=0.5)
    story.tell(contact_event("DISCONNECTED", queue="support", hung=30), received_s=31)

    assert story.translator.next_due_ms() == START_MS + 31_500


@pytest.mark.parametrize("is_first", [True, False])
def test_who_is_called_back_has_not_abandoned_whichever_is_heard_first(is_first: bool) -> None:
    story = Story()
    gone = contact_event("DISCONNECTED", queue="support", hung=30)
    call_back = contact_event(
        "INITIATED", "c2", previousContactId="c1", initialContactId="c1", initiationMethod="CALLBACK"
    )
    for event in (call_back, gone) if is_first else (gone, call_back):
        story.tell(event, received_s=31)
    story.wait_until(60)

    assert [event.outcome for event in story.events if isinstance(event, QueueLeft)] == (
        ["callback"] if is_first else ["unknown", "callback"]
    )


def test_the_contact_is_over_when_the_customer_has_gone_and_nobody_goes_on() -> None:
    story = Story()
    gone = {"queue": "support", "hung": 30, "disconnectReason": "CUSTOMER_DISCONNECT"}
    story.tell(contact_event("DISCONNECTED", **gone), received_s=31)
    story.tell(contact_event("DISCONNECTED", "c7", hung=3), received_s=31)

    assert story.wait_until(36) == [
        "queue.left abandoned aws/c1/c1 support at 30 inferred",
        "contact.ended aws/c1 at 30 inferred",
        "contact.ended aws/c7 at 3 inferred",
    ]


def test_an_agent_who_hangs_up_may_have_handed_the_customer_on() -> None:
    story = Story()
    story.tell(contact_event("DISCONNECTED", **QUEUED, **ALICE, hung=60, disconnectReason="AGENT_DISCONNECT"))

    assert story.wait_until(3600) == []


def test_a_repeat_says_the_same_and_does_not_begin_the_wait_anew() -> None:
    story = Story()
    event = contact_event("DISCONNECTED", queue="support", hung=30)

    assert story.tell(event, received_s=31) == story.tell(event, received_s=34)
    assert story.translator.next_due_ms() == START_MS + 36_000


@pytest.mark.parametrize(
    ("told", "channel"),
    [
        ({"channel": "VOICE"}, "phone"),
        ({"channel": "Voice"}, "phone"),
        ({"channel": "CHAT"}, "chat"),
        (
            {"channel": "CHAT", "segmentAttributes": {"connect:Subtype": {"ValueString": "connect:SMS"}}},
            "sms",
        ),
        (
            {"channel": "CHAT", "segmentAttributes": {"connect:Subtype": {"valueString": "connect:Chat"}}},
            "chat",
        ),
        ({"channel": "EMAIL"}, "email"),
    ],
)
def test_channels(told: dict[str, object], channel: str) -> None:
    story = Story()
    story.tell(contact_event("INITIATED", **told))
    story.tell(contact_event("QUEUED", **QUEUED, **told))

    assert [getattr(event, "channel", None) for event in story.events] == [channel, channel]


@pytest.mark.parametrize(
    ("method", "channel", "direction"),
    [
        ("INBOUND", "VOICE", Direction.INBOUND),
        ("OUTBOUND", "VOICE", Direction.OUTBOUND),
        ("CALLBACK", "VOICE", Direction.OUTBOUND),
        ("API", "VOICE", Direction.OUTBOUND),
        ("API", "CHAT", Direction.INBOUND),
        ("API", "EMAIL", Direction.INBOUND),
        ("WEBRTC_API", "VOICE", Direction.INBOUND),
    ],
)
def test_directions(method: str, channel: str, direction: Direction) -> None:
    story = Story()
    story.tell(contact_event("INITIATED", initiationMethod=method, channel=channel))

    assert [e.direction for e in story.events if isinstance(e, ContactCreated)] == [direction]


def test_case_of_names_and_words_tells_nothing() -> None:
    plain = contact_event("DISCONNECTED", **QUEUED, **ALICE, hung=60)
    shouted = {key.upper(): _shouted(value) for key, value in plain.items() if key != "detail-type"}
    shouted["Detail-Type"] = plain["detail-type"]

    assert Story().tell(shouted) == Story().tell(plain)


def _shouted(value: object) -> object:
    return {key.upper(): _shouted(each) for key, each in value.items()} if isinstance(value, dict) else value


def test_a_customer_is_a_pseudonym() -> None:
    story = Story()
    story.tell(contact_event("INITIATED", customerEndpoint={"Address": CUSTOMER, "Type": "TELEPHONE_NUMBER"}))

    (created,) = story.events
    assert isinstance(created, ContactCreated)
    assert created.customer == PSEUDONYMS.of(CUSTOMER)


def test_queues_and_agents_have_our_names_where_they_are_mapped() -> None:
    story = Story(map={"support": "Support N1", "agent": "direct"}, agents={"alice": "Alice"})
    story.tell(contact_event("CONNECTED_TO_AGENT", **QUEUED, **ALICE))
    story.tell(contact_event("QUEUED", "c2", queue="agent/bruno"))

    assert [getattr(e, "queue", None) for e in story.events] == ["Support N1"] * 3 + ["direct"]
    assert [e.agent for e in story.events if isinstance(e, AgentAccepted)] == ["Alice"]


def test_an_agents_own_queue_is_shown_only_when_it_is_mapped() -> None:
    assert Story().tell(contact_event("QUEUED", queue="agent/bruno")) == []
    assert Story().tell(contact_event("CONNECTED_TO_AGENT", queue="agent/bruno", **ALICE)) == [
        "agent.accepted aws/c1/c1 alice at 9"
    ]


def test_without_instants_the_envelopes_own_is_taken() -> None:
    event = contact_event("CONNECTED_TO_AGENT", "c1", 12)
    event["detail"] = {
        "eventType": "CONNECTED_TO_AGENT",
        "contactId": "c1",
        "channel": "Voice",
        "AgentInfo": {"AgentArn": agent_arn("alice")},
    }

    assert Story().tell(event) == ["agent.accepted aws/c1/c1 alice at 12"]


def test_an_agent_without_an_instant_ends_a_talk_whose_answer_another_event_knows() -> None:
    event = contact_event("DISCONNECTED", **QUEUED, hung=60, agentInfo={"agentArn": agent_arn("alice")})
    story = Story()

    assert story.tell(event) == [
        *(CREATED, ENTERED, "talk.ended aws/c1/c1 support alice at 60"),
        "queue.left unknown aws/c1/c1 support alice at 60",
    ]
    assert story.wait_until(3600) == []


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"contactId": None}, "QUEUED: contactId: missing"),
        ({"channel": None}, "QUEUED: channel: missing"),
        ({"initiationTimestamp": "yesterday"}, "QUEUED: initiationTimestamp: not an instant"),
        ({"queueInfo": {"queueArn": "q", "enqueueTimestamp": 7}}, "QUEUED: enqueueTimestamp: not an instant"),
    ],
)
def test_what_cannot_be_read_is_spoiled_with_the_reason_and_no_value(
    changed: dict[str, object], detail: str
) -> None:
    event = contact_event("QUEUED", **QUEUED, **changed)
    found = Story().translator.take(body(event), START_MS)

    assert found.events == []
    (spoiled,) = found.spoiled
    assert spoiled.detail.startswith(detail)
    assert "yesterday" not in spoiled.detail


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (contact_event("RESCHEDULED"), "RESCHEDULED"),
        ({"detail-type": "Contact Lens Rules Matched", "detail": {}}, "Contact Lens Rules Matched"),
        ({"hello": 1}, "?"),
        (7, "?"),
        (
            {"detail-type": "Amazon Connect Contact Event", "detail": {"contactId": "c"}},
            "Amazon Connect Contact Event",
        ),
    ],
)
def test_an_unknown_type_is_counted(payload: object, name: str) -> None:
    found = Story().translator.take(body(payload), START_MS)

    assert (found.events, found.spoiled, dict(found.unknown)) == ([], [], {type_name(name): 1})


def test_an_array_is_as_good_as_its_events() -> None:
    found = Story().translator.take(
        body([contact_event("INITIATED"), contact_event("QUEUED", **QUEUED), {"x": 1}]), START_MS
    )

    assert dict(found.types) == {"INITIATED": 1, "QUEUED": 1}
    assert found.unknown.total() == 1
