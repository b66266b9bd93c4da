"""What a worker's browser hears, as payloads of events. Pure; for recordings only.

Its socket (twilio-taskrouter.js) carries `{"event_type": …, "payload": …}` with the worker, the reservation
or the task as it now stands. It tells offers, answers and states of that one worker; nobody enters a queue
in it, and no worker's name stands beside a reservation, so the number is used throughout.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from services.ingest.adapters.twilio_taskrouter.payload import Payload, Unreadable

_BY_STATUS = {"pending": "created", "wrapping": "wrapup"}
_OF_WORKER = {
    "worker_sid": "sid",
    "worker_activity_name": "activity_name",
    "worker_available": "available",
    "timestamp": "date_status_changed",
}
_OF_TASK = {
    "task_sid": "sid",
    "task_attributes": "attributes",
    "task_queue_sid": "queue_sid",
    "task_queue_name": "queue_name",
    "task_channel_unique_name": "task_channel_unique_name",
    "task_assignment_status": "assignment_status",
    "reason": "reason",
    "timestamp": "date_updated",
}


def payloads_of(members: Mapping[str, Any]) -> Iterator[Payload | Unreadable]:
    """A frame, or an object of named ones, as a test's mock has them."""
    if "event_type" in members:
        yield _payload(members.get("event_type"), members.get("payload"))
        return
    for told in members.values():
        yield _payload(None, told)


def _payload(type_: object, told: object) -> Payload | Unreadable:
    raw = msgspec.json.encode(told)
    if not isinstance(told, dict):
        return Unreadable(raw, "payload: expected an object")
    kind, fields = _read(told)
    if kind is None:
        return Unreadable(raw, "payload: neither a worker, a reservation nor a task")
    word = type_ if isinstance(type_, str) and type_ else kind
    return Payload(word=word, type=word, fields=fields, raw=raw)


def _read(told: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Its type by its status, and its fields by the names of Event Streams."""
    if "reservation_status" in told:
        status = str(told["reservation_status"])
        task = told.get("task")
        fields = _renamed(task if isinstance(task, dict) else {}, _OF_TASK)
        fields |= {
            "reservation_sid": told.get("sid"),
            "worker_sid": told.get("worker_sid"),
            "timestamp": told.get("date_updated") or told.get("date_created"),
        }
        return f"reservation.{_BY_STATUS.get(status, status)}", fields
    if "activity_name" in told:
        return "worker.activity.update", _renamed(told, _OF_WORKER)
    if "assignment_status" in told:
        return "task.updated", _renamed(told, _OF_TASK)
    return None, {}


def _renamed(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: told.get(theirs) for ours, theirs in names.items()}
