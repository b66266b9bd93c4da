"""Reading what vendors send, which may be anything: a value of the kind that is wanted, or None. Pure."""

from collections.abc import Mapping
from typing import Any

from schemas.errors import InvalidMessage
from services.ingest.instants import epoch_ms

Object = Mapping[str, Any]


def table(value: object) -> Object:
    """An object; an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def at(value: object, *path: str) -> Any:
    """What lies there; None where something on the way is not."""
    for step in path:
        value = table(value).get(step)
    return value


def text(value: object) -> str | None:
    """A text with something in it, or a number as one: identifiers come as either (SOURCES.md §1.6)."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def instant(value: object) -> int | None:
    """Epoch milliseconds of a number or of a text; None where there is no instant, and for 0."""
    try:
        return epoch_ms(value) or None
    except InvalidMessage:
        return None


def needed(value: object, name: str) -> str:
    """As `text`. Raises `InvalidMessage`: without it nothing can be said."""
    found = text(value)
    if found is None:
        raise InvalidMessage(f"{name}: missing")
    return found


def needed_instant(value: object, name: str) -> int:
    """As `instant`. Raises `InvalidMessage`."""
    found = instant(value)
    if found is None:
        raise InvalidMessage(f"{name}: no instant")
    return found
