"""Words on the event socket: events in JSON and in plain lines, their instants, tables of answers. Pure.

Of an event only what is used is kept: the rest, among it who calls and every channel variable, ends here.
"""

import hashlib
import re
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from services.ingest.adapters.freeswitch_esl.frames import Frame, headers_of
from services.ingest.names import fit
from services.ingest.translated import Spoiled, type_name

CALLCENTER = "callcenter::info"
HANGUP, HOLD, UNHOLD = "CHANNEL_HANGUP_COMPLETE", "CHANNEL_HOLD", "CHANNEL_UNHOLD"
CHANNEL_EVENTS = (HANGUP, HOLD, UNHOLD)

_KEPT = frozenset(
    {
        "Event-Name",
        "Event-Subclass",
        "Event-Date-Timestamp",
        "Event-Sequence",
        "Core-UUID",
        "Unique-ID",
        "Answer-State",
        "Caller-Channel-Hangup-Time",
        "variable_endpoint_disposition",
        "variable_sip_hangup_disposition",
    }
)
_DROPPED = "CC-Member-CID-Name"
_UNDEFINED = "_undef_"
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)

_Value = str | int | float | bool | list[str] | None
_decoder = msgspec.json.Decoder(dict[str, _Value])


class Event(Struct, frozen=True):
    """One event: what is kept of its headers, and how its sender finds it again."""

    headers: dict[str, str]
    sha256: str
    size: int

    def get(self, key: str) -> str:
        """The value of `key`; "" when it is absent or empty."""
        return self.headers.get(key, "")

    @property
    def type(self) -> str:
        """What it is about: the CC-Action of mod_callcenter's, else the event's name."""
        if self.get("Event-Subclass") == CALLCENTER:
            return self.get("CC-Action")
        return self.get("Event-Name")

    def spoiled(self, detail: str) -> Spoiled:
        return Spoiled(detail=f"{type_name(self.type)}: {detail}", sha256=self.sha256, size=self.size)


def event_of(frame: Frame) -> Event | Spoiled | None:
    """The event in a frame; None when it holds none, or was refused before."""
    if frame.is_refused:
        return None
    if frame.type == "text/event-json":
        return from_json(frame.body)
    if frame.type == "text/event-plain":
        return from_plain(frame.body)
    return None


def from_json(raw: bytes) -> Event | Spoiled:
    """`event json`: values are strings, or lists of them."""
    try:
        told = _decoder.decode(raw.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return Spoiled.of(raw, "event: not a JSON object of strings")
    return _event({key: _text(value) for key, value in told.items()}, raw)


def from_plain(raw: bytes) -> Event | Spoiled:
    """`event plain`: values are URL-encoded, empty ones `_undef_`; a body of its own is left out."""
    head = raw.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    return _event({key: unquote(value, errors="replace") for key, value in headers_of(head).items()}, raw)


def from_block(raw: bytes) -> Event | Spoiled:
    """Lines as `fs_cli` and the manual show them, encoded or not."""
    headers = headers_of(raw.decode("utf-8", "replace"))
    is_encoded = "%3A" in headers.get("Event-Subclass", "").upper()
    return from_plain(raw) if is_encoded else _event(headers, raw)


def _text(value: _Value) -> str:
    if isinstance(value, list):
        return value[0] if value else ""
    return "" if value is None else str(value)


def _event(headers: dict[str, str], raw: bytes) -> Event | Spoiled:
    kept = {
        key: value
        for key, value in headers.items()
        if value not in ("", _UNDEFINED) and (key in _KEPT or (key.startswith("CC-") and key != _DROPPED))
    }
    if "Event-Name" not in kept:
        return Spoiled.of(raw, "event: Event-Name is missing")
    return Event(kept, hashlib.sha256(raw).hexdigest(), len(raw))


# --- what stands in an event ---

_SECONDS_OF = {
    "bridge-agent-start": "CC-Agent-Answered-Time",
    "bridge-agent-end": "CC-Bridge-Terminated-Time",
    "bridge-agent-fail": "CC-Agent-Aborted-Time",
    "member-queue-end": "CC-Member-Leaving-Time",
}


def instant_us(event: Event) -> int | None:
    """When it happened, in microseconds; of whole seconds only where FreeSWITCH's own clock is left out."""
    told = whole(event, "Event-Date-Timestamp")
    if told is not None:
        return told
    seconds = whole(event, _SECONDS_OF.get(event.type, ""))
    return seconds * 1_000_000 if seconds else None


def whole(event: Event, key: str) -> int | None:
    """A whole number below 10^16; None when it is not one."""
    return number(event.get(key))


def number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


def seconds_ms(event: Event, key: str) -> int | None:
    """One of mod_callcenter's instants, told in whole seconds, in ms; None when it is not told or 0."""
    seconds = whole(event, key)
    return seconds * 1000 if seconds and seconds < 10**12 else None


def name_of(event: Event, key: str) -> str:
    """The value fit to be a name; "" when there is none."""
    return fit(event.get(key).strip())


def is_uuid(text: str) -> bool:
    """Whether it may stand in a command."""
    return _UUID.fullmatch(text) is not None


# --- tables of answers ---

Row = dict[str, str]


def table(text: str, *, free: str) -> list[Row] | None:
    """The rows of a `callcenter_config … list`; None when it is not one, or was cut off.

    Columns are parted by `|`, which the column `free` may hold too, as it may hold line ends.
    """
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines.pop() != "+OK":
        return None
    if not lines:
        return []
    columns = lines[0].split("|")
    rows, piece = [], ""
    for line in lines[1:]:
        piece = f"{piece}\n{line}" if piece else line
        if piece.count("|") >= len(columns) - 1:
            rows.append(_row(columns, piece.split("|"), free))
            piece = ""
    return rows


def _row(columns: list[str], values: list[str], free: str) -> Row:
    more = len(values) - len(columns)
    if more and free in columns:
        at = columns.index(free)
        values[at : at + more + 1] = ["|".join(values[at : at + more + 1])]
    return {
        column: "" if value == "(null)" else value
        for column, value in zip(columns, values[: len(columns)], strict=True)
    }


def cell_ms(row: Row, key: str) -> int | None:
    """An instant in whole seconds, in ms; None when it is 0 or not one."""
    seconds = number(row.get(key, ""))
    return seconds * 1000 if seconds and seconds < 10**12 else None
