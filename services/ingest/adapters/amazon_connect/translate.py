"""What Amazon Connect sends → our events: which payload is whose matter. Pure; mapping: SOURCES.md §5b.

A payload is an event of EventBridge (contacts), a record of the agent event stream, one of a Kinesis batch
as EventBridge Pipes posts it, or an array of these.
"""

import base64
import binascii
from collections.abc import Iterator

import msgspec

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import AnyEvent, SourceEvent
from services.ingest.adapters.amazon_connect import agents, contact_event
from services.ingest.adapters.amazon_connect.agents import Agents
from services.ingest.adapters.amazon_connect.contacts import Contacts
from services.ingest.adapters.amazon_connect.wire import Fields, Unreadable
from services.ingest.facts import Facts
from services.ingest.payloads import take_any
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

CONTACT_EVENT = "Amazon Connect Contact Event"
SECOND_HAND = -1
"""Rank of what is derived, and of agent events' instants: what contact events tell knows better."""


class Translator:
    """One source's payloads, in any order. `is_stream`: all agent events of the instance come here."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms, *, is_stream: bool = False) -> None:
        self._source = source
        self._told = Facts(source)
        self._derived = Facts(source, rank=SECOND_HAND)
        self._contacts = Contacts(source, pseudonyms, told=self._told, derived=self._derived)
        self._coarse = Facts(source, rank=SECOND_HAND, precision_ms=1000)
        self._agents = Agents(source, facts=self._derived, coarse=self._coarse, is_stream=is_stream)

    def take(self, raw: bytes, now_ms: int) -> Translated:
        """What a body tells that was received at `now_ms`. Raises `InvalidMessage` when it is no JSON."""
        value = _decode(raw)
        found = Translated()
        several = value if isinstance(value, list) else [value]
        for each in several:
            part = raw if len(several) == 1 else msgspec.json.encode(each)
            found.add(self._one(each, part, now_ms))
        return found

    def take_any(self, raw: bytes, now_ms: int) -> Translated:
        """The same, for who has nobody to answer: what is no JSON is spoiled."""
        return take_any(self.take, raw, now_ms)

    def due(self, now_ms: int, *, with_agents: bool = True) -> Translated:
        """What is due by then. `with_agents` false: events of agents may be under way still."""
        self._received(now_ms)
        self._contacts.due(now_ms)
        if with_agents:
            self._agents.due(now_ms)
        return Translated(events=self._events())

    def next_due_ms(self) -> int | None:
        due = (self._contacts.next_due_ms(), self._agents.next_due_ms())
        return min((each for each in due if each is not None), default=None)

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started; all of them come before `go_on`."""
        self._contacts.recall(event)
        self._agents.recall(event)

    def go_on(self, now_ms: int) -> None:
        self._agents.go_on(now_ms)

    def _one(self, value: object, raw: bytes, now_ms: int) -> Translated:
        self._received(now_ms)
        fields, found = Fields(value), Translated()
        kind = "?"
        try:
            fields = _unwrapped(fields)
            detail = _detail(fields)
            kind = type_name(
                (detail.word("eventType") if detail is not None else fields.word("EventType"))
                or fields.text("detail-type")
            )
            if detail is not None and kind in contact_event.TYPES:
                self._contact(fields, detail, now_ms)
            elif detail is None and kind in agents.TYPES:
                self._agents.take(fields, now_ms)
            else:
                found.unknown[kind] += 1
                return found
        except Unreadable as error:
            found.spoiled.append(Spoiled.of(raw, f"{kind}: {error.detail}"))
            return found
        found.types[kind] += 1
        found.events = self._events()
        return found

    def _contact(self, fields: Fields, detail: Fields, now_ms: int) -> None:
        at_ms = fields.instant("time") or now_ms
        event = contact_event.read(detail, self._source, at_ms=at_ms)
        if event is not None:
            self._contacts.take(event, now_ms)

    def _received(self, now_ms: int) -> None:
        for facts in (self._told, self._derived, self._coarse):
            facts.received_ms = now_ms

    def _events(self) -> list[SourceEvent]:
        return [*self._told.take(), *self._derived.take(), *self._coarse.take()]


def _decode(raw: bytes) -> object:
    """Raises `InvalidMessage` when it is no JSON."""
    try:
        value: object = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidMessage("body: not JSON") from error
    return value


def instant_of(raw: bytes) -> int | None:
    """When a payload was sent, by its own clock; None where it says nothing readable."""
    try:
        value = _decode(raw)
    except InvalidMessage:
        return None
    several = value if isinstance(value, list) else [value]
    return max((at_ms for each in several for at_ms in _instants(each)), default=None)


def _instants(value: object) -> Iterator[int]:
    try:
        fields = _unwrapped(Fields(value))
        at_ms = fields.instant("time") or fields.instant("EventTimestamp")
    except Unreadable:
        return
    if at_ms is not None:
        yield at_ms


def _unwrapped(fields: Fields) -> Fields:
    """The record itself, where it came as a Kinesis batch has it. Raises `Unreadable`."""
    if "data" not in fields or not ("kinesisSchemaVersion" in fields or "sequenceNumber" in fields):
        return fields
    try:
        return Fields(_decode(base64.b64decode(fields.text("data"), validate=True)))
    except (binascii.Error, ValueError, InvalidMessage) as error:
        raise Unreadable("data: not JSON in base64") from error


def _detail(fields: Fields) -> Fields | None:
    """The contact event; None where it is none. A rule may have been told to send the detail alone."""
    if "detail" in fields or "detail-type" in fields:
        is_contacts = fields.text("detail-type") in ("", CONTACT_EVENT)
        return fields.part("detail") if is_contacts else Fields(None)
    return fields if "contactId" in fields else None
