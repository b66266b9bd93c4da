"""Recordings: bodies on lines, whole files, frames of a worker's browser."""

import json

import pytest

from schemas.events import (
    AgentAccepted,
    AgentStateChanged,
    ContactCreated,
    QueueEntered,
    QueueLeft,
    SourceEvent,
)
from services.ingest.adapters.twilio_taskrouter.recording import read
from services.ingest.translated import Recording
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import QUEUES, START_MS, Task, Told, source, worker

CREATED = Task(1).told("created", 120)
ENTERED = Task(1).enter("Support", 1_200).entered
BREAK = worker("activity.update", 2_000, "alice", "Break")


def recorded(*chunks: bytes) -> Recording:
    return read(chunks, source(), PSEUDONYMS)


def kinds(recording: Recording) -> list[type[SourceEvent]]:
    return [type(event) for event in recording.events]


@pytest.mark.parametrize(
    "content",
    [
        b"\n".join([CREATED.form, ENTERED.form, BREAK.form]),
        b"\r\n\r\n".join([CREATED.form, ENTERED.json, BREAK.form, b""]),
        b"\n".join([json.dumps([CREATED.event, ENTERED.event]).encode(), BREAK.form]),
        json.dumps([each.event for each in (CREATED, ENTERED, BREAK)], indent=2).encode(),
    ],
    ids=["forms", "mixed", "a batch on a line", "one array"],
)
def test_a_recording_is_lines_or_one_json(content: bytes) -> None:
    found = recorded(content[:77], content[77:])

    assert kinds(found) == [ContactCreated, QueueEntered, AgentStateChanged]
    assert (found.payloads, found.spoiled) == (3, [])
    assert [event.received_ms for event in found.events] == [event.occurred_ms for event in found.events]


def test_one_event_in_several_lines_is_one() -> None:
    found = recorded(json.dumps(CREATED.event, indent=2).encode())

    assert (kinds(found), found.payloads) == ([ContactCreated], 1)


def test_a_line_that_cannot_be_read_is_one_dead_letter() -> None:
    found = recorded(CREATED.form + b'\n{"type": \n' + ENTERED.form)

    assert (kinds(found), found.payloads) == ([ContactCreated, QueueEntered], 3)
    assert [letter.detail for letter in found.spoiled] == ["body: no JSON"]


def test_what_is_derived_is_left_out_where_the_recording_tells_it() -> None:
    """A replayed event has no rank."""
    stay = Task(1).enter("Support", 1_200)
    accepted = stay.reservation("accepted", 6_400, "alice", 7)
    canceled = stay.told("task.canceled", 9_000, TaskCanceledReason="hangup")
    deleted = stay.told("task.deleted", 9_500)

    def told(*events: Told) -> list[tuple[str, bool]]:
        found = recorded(b"\n".join(event.form for event in events)).events
        return [
            (e.outcome if isinstance(e, QueueLeft) else "entered", e.rank < 0)
            for e in found
            if isinstance(e, QueueEntered | QueueLeft)
        ]

    assert told(accepted, ENTERED) == [("answered", False), ("entered", False)]
    assert told(accepted) == [("answered", False), ("entered", True)]
    assert told(ENTERED, deleted) == [("entered", False), ("closed", True)]
    assert told(ENTERED, deleted, canceled) == [("entered", False), ("abandoned", False)]


def test_an_empty_file_holds_nothing() -> None:
    assert recorded(b"\n").payloads == 0


def frame(type_: str, payload: object) -> bytes:
    return json.dumps({"event_type": type_, "payload": payload}).encode()


TASK = {
    "sid": Task(1).sid,
    "attributes": "{}",
    "queue_name": "Support",
    "queue_sid": QUEUES["Support"],
    "task_channel_unique_name": "voice",
    "assignment_status": "assigned",
    "date_updated": START_MS // 1000,
}
RESERVATION = {
    "sid": "WR1",
    "worker_sid": "WK1",
    "reservation_status": "accepted",
    "date_updated": START_MS // 1000 + 5,
    "task": TASK,
}


def test_a_workers_frames_tell_answers_and_states_by_the_workers_number() -> None:
    told = {
        "sid": "WK1",
        "activity_name": "Lunch",
        "available": False,
        "date_status_changed": START_MS // 1000,
    }
    found = recorded(
        b"\n".join(
            [
                frame("worker.activity.update", told),
                frame("reservation.accepted", RESERVATION),
                frame("task.updated", TASK),
                frame("worker.capacity.update", {"sid": "WC1"}),
            ]
        )
    )
    (accepted,) = [event for event in found.events if isinstance(event, AgentAccepted)]

    assert (accepted.agent, accepted.queue, accepted.segment) == ("WK1", "Support", None)
    assert accepted.occurred_ms == START_MS + 5_000
    assert not [event for event in found.events if isinstance(event, QueueEntered)]
    assert [letter.detail for letter in found.spoiled] == [
        "payload: neither a worker, a reservation nor a task"
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending", "agent.offered"),
        ("accepted", "agent.accepted"),
        ("rejected", "agent.no_answer"),
        ("timeout", "agent.no_answer"),
        ("canceled", "agent.offer_ended"),
        ("rescinded", "agent.offer_ended"),
        ("wrapping", "talk.ended"),
        ("completed", "talk.ended"),
    ],
)
def test_without_a_type_a_reservation_is_read_by_its_status(status: str, expected: str) -> None:
    found = recorded(json.dumps({"anyName": RESERVATION | {"reservation_status": status}}).encode())

    assert found.events[0].__struct_config__.tag == expected


def test_a_reservation_without_a_task_is_a_dead_letter() -> None:
    found = recorded(json.dumps({"anyName": RESERVATION | {"task": None}}).encode())

    assert [letter.detail for letter in found.spoiled] == ["reservation.accepted: task_sid: missing"]
