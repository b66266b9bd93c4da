"""Twilio as it sends: events of tasks and workers as forms and as CloudEvents, and its signature.

Composed after the TaskRouter event reference and the schema of Event Streams; all values are invented.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from schemas.config import SourceConfig

START_MS = 1_795_341_600_000
CALLER = "+15550100001"
CALL = "CA00000000000000000000000000000001"
CONVERSATION = "CH00000000000000000000000000000001"
QUEUES = {"Support": "WQ00000000000000000000000000000001", "Sales": "WQ00000000000000000000000000000002"}
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def source(**more: object) -> SourceConfig:
    told: dict[str, object] = {"id": "flex", "kind": "twilio_taskrouter", "site": "paris", "system": "flex"}
    return SourceConfig(**told | more)  # type: ignore[arg-type] # the tests name real fields


def signature(token: str, url: str, pairs: Sequence[tuple[str, str]] = ()) -> str:
    """As documented: the address, then every key and value, by key, by value, each once."""
    text = url
    for key in sorted({key for key, _ in pairs}):
        for value in sorted({value for name, value in pairs if name == key}):
            text += key + value
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Told:
    """One event, `fields` by TaskRouter's names of forms. As both transports send it."""

    def __init__(self, type_: str, at_ms: int, fields: Mapping[str, str]) -> None:
        self.type, self.at_ms, self.fields = type_, at_ms, dict(fields)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        named = {
            "EventType": self.type,
            "Timestamp": str(self.at_ms // 1000),
            "TimestampMs": str(self.at_ms),
            "EventDescription": f"{self.type} of {CALLER}",
        }
        return list((named | self.fields).items())

    @property
    def form(self) -> bytes:
        return urlencode(self.pairs).encode()

    @property
    def event(self) -> dict[str, object]:
        """As Event Streams have it: instants as text, flags as such."""
        payload: dict[str, object] = {"eventtype": self.type, "timestamp": iso(self.at_ms)}
        for name, value in self.fields.items():
            told: object = iso(int(value) * 1000) if name == "TaskQueueEnteredDate" else value
            payload[_snake(name)] = told == "true" if told in ("true", "false") else told
        return {
            "specversion": "1.0",
            "type": f"com.twilio.taskrouter.{self.type}",
            "source": "AB00000000000000000000000000000001",
            "id": "EZ00000000000000000000000000000001",
            "dataschema": "https://events-schemas.twilio.com/TaskRouter.WDSEvent/4",
            "datacontenttype": "application/json",
            "time": iso(self.at_ms),
            "data": {"timestamp": iso(self.at_ms), "name": self.type, "payload": payload},
        }

    @property
    def json(self) -> bytes:
        return json.dumps(self.event).encode()


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Task:
    """A task as its events have it. `at_ms` of each: after `START_MS`."""

    def __init__(
        self,
        number: int,
        *,
        channel: str = "voice",
        attributes: Mapping[str, object] | str | None = None,
    ) -> None:
        self.sid = f"WT{number:032}"
        told = (
            {"direction": "inbound", "from": CALLER, "call_sid": CALL} if attributes is None else attributes
        )
        self._fields = {
            "TaskSid": self.sid,
            "TaskAttributes": told if isinstance(told, str) else json.dumps(told),
            "TaskChannelUniqueName": channel,
        }

    def told(self, type_: str, at_ms: int, **more: str) -> Told:
        return Told(f"task.{type_}", START_MS + at_ms, self._fields | more)

    def enter(self, queue: str, at_ms: int) -> "Visit":
        self._fields |= {
            "TaskQueueSid": QUEUES[queue],
            "TaskQueueName": queue,
            "TaskQueueEnteredDate": str((START_MS + at_ms) // 1000),
        }
        return Visit(dict(self._fields), at_ms)


class Visit:
    """A stay of a task in a queue."""

    def __init__(self, fields: Mapping[str, str], at_ms: int) -> None:
        self.fields = dict(fields)
        self.entered = Told("task-queue.entered", START_MS + at_ms, self.fields)

    def told(self, type_: str, at_ms: int, **more: str) -> Told:
        return Told(type_, START_MS + at_ms, self.fields | more)

    def reservation(self, what: str, at_ms: int, worker: str, number: int, **more: str) -> Told:
        named = {"ReservationSid": f"WR{number:032}"} | worker_fields(worker, activity="Available") | more
        return Told(f"reservation.{what}", START_MS + at_ms, self.fields | named)


def worker_fields(name: str, *, activity: str) -> dict[str, str]:
    number = sum(name.encode())
    return {"WorkerSid": f"WK{number:032}", "WorkerName": name, "WorkerActivityName": activity}


def worker(what: str, at_ms: int, name: str, activity: str, **more: str) -> Told:
    return Told(f"worker.{what}", START_MS + at_ms, worker_fields(name, activity=activity) | more)


def message(number: int, at_ms: int, *, author: str, **more: str) -> bytes:
    """A form of Conversations after a message was added."""
    fields = {
        "EventType": "onMessageAdded",
        "ConversationSid": CONVERSATION,
        "MessageSid": f"IM{number:032}",
        "Author": author,
        "Body": "my card is 4111",
        "DateCreated": iso(START_MS + at_ms),
    }
    return urlencode(fields | more).encode()


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
