"""Instants as other systems write them. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.errors import InvalidMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SECONDS_UNTIL = 100_000_000_000
"""Numbers below are seconds (until the year 5138), above milliseconds (since 1973)."""
_LONGEST = 40
"""Characters of a number: Python refuses to read thousands of digits with an error of its own."""


def epoch_ms(value: object, *, zone: ZoneInfo | None = None, form: str | None = None) -> int:
    """Epoch milliseconds of a number (seconds or milliseconds since 1970), of a text that holds one, or of
    a date and time: ISO 8601, or as `form` says (the words of `strptime`).

    A time without an offset is `zone`'s, UTC where none is given; one that the clock shows twice is the
    first. Parts of a millisecond are cut off. Raises `InvalidMessage`.
    """
    if isinstance(value, bool) or value is None:
        raise InvalidMessage("not an instant")
    if isinstance(value, str):
        value = value.strip()
        if form is not None or not _is_number(value):
            return _of_text(value, zone, form)
        value = float(value) if "." in value else int(value)
    if not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise InvalidMessage("not an instant")
    return int(value * 1000 if value < _SECONDS_UNTIL else value)


def _of_text(text: str, zone: ZoneInfo | None, form: str | None) -> int:
    try:
        found = _parsed(text, form)
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone or UTC)
        ms = (found - _EPOCH) // _MS
    except (ValueError, OverflowError) as error:
        raise InvalidMessage("not an instant") from error
    if ms < 0:
        raise InvalidMessage("before 1970")
    return ms


def _parsed(text: str, form: str | None) -> datetime:
    if form is None:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 - its zone comes from the caller


def _is_number(text: str) -> bool:
    return len(text) <= _LONGEST and text.isascii() and text.replace(".", "", 1).isdigit()
