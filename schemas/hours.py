"""Opening hours: `Mo-Fr 08:00-12:00,13:00-19:00; Sa 09:00-12:00`. SEMANTICS.md §12.

A rule is days, then times or `off`; rules are parted by `;` and the last rule of a day counts.
A time that ends at or before its start runs past midnight and belongs to the day it starts on.
Hours are those of the wall clock: on the days that the clocks change, too.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY_MIN = 24 * 60
_WEEK_MIN = 7 * _DAY_MIN
_RULE = re.compile(r"(?P<days>[A-Za-z]{2}(?:\s*[-,]\s*[A-Za-z]{2})*)\s+(?P<times>\S.*)")
_TIME = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")

Span = tuple[int, int]
"""Minutes since Monday 00:00, half-open; the end may lie in the next week."""


class Hours(Struct, frozen=True):
    """When a queue is open, week by week."""

    spans: tuple[Span, ...]

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """Raises `ValueError` with a sentence that names the part that is not understood."""
        by_day: dict[int, list[Span]] = {}
        for rule in text.split(";"):
            match = _RULE.fullmatch(rule.strip())
            if match is None:
                raise ValueError(f'"{rule.strip()}" is not days and times such as "Mo-Fr 08:00-19:00"')
            times = list(_times(match["times"]))
            for day in _days(match["days"]):
                by_day[day] = [(day * _DAY_MIN + start, day * _DAY_MIN + end) for start, end in times]
        return cls(tuple(sorted(span for spans in by_day.values() for span in spans)))


def is_open(hours: Hours, local: datetime) -> bool:
    """Whether the wall clock `local` lies within the hours."""
    minute = local.weekday() * _DAY_MIN + local.hour * 60 + local.minute
    return any(start <= minute < end or start <= minute + _WEEK_MIN < end for start, end in hours.spans)


def next_change(hours: Hours, now_ms: int, zone: tzinfo) -> int | None:
    """The first instant after `now_ms` at which it opens or closes; None if it never does."""
    before = is_open(hours, _local(now_ms, zone))
    for instant_ms in sorted(_edges(hours, now_ms, zone)):
        if instant_ms > now_ms and is_open(hours, _local(instant_ms, zone)) != before:
            return instant_ms
    return None


def _edges(hours: Hours, now_ms: int, zone: tzinfo) -> Iterator[int]:
    """Every instant from yesterday to next week at which the answer of `is_open` can change."""
    today = _local(now_ms, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for offset in range(-1, 9):
        midnight = today + timedelta(days=offset)
        yield from _clock_change(midnight, zone)
        for minute in {edge for span in hours.spans for edge in span}:
            if (minute // _DAY_MIN) % 7 == midnight.weekday():
                wall = midnight + timedelta(minutes=minute % _DAY_MIN)
                yield _instant(wall, zone, fold=0)
                yield _instant(wall, zone, fold=1)  # the second time, when clocks were put back


def _clock_change(midnight: datetime, zone: tzinfo) -> Iterator[int]:
    """The instant of that local day at which the clocks change, if they do."""
    low = _instant(midnight, zone, fold=0)
    high = _instant(midnight + timedelta(days=1), zone, fold=0)
    first = _local(low, zone).utcoffset()
    if _local(high, zone).utcoffset() == first:
        return
    while high - low > 1:
        middle = (low + high) // 2
        if _local(middle, zone).utcoffset() == first:
            low = middle
        else:
            high = middle
    yield high


def _local(instant_ms: int, zone: tzinfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant_ms)).astimezone(zone)


def _instant(wall: datetime, zone: tzinfo, *, fold: int) -> int:
    return round(wall.replace(tzinfo=zone, fold=fold).timestamp() * 1000)


def _days(text: str) -> Iterator[int]:
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        start, end = _day(first), _day(last or first)
        yield from (day % 7 for day in range(start, (end if end >= start else end + 7) + 1))


def _day(text: str) -> int:
    name = text.capitalize()
    if name not in DAYS:
        raise ValueError(f'"{text}" is not a day; days are {" ".join(DAYS)}')
    return DAYS.index(name)


def _times(text: str) -> Iterator[Span]:
    if text.strip() == "off":
        return
    for part in text.split(","):
        match = _TIME.fullmatch(part.strip())
        if match is None:
            raise ValueError(f'"{part.strip()}" is not a time such as 08:00-19:00')
        h1, m1, h2, m2 = map(int, match.groups())
        start, end = h1 * 60 + m1, h2 * 60 + m2
        if max(m1, m2) > 59 or start >= _DAY_MIN or end > _DAY_MIN:
            raise ValueError(f'"{part.strip()}" is not within a day (00:00 to 24:00)')
        yield (start, end if end > start else end + _DAY_MIN)
