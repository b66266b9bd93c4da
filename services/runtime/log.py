"""Logs: events with fields, one line each, on standard error.

A line reads `2026-11-22T10:18:28.412Z info ingest source_connected source=pbx1 attempt=3`:
instant, level, service, event, then the fields. `vigie up` interleaves the lines of its services
as they are. Nothing here decides what is worth a line; no line holds personal data.
"""

import contextlib
import json
import logging
import os
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TextIO, cast

import structlog

from services.runtime.clock import now_ms

_QUIET = ("aiokafka", "faust", "mode", "uvicorn", "asyncio", "urllib3", "jgo")
"""Libraries whose lines below WARNING say nothing to who runs Vigie."""

REPEATED_EVERY_S = 30.0
"""A library that says the same again and again is heard so often: a client without its broker tries
several times a second, and would hide what our own lines say of it."""


def set_up(service: str) -> None:
    """From here on `structlog.get_logger()` and the standard `logging` both write our lines.

    `VIGIE_LOG` in the environment gives the lowest level written: debug, info (default), warning, error.
    """
    level = logging.getLevelNamesMapping().get(os.environ.get("VIGIE_LOG", "info").upper(), logging.INFO)
    output = cast("TextIO", _StandardError())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _stamp(service),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_library],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    handler.addFilter(_Repeated())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for library in _QUIET:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))


class _StandardError:
    """Standard error, for as long as somebody reads it: a supervisor's death must not stop a drain."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


class _Repeated(logging.Filter):
    """Lets the same sentence of a library through once in a while, then with how often it was said since."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_QUIET):
            return True
        key, now_s = (record.name, str(record.msg)), monotonic()
        said_s, more = self._said.get(key, (-REPEATED_EVERY_S, 0))
        if now_s - said_s < REPEATED_EVERY_S:
            self._said[key] = said_s, more + 1
            return False
        # what is said once and differently each time is not kept for ever
        self._said = {k: v for k, v in self._said.items() if v[1] or now_s - v[0] < REPEATED_EVERY_S}
        self._said[key] = now_s, 0
        record.repeated = more
        return True


def render(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> str:
    """One line of the fields; what follows the first line of an exception is indented below it."""
    head = [str(entry.pop(name, "-")) for name in ("instant", "level", "service", "event")]
    trace = entry.pop("exception", None)
    fields = [f"{name}={_value(value)}" for name, value in entry.items()]
    line = " ".join(head + fields)
    return line if trace is None else line + "\n" + str(trace)


def _value(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not any(c in ' "=' for c in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _stamp(service: str) -> structlog.typing.Processor:
    def stamp(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        instant = datetime.fromtimestamp(now_ms() / 1000, UTC)
        entry["instant"] = instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry.setdefault("service", service)
        return entry

    return stamp


def _name_library(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's sentence becomes a field, so that the event's name stays a name."""
    record = entry.get("_record")
    entry["says"] = entry["event"]
    entry["event"] = record.name if record is not None else "library"
    if repeated := getattr(record, "repeated", 0):
        entry["repeated"] = repeated
    return entry
