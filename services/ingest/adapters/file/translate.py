"""A file of rows → our events, in the order in which things happened. Pure.

CSV has a header line; its separator (comma, semicolon, tab or bar) is the one that the header has most
of. JSONL has an object on each line. Exports come by start, by end, or newest first, so all rows are read
before anything is told: the aggregator counts as late what comes over an hour behind (SEMANTICS.md §1).
"""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.vocabulary import Reason
from services.ingest.mapping import Mapper
from services.ingest.translated import Pseudonyms, Recording, Spoiled, Translated, type_name

MAX_ROW_BYTES = 64 * 1024
MAX_EVENTS = 1_000_000
"""Of one file: about a gigabyte while it is being read. A larger history comes in several files."""

SEPARATORS = ",;\t|"
TOO_MANY = f"the file holds more than {MAX_EVENTS} events: split it, by day for instance"


def translate(
    lines: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms, *, now_ms: int
) -> Translated:
    """Everything that the lines tell, by instant. `fault` says why not all of it is there."""
    mapper = Mapper(source, pseudonyms)
    told = Translated()
    for raw, row in _rows(lines, source):
        if len(told.events) > MAX_EVENTS:
            told.fault = TOO_MANY
            break
        _take(raw, row, mapper, told, now_ms)
    told.events.sort(key=lambda event: event.occurred_ms)
    return told


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """For `vigie replay file`."""
    told = translate(lines_of(chunks), source, pseudonyms, now_ms=0)
    count = told.types.total() + told.unknown.total() + len(told.spoiled)
    return Recording.of(told, payloads=count)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends, from bytes in any cut. One without end is cut at `MAX_ROW_BYTES`."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
        while len(rest) > MAX_ROW_BYTES:
            yield rest[: MAX_ROW_BYTES + 1]
            rest = b""
    if rest:
        yield rest.removesuffix(b"\r")


def _take(raw: bytes, row: dict[str, Any] | None, mapper: Mapper, told: Translated, now_ms: int) -> None:
    if row is None:
        large = len(raw) > MAX_ROW_BYTES
        detail = f"row: above {MAX_ROW_BYTES} bytes" if large else "row: not an object, or cells are missing"
        told.spoiled.append(Spoiled.of(raw, detail, is_too_large=large))
        return
    try:
        events = mapper.events(row, received_ms=now_ms)
    except InvalidMessage as error:
        if error.reason is Reason.UNKNOWN_TYPE:
            told.unknown[type_name(mapper.data(row).get("type"))] += 1
        else:
            told.spoiled.append(Spoiled.of(raw, f"row: {error.detail}"))
        return
    told.types["row"] += 1
    told.events += events


def _rows(lines: Iterable[bytes], source: SourceConfig) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    is_json = source.format == "jsonl" or (source.format is None and (source.file or "").endswith("jsonl"))
    return _of_json(lines) if is_json else _of_csv(lines)


def _of_json(lines: Iterable[bytes]) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    for raw in lines:
        if not raw.strip():
            continue
        if len(raw) > MAX_ROW_BYTES:
            yield raw, None
            continue
        try:
            row = json.loads(raw)
        except (ValueError, RecursionError):
            row = None
        yield raw, row if isinstance(row, dict) else None


def _of_csv(lines: Iterable[bytes]) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """A quoted cell may not hold a line end: a row is a line."""
    header: list[str] | None = None
    separator = ","
    for raw in lines:
        if not raw.strip():
            continue
        text = raw.decode("utf-8-sig", "replace")
        if header is None:
            separator = max(SEPARATORS, key=text.count)
            header = [name.strip() for name in _cells(text, separator) or []]
            continue
        cells = _cells(text, separator) if len(raw) <= MAX_ROW_BYTES else None
        yield raw, dict(zip(header, cells, strict=True)) if cells and len(cells) == len(header) else None


def _cells(text: str, separator: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), None)
    except csv.Error:
        return None
