"""Structs to bytes and back: one place, so that every process writes and reads alike.

Values are JSON. Keys of compacted topics are JSON arrays of words, so no separator can be forged.
Decoding raises `InvalidMessage`: never retry, dead-letter it.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from schemas.board import AgentRow, Alert, DeadLetter, QueueRow, SiteRow
from schemas.deliveries import Delivery
from schemas.errors import InvalidMessage
from schemas.events import AnyEvent, Name, SourceEvent
from schemas.faults import place_and_rule
from schemas.sources import SourceStatus

Row = QueueRow | AgentRow | SiteRow
_T = TypeVar("_T")


class Sender(Struct, frozen=True):
    """What a dead letter says of where something came from."""

    source: Name | None = None
    site: Name | None = None


_encoder = msgspec.json.Encoder()
_senders = msgspec.json.Decoder(Sender)
_events: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_queue_rows = msgspec.json.Decoder(QueueRow)
_agent_rows = msgspec.json.Decoder(AgentRow)
_site_rows = msgspec.json.Decoder(SiteRow)
_alerts = msgspec.json.Decoder(Alert)
_deliveries = msgspec.json.Decoder(Delivery)
_sources = msgspec.json.Decoder(SourceStatus)
_dead_letters = msgspec.json.Decoder(DeadLetter)
_keys = msgspec.json.Decoder(tuple[str, ...])

encode = _encoder.encode
"""Any message as bytes."""


def decode_event(data: bytes) -> AnyEvent:
    """An event of `vigie.events`."""
    return _decode(_events, data)


def decode_sender(data: bytes) -> Sender:
    """Who sent a record that is no event, as far as that can be read."""
    try:
        return _decode(_senders, data)
    except InvalidMessage:
        return Sender()


def decode_alert(data: bytes) -> Alert:
    """An alert of `vigie.alerts`."""
    return _decode(_alerts, data)


def decode_delivery(data: bytes) -> Delivery:
    """A delivery of `vigie.deliveries`."""
    return _decode(_deliveries, data)


def decode_dead_letter(data: bytes) -> DeadLetter:
    """A dead letter of `vigie.dead_letters`."""
    return _decode(_dead_letters, data)


def decode_source(data: bytes) -> SourceStatus:
    """How a source stands, of `vigie.sources`."""
    return _decode(_sources, data)


def queue_key(site: str, queue: str) -> bytes:
    return encode(("queue", site, queue))


def agent_key(site: str, agent: str) -> bytes:
    return encode(("agent", site, agent))


def site_key(site: str) -> bytes:
    return encode(("site", site))


def delivery_key(alert_id: str, person: str, channel: str) -> bytes:
    return encode((alert_id, person, channel))


def decode_key(key: bytes) -> tuple[str, ...]:
    """The words of a row's key: ("queue", site, queue), ("agent", site, agent) or ("site", site)."""
    return _decode(_keys, key)


def decode_row(kind: str, data: bytes) -> Row:
    """A row of `vigie.snapshots`; `kind` is the first word of its key."""
    if kind == "queue":
        return _decode(_queue_rows, data)
    if kind == "agent":
        return _decode(_agent_rows, data)
    if kind == "site":
        return _decode(_site_rows, data)
    raise InvalidMessage(f"a row of kind {kind!r} is not known")


def convert_event(data: dict[str, object]) -> SourceEvent:
    """A source event from plain values (what ingest took out of a CloudEvent), strictly typed."""
    try:
        event: SourceEvent = msgspec.convert(data, SourceEvent)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error
    return event


def _decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(error) from error


def _invalid(error: Exception) -> InvalidMessage:
    place, rule = place_and_rule(error)
    return InvalidMessage(f"{place or 'record'}: {rule}")
