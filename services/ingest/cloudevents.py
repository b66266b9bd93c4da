"""CloudEvents 1.0 as they are posted, into our events: structured, batch, binary. INTERFACE.md §4.

Pure. One call reads one event and says what became of it: `Taken`, or `Refused` with the reason of
SEMANTICS.md §10. Standard: cloudevents/spec 1.0.2, HTTP binding §3 and JSON format §2 to §4.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from schemas.config import DEFAULT_SITE
from schemas.errors import InvalidMessage
from schemas.events import AHEAD_MS, EVERY_SITE, ContactCreated, ContactEnded, SourceEvent, SourceHeartbeat
from schemas.vocabulary import Reason
from services.ingest.kinds import KINDS, Kind, build
from services.ingest.translated import Pseudonyms

OURS = "vigie/"
"""What sources outside may not call themselves: `vigie/ingest` and `vigie/api` speak for us."""

_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,99}", re.ASCII)
_JSON_TYPE = re.compile(r"[\w.!#$&^-]+/(?:[\w.!#$&^-]+\+)?json", re.ASCII)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_USUAL = frozenset({"specversion", "id", "source", "type", "time", "site", "datacontenttype", "data"})
_raws = msgspec.json.Decoder(list[msgspec.Raw])

Headers = Iterable[tuple[bytes, bytes]]


class Mode(StrEnum):
    STRUCTURED = "structured"
    BATCH = "batch"
    BINARY = "binary"


class Taken(Struct, frozen=True):
    """An event; `ignored` fields of its data are in no row."""

    event: SourceEvent
    kind: str
    ignored: int


class Refused(Struct, frozen=True, kw_only=True):
    """Why an event was not taken. `detail` holds no value; `source` and `site` where they could be read.

    `word`: the type, where nobody knows it.
    """

    reason: Reason
    detail: str
    source: str | None = None
    site: str | None = None
    word: str | None = None


@lru_cache(maxsize=64)
def mode_of(content_type: str | None, *, is_binary: bool) -> Mode | None:
    """How the body is to be read; None when its media type is not known (HTTP 415).

    `is_binary`: there are `ce-` headers. Then the body is the data and must be JSON, or nothing.
    """
    media, _, parameters = (content_type or "").partition(";")
    media = media.strip().lower()
    if not _is_utf8(parameters):
        return None
    if media == "application/cloudevents+json":
        return Mode.STRUCTURED
    if media == "application/cloudevents-batch+json":
        return Mode.BATCH
    if is_binary and (not media or _JSON_TYPE.fullmatch(media)):
        return Mode.BINARY
    return None


def split(body: bytes) -> list[bytes | msgspec.Raw]:
    """The entries of a batch, each as its own bytes, so that a bad one does not spoil the others.

    Raises `InvalidMessage` when the body is no JSON array.
    """
    try:
        return list(_raws.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        entries = _cut(body.strip(b" \t\r\n"))
        if entries is None:
            raise InvalidMessage(f"body: {_why(error)}") from error
        return entries


def read_structured(
    entry: bytes | msgspec.Raw, *, received_ms: int, pseudonyms: Pseudonyms
) -> Taken | Refused:
    """One event in JSON format."""
    try:
        members = _decode(entry, "body")
    except InvalidMessage as error:
        return Refused(reason=Reason.INVALID, detail=error.detail)
    if not isinstance(members, dict):
        return Refused(reason=Reason.INVALID, detail="body: expected an object")
    return _read(members, received_ms=received_ms, pseudonyms=pseudonyms)


def read_binary(
    headers: Headers, body: bytes, *, received_ms: int, pseudonyms: Pseudonyms
) -> Taken | Refused:
    """One event whose attributes are `ce-` headers and whose data is the body."""
    members: dict[str, object] = {}
    try:
        for name, value in headers:
            if name[:3].lower() == b"ce-":
                _add_header(members, name[3:].lower().decode("latin-1"), value)
        if body:
            members["data"] = _decode(body, "data")
    except InvalidMessage as error:
        return Refused(reason=Reason.INVALID, detail=error.detail, source=_readable(members.get("source")))
    return _read(members, received_ms=received_ms, pseudonyms=pseudonyms)


def instant(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time; parts of a millisecond are cut off.

    A leap second is the first instant after it. Raises `InvalidMessage`.
    """
    if _TIME.fullmatch(text) is None:
        raise InvalidMessage("time: not an RFC 3339 time")
    leap = text[17:19] == "60"
    if leap:
        text = f"{text[:17]}59{text[19:].lstrip('.0123456789')}"
    try:
        since = (datetime.fromisoformat(text.upper()) - _EPOCH) // _MS + (1000 if leap else 0)
    except (ValueError, OverflowError) as error:
        raise InvalidMessage("time: no such instant") from error
    if since < 0:
        raise InvalidMessage("time: before 1970")
    if leap and since % 86_400_000:  # they end a day of UTC
        raise InvalidMessage("time: no such instant")
    return since


def _read(members: dict[str, object], *, received_ms: int, pseudonyms: Pseudonyms) -> Taken | Refused:
    try:
        return _event_of(members, received_ms=received_ms, pseudonyms=pseudonyms)
    except InvalidMessage as error:
        return Refused(
            reason=error.reason,
            detail=error.detail,
            source=_readable(members.get("source")),
            site=_readable(members.get("site")),
            word=_word(members.get("type")) if error.reason is Reason.UNKNOWN_TYPE else None,
        )


def _event_of(members: dict[str, object], *, received_ms: int, pseudonyms: Pseudonyms) -> Taken:
    if not members.keys() <= _USUAL and not all(map(_ATTRIBUTE.fullmatch, members.keys() - {"data_base64"})):
        raise InvalidMessage("body: an attribute's name is not lower-case letters and digits")
    if _text(members, "specversion") != "1.0":
        raise InvalidMessage("specversion: expected 1.0")
    envelope: dict[str, object] = {
        "id": _text(members, "id"),
        "source": _source(members),
        "site": _site(members),
        "received_ms": received_ms,
    }
    kind = _kind(_text(members, "type"))
    envelope["occurred_ms"] = _occurred(members, received_ms)
    data = _data(members)
    event = build(kind, envelope, data)
    if isinstance(event, SourceHeartbeat) and event.clock_ms is not None:
        _check_ahead("data.clock_ms", event.clock_ms, received_ms)
    return Taken(pseudonymous(event, pseudonyms), kind.name, len(data.keys() - kind.fields))


def _text(members: Mapping[str, object], name: str) -> str:
    """A required attribute. Null is absent (JSON format §2.2)."""
    value = members.get(name)
    if value is None:
        raise InvalidMessage(f"{name}: missing")
    if not isinstance(value, str):
        raise InvalidMessage(f"{name}: expected a string")
    if not value:
        raise InvalidMessage(f"{name}: empty")
    return value


def _source(members: Mapping[str, object]) -> str:
    source = _text(members, "source")
    if source.startswith(OURS):
        raise InvalidMessage(f"source: {OURS} is Vigie's own")
    return source


def _site(members: Mapping[str, object]) -> str:
    site = _text(members, "site") if members.get("site") is not None else DEFAULT_SITE
    if site == EVERY_SITE:
        raise InvalidMessage("site: * is not a site")
    return site


def _kind(name: str) -> Kind:
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidMessage("type: not one that a source may send", reason=Reason.UNKNOWN_TYPE)
    return kind


def _occurred(members: Mapping[str, object], received_ms: int) -> int:
    """Left out: the instant of receipt (SEMANTICS.md §2)."""
    if members.get("time") is None:
        return received_ms
    occurred_ms = instant(_text(members, "time"))
    _check_ahead("time", occurred_ms, received_ms)
    return occurred_ms


def _check_ahead(place: str, at_ms: int, received_ms: int) -> None:
    if at_ms > received_ms + AHEAD_MS:
        ahead_s = (at_ms - received_ms) // 1000
        raise InvalidMessage(f"{place}: {ahead_s} s ahead of the clock here", reason=Reason.FUTURE)


def _data(members: Mapping[str, object]) -> dict[str, object]:
    if members.get("datacontenttype") not in (None, "application/json"):
        name, _, parameters = _text(members, "datacontenttype").partition(";")
        if not _JSON_TYPE.fullmatch(name.strip().lower()) or not _is_utf8(parameters):
            raise InvalidMessage("datacontenttype: only JSON is read")
    data = members.get("data")
    if members.get("data_base64") is not None:
        if data is not None:
            raise InvalidMessage("data_base64: there is data as well")
        data = _decode(_unpacked(_text(members, "data_base64")), "data_base64")
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidMessage("data: expected an object")
    return data


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage("data_base64: not base64") from error


def pseudonymous(event: SourceEvent, pseudonyms: Pseudonyms) -> SourceEvent:
    """Whatever was sent as `customer`, a pseudonym already or not, becomes one of ours."""
    if not isinstance(event, ContactCreated | ContactEnded) or event.customer is None:
        return event
    return msgspec.structs.replace(event, customer=pseudonyms.of(event.customer) if event.customer else None)


def _add_header(members: dict[str, object], name: str, value: bytes) -> None:
    """HTTP binding §3.1.3.2: quotes off, then percent-decoded once, then UTF-8."""
    if not _ATTRIBUTE.fullmatch(name) or name == "data":
        raise InvalidMessage("headers: a ce- header does not name an attribute")
    if name in members:
        raise InvalidMessage(f"{name}: given twice")
    value = value.strip(b" \t")
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = re.sub(rb"\\(.)", rb"\1", value[1:-1])
    try:
        members[name] = unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidMessage(f"{name}: not UTF-8") from error


def _decode(data: bytes | msgspec.Raw, place: str) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"{place}: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, msgspec.ValidationError) and "array" in str(error):
        return "expected an array"
    return str(error).partition(" - at ")[0]


def _cut(body: bytes) -> list[bytes | msgspec.Raw] | None:
    """The entries of an array some of which are no JSON, told apart by brackets and commas alone.

    None when the body is no array, or its brackets do not match.
    """
    depth, start = 0, 1
    entries: list[bytes | msgspec.Raw] = []
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        if (mark == b"," and depth == 1) or depth == 0:
            entries.append(body[start : token.start()])
            start = token.end()
        if depth == 0:
            break
    is_array = body[:1] == b"[" and body[-1:] == b"]" and depth == 0 and start == len(body) and bool(entries)
    return entries if is_array else None


def _is_utf8(parameters: str) -> bool:
    """Of media type parameters: no charset, or the one that JSON has."""
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", parameters, re.IGNORECASE)
    return charset is None or charset[1].lower() in ("utf-8", "utf8", "us-ascii")


def _word(value: object) -> str:
    """A type as it may be shown; what does not look like one may be anything, a number of a customer too."""
    return value if isinstance(value, str) and _TYPE.fullmatch(value) else "…"


def _readable(value: object) -> str | None:
    """An identifier fit for a dead letter, or None."""
    fits = isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()
    return value if fits and isinstance(value, str) else None
