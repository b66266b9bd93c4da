"""Each event of TaskRouter by itself: what it tells, whichever way it came."""

import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import AgentState, Channel, Direction, OfferEnd, Outcome, TransferKind
from services.ingest.adapters.twilio_taskrouter.story import UNUSED
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from services.ingest.translated import Translated
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import (
    CALL,
    CALLER,
    CONVERSATION,
    QUEUES,
    START_MS,
    Task,
    Told,
    source,
    worker,
)

NOW_MS = START_MS + 3_600_000
E = TypeVar("E", bound=SourceEvent)
FLEX_CALL = f"flex/{CALL}"
SEGMENT = f"{FLEX_CALL}/{QUEUES['Support']}/{Task(1).sid}-{START_MS // 1000 + 1}"


def told(event: Told, **settings: object) -> Translated:
    return Translator(source(**settings), PSEUDONYMS).body(event.form, is_form=True, now_ms=NOW_MS)


def streamed(event: Told, **settings: object) -> Translated:
    return Translator(source(**settings), PSEUDONYMS).body(event.json, is_form=False, now_ms=NOW_MS)


def kinds(found: Translated) -> list[str]:
    return [str(event.__struct_config__.tag) for event in found.events]


def only(found: Translated, kind: type[E]) -> E:
    (event,) = [event for event in found.events if isinstance(event, kind)]
    return event


def visit(**more: object) -> Callable[..., Told]:
    task = Task(1, **more)  # type: ignore[arg-type] # the tests name real arguments
    stay = task.enter("Support", 1_200)
    return stay.told


def reservation(what: str, at_ms: int = 6_400, **more: str) -> Told:
    return Task(1).enter("Support", 1_200).reservation(what, at_ms, "alice", 7, **more)


# --- both transports ---

EVERY = [
    Task(1).told("created", 120),
    Task(1).enter("Support", 1_200).entered,
    *(visit()(kind, 9_000) for kind in ("task-queue.moved", "task-queue.timeout", "workflow.timeout")),
    visit()("task.canceled", 9_000, TaskCanceledReason="hangup"),
    *(visit()(f"task.{kind}", 9_000) for kind in ("wrapup", "completed", "deleted", "system-deleted")),
    visit()("task.transfer-initiated", 9_000, TransferMode="COLD", TransferType="WORKER"),
    *(
        reservation(kind)
        for kind in ("created", "accepted", "rejected", "timeout", "canceled", "rescinded", "failed")
    ),
    reservation("wrapup"),
    reservation("completed"),
    worker("created", 0, "alice", "Offline"),
    worker("activity.update", 5, "alice", "Break", WorkerAvailable="false"),
    worker("capacity.update", 6, "alice", "Break", TaskChannelUniqueName="chat", WorkerChannelCapacity="3"),
    worker("deleted", 9, "alice", "Offline"),
]


@pytest.mark.parametrize("event", EVERY, ids=lambda event: event.type)
def test_a_callback_and_event_streams_tell_the_same(event: Told) -> None:
    as_form, as_json = told(event), streamed(event)

    assert as_form.events == as_json.events != []
    assert (as_form.types, as_json.types) == ({event.type: 1}, {f"com.twilio.taskrouter.{event.type}": 1})


def test_a_batch_is_as_many_events() -> None:
    body = json.dumps([Task(1).told("created", 120).event, reservation("accepted").event]).encode()
    found = Translator(source(), PSEUDONYMS).body(body, is_form=False, now_ms=NOW_MS)

    assert kinds(found)[:2] == ["contact.created", "agent.accepted"]


def test_an_event_keeps_twilios_instant_and_ours() -> None:
    event = only(told(Task(1).told("created", 120)), ContactCreated)

    assert (event.occurred_ms, event.received_ms) == (START_MS + 120, NOW_MS)


def test_without_milliseconds_the_seconds_count() -> None:
    event = Task(1).told("created", 120)
    event.fields["TimestampMs"] = ""

    assert only(told(event), ContactCreated).occurred_ms == START_MS


# --- contacts ---


def test_a_task_is_the_contact_of_its_call_with_a_pseudonym_of_who_calls() -> None:
    event = only(told(Task(1).told("created", 120)), ContactCreated)

    assert (event.contact, event.channel, event.direction) == (FLEX_CALL, Channel.PHONE, Direction.INBOUND)
    assert event.customer == PSEUDONYMS.of(CALLER)


def test_a_second_task_of_the_same_call_is_the_same_contact() -> None:
    first, second = (only(told(Task(n).told("created", n)), ContactCreated) for n in (1, 2))

    assert first.contact == second.contact
    assert first.id != second.id


@pytest.mark.parametrize(
    ("attributes", "contact"),
    [
        ({"call_sid": CALL, "conversationSid": CONVERSATION}, CALL),
        ({"conversationSid": CONVERSATION}, CONVERSATION),
        ({"channelSid": CONVERSATION}, CONVERSATION),
        ({"conversationSid": CONVERSATION, "conversations": {"conversation_id": CALL}}, CONVERSATION),
        ({"conversations": {"conversation_id": CONVERSATION}}, CONVERSATION),
        ({"conversations": {"conversation_id": "of Ann, +1555"}}, PSEUDONYMS.of("of Ann, +1555")),
        ({"conversations": "none"}, Task(1).sid),
        ({"conversations": {"conversation_id": 7}}, Task(1).sid),
        ({"call_sid": "+15550100001"}, Task(1).sid),
        ({"call_sid": ["x"]}, Task(1).sid),
        ({}, Task(1).sid),
        ("{broken", Task(1).sid),
        ("[1]", Task(1).sid),
        ("", Task(1).sid),
        ("[" * 100_000, Task(1).sid),
    ],
)
def test_a_contact_is_the_call_else_the_conversation_else_the_task(
    attributes: dict[str, object] | str, contact: str
) -> None:
    found = told(Task(1, attributes=attributes).told("created", 120))

    assert only(found, ContactCreated).contact == f"flex/{contact}"


@pytest.mark.parametrize(
    ("channel", "attributes", "expected"),
    [
        ("voice", {}, Channel.PHONE),
        ("video", {}, Channel.PHONE),
        ("callback", {}, Channel.PHONE),
        ("chat", {"call_sid": CALL}, Channel.CHAT),
        ("Web Chat", {}, Channel.CHAT),
        ("sms", {}, Channel.SMS),
        ("email", {}, Channel.EMAIL),
        ("whatsapp", {}, Channel.SOCIAL),
        ("default", {"call_sid": CALL, "channelType": "web"}, Channel.PHONE),
        ("default", {"channelType": "whatsapp", "conversationSid": CONVERSATION}, Channel.SOCIAL),
        ("default", {"conversationSid": CONVERSATION}, Channel.CHAT),
        ("default", {}, Channel.PHONE),
        ("letters-to-santa", {"channelType": "owl"}, Channel.PHONE),
        ("", {}, Channel.PHONE),
    ],
)
def test_the_channel_is_the_task_channel_else_what_the_task_is_about(
    channel: str, attributes: dict[str, object], expected: Channel
) -> None:
    event = Task(1, channel=channel, attributes=attributes).enter("Support", 1_200).entered

    assert only(told(event), QueueEntered).channel is expected


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("inbound", Direction.INBOUND),
        ("outbound", Direction.OUTBOUND),
        ("outbound-api", Direction.OUTBOUND),
        ("sideways", None),
        (None, None),
    ],
)
def test_the_direction_is_the_one_told_or_unknown(direction: str | None, expected: Direction | None) -> None:
    task = Task(1, attributes={"from": CALLER, "direction": direction})

    event = only(told(task.told("created", 120)), ContactCreated)
    assert event.direction is expected
    assert (event.customer is None) == (expected is Direction.OUTBOUND)


def test_an_outbound_task_is_nobody_who_waits_but_keeps_its_agent_busy() -> None:
    stay = Task(1, attributes={"direction": "outbound"}).enter("Support", 1_200)
    found = [
        kinds(told(event))
        for event in (
            stay.entered,
            stay.reservation("created", 2_000, "alice", 7),
            stay.reservation("accepted", 3_000, "alice", 7),
            stay.reservation("wrapup", 4_000, "alice", 7),
            stay.reservation("completed", 5_000, "alice", 7),
            stay.told("task.canceled", 6_000, TaskCanceledReason="hangup"),
        )
    ]

    assert found == [[], *[["agent.state"]] * 4, ["contact.ended"]]


# --- visits ---


def test_a_visit_is_named_by_task_queue_and_the_instant_of_entry() -> None:
    entered = only(told(Task(1).enter("Support", 1_200).entered), QueueEntered)
    offered = only(told(reservation("created")), AgentOffered)

    assert (entered.segment, entered.queue, entered.contact) == (SEGMENT, "Support", FLEX_CALL)
    assert offered.segment == SEGMENT


def test_coming_into_the_same_queue_again_is_another_visit() -> None:
    task = Task(1)
    first, second = (only(told(task.enter("Support", at).entered), QueueEntered) for at in (1_200, 9_000))

    assert first.segment != second.segment
    assert first.contact == second.contact


def test_a_payload_without_the_instant_of_entry_names_the_queue_and_lets_the_fold_find_the_visit() -> None:
    stay = Task(1).enter("Support", 1_200)
    del stay.fields["TaskQueueEnteredDate"]
    found = told(stay.reservation("accepted", 6_400, "alice", 7))
    accepted, left = only(found, AgentAccepted), only(found, QueueLeft)

    assert (accepted.segment, accepted.queue, left.segment) == (None, "Support", None)
    assert accepted.id != only(told(stay.reservation("accepted", 7_000, "alice", 8)), AgentAccepted).id
    assert not [event for event in found.events if isinstance(event, QueueEntered)]


@pytest.mark.parametrize(
    ("map_", "expected"),
    [({}, "Support"), ({"Support": "help"}, "help"), ({QUEUES["Support"]: "help"}, "help")],
)
def test_a_queue_is_called_by_its_name_or_as_settings_map_name_or_number(
    map_: dict[str, str], expected: str
) -> None:
    entered = only(told(Task(1).enter("Support", 1_200).entered, map=map_), QueueEntered)

    assert (entered.queue, entered.segment) == (expected, SEGMENT)


def test_a_queue_without_a_name_is_called_by_its_number() -> None:
    event = Task(1).enter("Support", 1_200).entered
    del event.fields["TaskQueueName"]

    assert only(told(event), QueueEntered).queue == QUEUES["Support"]


def test_the_answer_tells_the_visit_again_weakly_for_when_its_entry_was_lost() -> None:
    entered = only(told(reservation("accepted")), QueueEntered)
    real = only(told(Task(1).enter("Support", 1_200).entered), QueueEntered)

    assert (entered.segment, entered.inferred, entered.rank) == (SEGMENT, True, -1)
    assert (entered.precision_ms, real.precision_ms) == (1000, 0)
    assert entered.occurred_ms == START_MS + 1_000
    assert (real.rank, real.inferred, real.id == entered.id) == (0, False, False)


# --- how it leaves ---


@pytest.mark.parametrize(
    ("kind", "fields", "outcome"),
    [
        ("task-queue.moved", {}, Outcome.TRANSFERRED),
        ("task-queue.timeout", {}, Outcome.TIMEOUT),
        ("workflow.timeout", {}, Outcome.TIMEOUT),
        ("task.canceled", {"TaskCanceledReason": "hangup"}, Outcome.ABANDONED),
        ("task.canceled", {"TaskCanceledReason": "Caller hung up."}, Outcome.ABANDONED),
        ("task.canceled", {"TaskCanceledReason": "hang-up"}, Outcome.ABANDONED),
        ("task.canceled", {"TaskCanceledReason": "Task TTL Exceeded"}, Outcome.TIMEOUT),
        ("task.canceled", {"TaskCanceledReason": "Task canceled on Workflow timeout"}, Outcome.TIMEOUT),
        ("task.canceled", {"Reason": "Timed out"}, Outcome.TIMEOUT),
        ("task.canceled", {"TaskCanceledReason": "waiting too long"}, Outcome.CLOSED),
        ("task.canceled", {}, Outcome.CLOSED),
        ("task.canceled", {"TaskCanceledReason": "left the chat"}, Outcome.ABANDONED),
        ("task.deleted", {}, Outcome.CLOSED),
        ("task.deleted", {"TaskAssignmentStatus": "pending"}, Outcome.CLOSED),
        ("task.deleted", {"TaskAssignmentStatus": "canceled"}, None),
        ("task.deleted", {"TaskAssignmentStatus": "completed"}, None),
        ("task.system-deleted", {"TaskAssignmentStatus": "reserved"}, Outcome.TIMEOUT),
        ("task.system-deleted", {"TaskAssignmentStatus": "canceled"}, None),
        ("task.completed", {}, Outcome.UNKNOWN),
    ],
)
def test_how_a_task_leaves_its_queue(kind: str, fields: dict[str, str], outcome: Outcome | None) -> None:
    found = told(visit()(kind, 9_000, **fields), outcomes={"left the chat": Outcome.ABANDONED})
    left = [event for event in found.events if isinstance(event, QueueLeft)]

    assert [(event.outcome, event.segment) for event in left] == ([(outcome, SEGMENT)] if outcome else [])


def test_two_events_that_tell_the_same_outcome_are_two_facts() -> None:
    ids = {only(told(visit()(k, 9_000)), QueueLeft).id for k in ("task-queue.timeout", "workflow.timeout")}

    assert len(ids) == 2


def test_a_deletion_is_weaker_than_what_was_told_before() -> None:
    assert only(told(visit()("task.deleted", 9_000)), QueueLeft).rank == -1


def test_a_task_that_was_canceled_before_any_queue_only_ends() -> None:
    task = Task(1, attributes={})

    assert kinds(told(task.told("canceled", 500, TaskCanceledReason="hangup"))) == ["contact.ended"]
    assert kinds(told(task.told("completed", 500))) == ["contact.ended"]
    assert kinds(told(Task(1).told("wrapup", 500))) == []


def test_a_call_goes_on_when_its_task_ends_and_a_task_of_nothing_else_does_not() -> None:
    of_call = told(visit()("task.completed", 9_000))
    alone = told(visit(attributes={})("task.completed", 9_000))

    assert not [event for event in of_call.events if isinstance(event, ContactEnded)]
    assert only(alone, ContactEnded).contact == f"flex/{Task(1).sid}"


# --- offers, answers, wrap-up ---


def test_a_reservation_is_an_offer_and_rings() -> None:
    found = told(reservation("created"))

    assert only(found, AgentOffered).agent == "alice"
    assert only(found, AgentStateChanged).state is AgentState.RINGING


def test_its_acceptance_is_the_answer() -> None:
    found = told(reservation("accepted"))

    assert (only(found, AgentAccepted).agent, only(found, AgentAccepted).segment) == ("alice", SEGMENT)
    assert (only(found, QueueLeft).outcome, only(found, QueueLeft).agent) == (Outcome.ANSWERED, "alice")
    assert only(found, AgentStateChanged).state is AgentState.IN_CONTACT


@pytest.mark.parametrize(
    ("what", "fields", "reason"),
    [
        ("rejected", {}, None),
        ("timeout", {}, None),
        ("rescinded", {}, OfferEnd.LOST_RACE),
        ("canceled", {}, OfferEnd.CANCELLED),
        ("canceled", {"TaskCanceledReason": "hangup"}, OfferEnd.CALLER_LEFT),
        ("canceled", {"TaskCanceledReason": "waiting too long"}, OfferEnd.CANCELLED),
        ("failed", {}, OfferEnd.CANCELLED),
    ],
)
def test_how_an_offer_ends(what: str, fields: dict[str, str], reason: OfferEnd | None) -> None:
    found = told(reservation(what, 6_400, **fields))

    if reason is None:
        assert only(found, AgentNoAnswer).segment == SEGMENT
    else:
        assert only(found, AgentOfferEnded).reason is reason
    assert only(found, AgentStateChanged).state is AgentState.AVAILABLE


def test_a_reservation_that_failed_need_not_name_a_worker() -> None:
    event = Task(1).enter("Support", 1_200).told("reservation.failed", 6_400, ReservationSid="WR1")

    assert (told(event).events, told(event).spoiled) == ([], [])


def test_the_end_of_a_talk_names_the_agent_and_no_queue_because_the_task_may_stand_in_another() -> None:
    wrapping, over = told(reservation("wrapup")), told(reservation("completed", 9_000))
    ended, start, end = only(wrapping, TalkEnded), only(wrapping, WrapStart), only(over, WrapEnd)

    assert (ended.agent, ended.segment, ended.queue) == ("alice", None, None)
    assert (start.agent, start.segment, end.agent, end.segment) == ("alice", None, "alice", None)
    assert only(wrapping, AgentStateChanged).state is AgentState.WRAP_UP
    assert only(over, AgentStateChanged).state is AgentState.AVAILABLE
    assert only(over, TalkEnded).id != ended.id


def test_a_tasks_own_wrap_up_ends_the_talks_of_its_visit() -> None:
    wrapping, over = told(visit()("task.wrapup", 9_000)), told(visit()("task.completed", 9_500))

    assert (only(wrapping, TalkEnded).agent, only(wrapping, TalkEnded).segment) == (None, SEGMENT)
    assert (only(over, WrapEnd).agent, only(over, WrapEnd).segment) == (None, SEGMENT)


@pytest.mark.parametrize(
    ("what", "mode", "type_", "expected"),
    [
        ("initiated", "COLD", "WORKER", (TransferKind.BLIND, "Support", None)),
        ("initiated", "COLD", "QUEUE", (TransferKind.QUEUE, "Support", "sell")),
        ("initiated", "", "QUEUE", (TransferKind.QUEUE, "Support", "sell")),
        ("initiated", "WARM", "WORKER", None),
        ("completed", "WARM", "WORKER", (TransferKind.ATTENDED, None, None)),
        ("completed", "WARM", "QUEUE", (TransferKind.QUEUE, None, "sell")),
        ("completed", "COLD", "WORKER", None),
        ("failed", "COLD", "WORKER", None),
        ("canceled", "WARM", "WORKER", None),
        ("attempt-failed", "COLD", "WORKER", None),
    ],
)
def test_a_transfer_is_told_once_and_one_that_fails_never(
    what: str, mode: str, type_: str, expected: tuple[TransferKind, str | None, str | None] | None
) -> None:
    to = QUEUES["Sales"] if type_ == "QUEUE" else "WK00000000000000000000000000000009"
    event = visit()(f"task.transfer-{what}", 9_000, TransferMode=mode, TransferType=type_, TransferTo=to)
    found = [
        (transfer.kind, transfer.from_queue, transfer.to_queue)
        for transfer in told(event, map={QUEUES["Sales"]: "sell"}).events
        if isinstance(transfer, Transfer)
    ]

    assert found == ([expected] if expected else [])


# --- what cannot be read, and what tells nothing ---


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (Told("task.created", START_MS, {}), "task.created: task_sid: missing"),
        (Told("task.created", 0, {"TaskSid": "WT1"}), "task.created: timestamp: missing, or no instant"),
        (Task(1).told("deleted", 5, TaskSid=" "), "task.deleted: task_sid: missing"),
        (
            Told("task-queue.entered", START_MS, {"TaskSid": "WT1"}),
            "task-queue.entered: task_queue_sid: missing",
        ),
        (reservation("created", WorkerSid="", WorkerName=""), "reservation.created: worker_sid: missing"),
        (reservation("accepted", ReservationSid=""), "reservation.accepted: reservation_sid: missing"),
        (worker("activity.update", 5, "alice", ""), "worker.activity.update: worker_activity_name: missing"),
        (Told("worker.deleted", START_MS, {}), "worker.deleted: worker_sid: missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.type,
)
def test_what_says_too_little_is_a_dead_letter_that_says_what_is_missing(event: Told, detail: str) -> None:
    for found in (told(event), streamed(event)):
        assert [letter.detail for letter in found.spoiled] == [detail]
        assert found.events == []


@pytest.mark.parametrize("kind", sorted(UNUSED))
def test_what_tells_nothing_is_known_and_counted(kind: str) -> None:
    found = told(Told(kind, START_MS, {"TaskSid": "WT1"}))

    assert (found.events, found.spoiled, found.unknown, found.types) == ([], [], {}, {kind: 1})


def test_a_type_that_nobody_knows_is_counted_and_dropped() -> None:
    found = told(Task(1).told("levitated", 5))

    assert (found.events, found.types, found.unknown) == ([], {}, {"task.levitated": 1})


def test_one_that_cannot_be_read_leaves_nothing_behind_for_the_next() -> None:
    translator = Translator(source(), PSEUDONYMS)
    broken = reservation("accepted", WorkerSid="", WorkerName="")
    translator.body(broken.form, is_form=True, now_ms=NOW_MS)
    after = translator.body(worker("deleted", 9, "alice", "Offline").form, is_form=True, now_ms=NOW_MS)

    assert kinds(after) == ["agent.state"]
