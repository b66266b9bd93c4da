"""What Twilio sends, cut into single payloads with one way to read them, whichever way they came. Pure.

Three ways end here: forms of TaskRouter (`TaskSid=…`) and of Conversations (`EventType=onMessageAdded`),
CloudEvents of Event Streams, one or an array. Fields are called as in Event Streams, `task_sid`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from schemas.errors import InvalidMessage
from services.ingest.adapters.twilio_taskrouter.signature import MAX_FIELDS
from services.ingest.instants import epoch_ms

TASKROUTER = "com.twilio.taskrouter."
CONVERSATIONS = "com.twilio.conversations."
_OF_CONVERSATIONS = re.compile("on[A-Z]")
_WORD_BEGINS = re.compile("(?<!^)(?=[A-Z])")
_LONGEST = 40
"""Characters of a number; longer ones are none."""


class Payload(Struct, frozen=True, kw_only=True):
    """One thing that Twilio tells. `word`: its type as sent; `type`: the same, however it came:
    TaskRouter's own (`task.created`), or that of a form of Conversations (`onMessageAdded`).
    """

    word: str
    type: str
    fields: Mapping[str, Any]
    raw: bytes

    def text(self, *names: str) -> str | None:
        """The first of these fields that holds a text."""
        for name in names:
            value = self.fields.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return None

    def needs(self, *names: str) -> str:
        """The same. Raises `InvalidMessage` where none does."""
        found = self.text(*names)
        if found is None:
            raise InvalidMessage(f"{names[0]}: missing")
        return found

    def number(self, name: str) -> int | None:
        value = self.fields.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _LONGEST:
            value = int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, *names: str) -> bool | None:
        for name in names:
            value = self.fields.get(name)
            word = str(value).lower() if isinstance(value, str | bool | int) else ""
            if word in ("true", "false", "1", "0"):
                return word in ("true", "1")
        return None

    def instant_ms(self, *names: str) -> int | None:
        """The first of these fields that holds an instant; 0 is none."""
        for name in names:
            try:
                at_ms = epoch_ms(self.fields.get(name))
            except InvalidMessage:
                continue
            if at_ms:
                return at_ms
        return None


class Unreadable(Struct, frozen=True):
    """A part of a body that is no payload."""

    raw: bytes
    detail: str


def of_body(body: bytes, *, is_form: bool) -> Iterator[Payload | Unreadable]:
    """Everything that a request tells. Raises `InvalidMessage` when it is neither JSON nor a form."""
    if is_form:
        yield of_form(body)
        return
    try:
        is_batch = body.lstrip()[:1] == b"["
        entries = msgspec.json.decode(body, type=list[msgspec.Raw]) if is_batch else [msgspec.Raw(body)]
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidMessage("body: no JSON") from error
    for entry in entries:
        yield of_cloudevent(bytes(entry))


def of_form(body: bytes) -> Payload | Unreadable:
    """Raises `InvalidMessage` when it is no form."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidMessage("body: no form") from error
    if not pairs:
        raise InvalidMessage("body: no form")
    fields = _snake(dict(pairs))
    word = fields.get("event_type")
    if not word:
        return Unreadable(body, "EventType: missing")
    return Payload(word=word, type=word, fields=fields, raw=body)


def of_cloudevent(raw: bytes) -> Payload | Unreadable:
    """Raises `InvalidMessage` when it is no JSON."""
    try:
        members = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage("body: no JSON") from error
    if not isinstance(members, dict):
        return Unreadable(raw, "event: expected an object")
    word = members.get("type")
    if not isinstance(word, str) or not word:
        return Unreadable(raw, "type: missing")
    data = members.get("data")
    if not isinstance(data, dict):
        data = {}
    if word.startswith(CONVERSATIONS):
        fields = {"timestamp": members.get("time"), **_snake(data)}
        return Payload(word=word, type=conversations_type(word), fields=fields, raw=raw)
    if word.startswith(TASKROUTER):
        # samples of Twilio's pages have no `time`, and say in `eventtype` something else than in `type`
        at = {"timestamp": data.get("timestamp") or members.get("time")}
        fields = {**at, **{name: value for name, value in _inner(data).items() if value is not None}}
        return Payload(word=word, type=word.removeprefix(TASKROUTER), fields=fields, raw=raw)
    return Payload(word=word, type=word, fields={}, raw=raw)


def conversations_type(word: str) -> str:
    """`com.twilio.conversations.conversation-state.updated` is `onConversationStateUpdated`."""
    parts = re.split("[.-]", word.removeprefix(CONVERSATIONS))
    return "on" + "".join(part.capitalize() for part in parts)


def is_of_conversations(payload: Payload) -> bool:
    return _OF_CONVERSATIONS.match(payload.type) is not None


def _inner(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """TaskRouter's event within the data; it may stand there as text."""
    inner = data.get("payload")
    if isinstance(inner, str):
        inner = json_object(inner)
    return inner if isinstance(inner, dict) else {}


def json_object(text: object) -> Mapping[str, Any]:
    """An object that travels as text; empty where it is none."""
    if isinstance(text, str):
        try:
            text = json.loads(text)
        except (ValueError, RecursionError):
            return {}
    return text if isinstance(text, dict) else {}


def _snake(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {_WORD_BEGINS.sub("_", name).lower(): value for name, value in fields.items()}
