"""Lines of a queue_log, and rows of its table, as what they say: nothing is known of calls here. Pure.

The file: `epoch_s|callid|queue|agent|EVENT|p1|p2|…`, whole seconds, no escaping. The table (realtime):
columns `time` (local, often with microseconds), `callid`, `queuename`, `agent`, `event`, and `data1` to
`data5` or one `data` with bars. Both come from `ast_queue_log` of Asterisk's main/logger.c.
"""

import csv
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from services.ingest.instants import epoch_ms
from services.ingest.translated import Spoiled

MAX_LINE_BYTES = 64 * 1024
WHOLE_SECONDS_MS = 1000
"""What the instants of the file are cut down to."""
NO_CALL = frozenset({"", "NONE", "REALTIME", "MANAGER", "CLI"})
NONE = "NONE"

_EPOCH = re.compile(r"(\d{1,11})(?:\.(\d{1,6}))?")
_BEGINNING = re.compile(rb"(\d{1,11})\|")
_COLUMNS = ("time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5")
_DATA = _COLUMNS[5:]
_SET_BACK_S = 10
"""An instant that lies further behind the last one was told by a clock that has been set back for winter."""
_NULLS = frozenset({"NULL", "\\N"})


class Line(Struct, frozen=True, kw_only=True):
    """`precision_ms`: what `at_ms` was cut down to; 0: it is whole. Names are "" where none is given."""

    raw: bytes
    at_ms: int
    precision_ms: int
    callid: str
    queue: str
    agent: str
    event: str
    parameters: tuple[str, ...]

    def text(self, place: int) -> str:
        """A parameter, "" when it is missing; from -1 on counted from the end."""
        if not -len(self.parameters) <= place < len(self.parameters):
            return ""
        return self.parameters[place]

    def whole(self, place: int) -> int | None:
        """A parameter that is a whole number below 10^10; None when it is not."""
        text = self.text(place)
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


class Lines:
    """Reads the lines of one source in their order. `columns`: what the table's header said last."""

    def __init__(self, source: SourceConfig, *, columns: list[str] | None = None) -> None:
        self.columns = columns
        self._format = source.format or "log"
        self._zone = ZoneInfo(source.time_zone or "UTC")
        self._last_s = 0.0

    def read(self, raw: bytes) -> Line | Spoiled | None:
        """What the line says; None for a header or an empty one."""
        text = raw.decode("utf-8", "replace").rstrip("\r").removeprefix("\ufeff")
        if not text.strip("\0 \t"):
            return None
        if self._format == "log":
            return _of_log(raw, text)
        return self._of_table(raw, text)

    def _of_table(self, raw: bytes, text: str) -> Line | Spoiled | None:
        cells = _cells(text, self._format)
        if cells is None:
            return Spoiled.of(raw, f"row: not {self._format}")
        names = [cell.strip().lower() for cell in cells]
        if {"time", "event"} <= set(names):
            self.columns = names
            return None
        columns = self.columns or (["id", *_COLUMNS] if _is_numbered(cells) else list(_COLUMNS))
        row = dict(zip(columns, ("" if cell in _NULLS else cell for cell in cells), strict=False))
        try:
            at_ms, precision_ms = self._instant(row.get("time", ""))
        except InvalidMessage:
            return Spoiled.of(raw, "time: not an instant such as 2026-01-31 12:00:00")
        data = [row.get(name, "") for name in _DATA]
        parameters = data if any(data) else row.get("data", "").split("|")
        return _line(
            raw,
            at_ms,
            precision_ms,
            [row.get("callid", ""), row.get("queuename") or row.get("queue", ""), row.get("agent", "")],
            row.get("event", ""),
            parameters,
        )

    def _instant(self, text: str) -> tuple[int, int]:
        """And what it was cut down to. Of two instants that the local clock shows alike, the one that keeps
        the order. Raises `InvalidMessage`.
        """
        match = _EPOCH.fullmatch(text.strip())
        if match is not None:
            return _of_epoch(match)
        try:
            local = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise InvalidMessage("not an instant") from error
        if local.tzinfo is None:
            local = local.replace(tzinfo=self._zone)
            if local.timestamp() < self._last_s - _SET_BACK_S:
                local = local.replace(fold=1)
        self._last_s = local.timestamp()
        return epoch_ms(local.isoformat()), 0 if local.microsecond else WHOLE_SECONDS_MS


def begins_ms(raw: bytes) -> int | None:
    """The instant at which a line of the file begins; None when it does not begin with one."""
    match = _BEGINNING.match(raw)
    return int(match[1]) * 1000 if match is not None else None


def _of_log(raw: bytes, text: str) -> Line | Spoiled:
    fields = text.split("|")
    match = _EPOCH.fullmatch(fields[0])
    if match is None or len(fields) < 5:
        return Spoiled.of(raw, "line: not epoch|callid|queue|agent|EVENT")
    return _line(raw, *_of_epoch(match), fields[1:4], fields[4], fields[5:])


def _of_epoch(match: re.Match[str]) -> tuple[int, int]:
    fraction = match[2]
    if fraction is None:
        return int(match[1]) * 1000, WHOLE_SECONDS_MS
    return int(match[1]) * 1000 + int(f"{fraction:0<6}") // 1000, 0


def _line(
    raw: bytes, at_ms: int, precision_ms: int, names: list[str], event: str, parameters: list[str]
) -> Line | Spoiled:
    callid, queue, agent = (name.strip() for name in names)
    if not event.strip():
        return Spoiled.of(raw, "event: missing")
    return Line(
        raw=raw,
        at_ms=at_ms,
        precision_ms=precision_ms,
        callid="" if callid in NO_CALL else callid,
        queue="" if queue == NONE else queue,
        agent="" if agent == NONE else agent,
        event=event.strip(),
        parameters=tuple(parameters),
    )


def _cells(text: str, form: str) -> list[str] | None:
    """A row is a line; tab-separated as `mysql --batch` writes it, without quotes."""
    if form == "tsv":
        return text.split("\t")
    try:
        return next(csv.reader([text], strict=True), None)
    except csv.Error:
        return None


def _is_numbered(cells: list[str]) -> bool:
    """Whether the row begins with the table's own number, and the instant comes second."""
    return len(cells) > 1 and cells[0].strip().isdigit() and "-" in cells[1]
