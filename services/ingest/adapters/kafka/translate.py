"""Records of somebody's topic → our events: CloudEvents in structured or binary mode. Pure.

Kafka protocol binding for CloudEvents 1.0.2, §3: structured records say so by their content type, binary
ones have the attributes in `ce_…` headers, as UTF-8. An event is (source, id) of the CloudEvent; ours
carries the id of the configured source, and both in its own id. What is called otherwise there is mapped
(`mapping.py`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.vocabulary import Reason
from services.ingest.intake import EVENT_BYTES, TOO_LARGE
from services.ingest.mapping import Mapper
from services.ingest.translated import Pseudonyms, Recording, Spoiled, Translated, type_name

STRUCTURED = "application/cloudevents"
Header = tuple[str, bytes]


class Record(Struct, frozen=True):
    """A record as it came. `value` None: a tombstone. `timestamp_ms`: the broker's."""

    headers: Sequence[Header]
    value: bytes | None
    timestamp_ms: int = 0


class Translator:
    """Translates each record by itself."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._mapper = Mapper(source, pseudonyms)

    def record(self, record: Record, now_ms: int) -> Translated:
        told = Translated()
        if record.value is None:
            told.dropped[Reason.NOT_AN_EVENT] += 1
            return told
        if len(record.value) > EVENT_BYTES:
            told.spoiled.append(Spoiled.of(record.value, TOO_LARGE, is_too_large=True))
            return told
        try:
            self._take(_members(record), told, record.timestamp_ms, now_ms)
        except InvalidMessage as error:
            told.spoiled.append(Spoiled.of(record.value, error.detail))
        return told

    def _take(self, members: Mapping[str, Any], told: Translated, at_ms: int, now_ms: int) -> None:
        theirs = _text(members, "type")
        name = self._mapper.name_of(theirs)
        if members.get("site") not in (None, self._source.site):
            told.dropped[Reason.UNKNOWN_SITE] += 1
            return
        time = members.get("time")
        data = members.get("data") or {}
        if not isinstance(data, dict):
            raise InvalidMessage("data: expected an object")
        try:
            event = self._mapper.event(
                name,
                self._mapper.data(data),
                id_=f"{_text(members, 'source')}|{_text(members, 'id')}",
                at_ms=at_ms if time is None else self._mapper.instant("time", time),
                received_ms=now_ms,
            )
        except InvalidMessage as error:
            if error.reason is not Reason.UNKNOWN_TYPE:
                raise
            told.unknown[type_name(theirs)] += 1
            return
        told.types[type_name(theirs)] += 1
        told.events.append(event)


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """For `vigie replay kafka`: records as JSON, one on a line or all in an array, each with `headers` and
    `value_utf8`, as a consumer's dump has them.
    """
    translator = Translator(source, pseudonyms)
    told, count = Translated(), 0
    for record in _dumped(b"".join(chunks)):
        told.add(translator.record(record, record.timestamp_ms))
        count += 1
    return Recording.of(told, payloads=count)


def _dumped(text: bytes) -> Iterable[Record]:
    try:
        found = json.loads(text)
        entries = found if isinstance(found, list) else [found]
    except ValueError:
        entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    for entry in entries:
        value = entry.get("value_utf8")
        yield Record(
            headers=[(name, text.encode()) for name, text in entry.get("headers", [])],
            value=None if value is None else value.encode(),
            timestamp_ms=entry.get("timestamp_ms", 0),
        )


def _members(record: Record) -> Mapping[str, Any]:
    """The attributes of the CloudEvent, and `data`. Raises `InvalidMessage`."""
    headers = {name.lower(): value for name, value in record.headers}
    media = _decoded(headers.get("content-type", b""), "content-type").partition(";")[0].strip().lower()
    if media.startswith(STRUCTURED):
        members = _json(record.value or b"", "value")
        if not isinstance(members, dict):
            raise InvalidMessage("value: expected an object")
        if members.get("datacontenttype") not in (None, "application/json") and "data" in members:
            raise InvalidMessage("datacontenttype: only JSON is read")
        return members
    members = {name[3:]: _decoded(value, name) for name, value in headers.items() if name.startswith("ce_")}
    if not members:
        raise InvalidMessage("headers: neither ce_ attributes nor a CloudEvents content type")
    if media and media != "application/json" and not media.endswith("+json"):
        raise InvalidMessage("content-type: only JSON is read")
    return {**members, "data": _json(record.value, "value") if record.value else None}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidMessage(f"{name}: missing")
    return value


def _decoded(value: bytes | None, name: str) -> str:
    try:
        return (value or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidMessage(f"{name}: not UTF-8") from error


def _json(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"{place}: no JSON") from error
