"""Business time: how much of a stretch of time lies within a queue's opening hours.

Hours are those of the wall clock, as `schemas.hours.is_open` says: a day on which the clocks change has
an hour less or twice the same, and all of it counts. Which figures need it: docs/decisions/0016.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.hours import Hours

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_WEEK_MS = 7 * _DAY_MS
_MONDAY_MS = 3 * _DAY_MS
"""1 January 1970 was a Thursday: a wall clock's weeks began three days earlier."""
YEAR_MS = 366 * _DAY_MS
"""How far ahead, or back, an amount of business time is looked for."""
_LAST_MS = 253_370_764_800_000
"""The year 9999: beyond, an instant has no date."""

Stretch = tuple[int, int, int]
"""[from, to) in ms since the epoch, and what the wall clock shows beyond UTC meanwhile, in ms."""


class BusinessClock:
    """Counts the time within the hours, in one time zone; `hours` None: all time counts."""

    def __init__(self, hours: Hours | None, zone: ZoneInfo) -> None:
        self._zone = zone
        self._is_always = hours is None
        self._starts: list[int] = []
        """When it opens, ms since Monday 00:00 on the wall, rising."""
        self._sums = [0]
        """How much it was open since Monday, at each opening and at the end of the week."""
        for start, end in _week(hours) if hours is not None else ():
            self._starts.append(start)
            self._sums.append(self._sums[-1] + end - start)
        self._ends = [s + self._sums[i + 1] - self._sums[i] for i, s in enumerate(self._starts)]

    def elapsed_ms(self, from_ms: int, to_ms: int) -> int:
        """Business ms in [from, to); 0 when it ends before it begins."""
        if self._is_always:
            return max(0, to_ms - from_ms)
        return sum(
            self._count(end + offset) - self._count(start + offset)
            for start, end, offset in _stretches(self._zone, from_ms, to_ms)
        )

    def reached_ms(self, from_ms: int, amount_ms: int) -> int | None:
        """The first instant by which `amount_ms` have elapsed since `from_ms`; None if not within a year."""
        if self._is_always or amount_ms <= 0:
            return from_ms + max(0, amount_ms)
        for start, end, offset in _stretches(self._zone, from_ms, min(from_ms + YEAR_MS, _LAST_MS)):
            before = self._count(start + offset)
            here_ms = self._count(end + offset) - before
            if here_ms >= amount_ms:
                return self._first(before + amount_ms) - offset
            amount_ms -= here_ms
        return None

    def begun_ms(self, to_ms: int, amount_ms: int) -> int | None:
        """The last instant since which `amount_ms` have elapsed by `to_ms`; None if not within a year.

        The inverse of `reached_ms`: what began at it or earlier has reached the amount by `to_ms`.
        """
        if self._is_always or amount_ms <= 0:
            return to_ms - max(0, amount_ms)
        for start, end, offset in reversed(list(_stretches(self._zone, to_ms - YEAR_MS, to_ms))):
            after = self._count(end + offset)
            here_ms = after - self._count(start + offset)
            if here_ms >= amount_ms:
                return self._last(after - amount_ms) - offset
            amount_ms -= here_ms
        return None

    def _count(self, wall_ms: int) -> int:
        """Business ms of a wall clock without changes, from a Monday long ago."""
        week, rest = divmod(wall_ms + _MONDAY_MS, _WEEK_MS)
        place = bisect_right(self._starts, rest) - 1
        here = self._sums[place] + min(rest, self._ends[place]) - self._starts[place] if place >= 0 else 0
        return week * self._sums[-1] + here

    def _first(self, count: int) -> int:
        """The first wall ms at which so much was counted; it closes at the end of an opening."""
        week, rest = divmod(count - 1, self._sums[-1])
        place = bisect_left(self._sums, rest + 1) - 1
        return week * _WEEK_MS + self._starts[place] + rest + 1 - self._sums[place] - _MONDAY_MS

    def _last(self, count: int) -> int:
        """The last wall ms at which no more was counted: it opens again then."""
        week, rest = divmod(count, self._sums[-1])
        place = bisect_right(self._sums, rest) - 1
        return week * _WEEK_MS + self._starts[place] + rest - self._sums[place] - _MONDAY_MS


@lru_cache(maxsize=256)
def business_clock(hours: str | None, time_zone: str) -> BusinessClock:
    """The clock of a queue: `hours` as in its settings, None where it is always open."""
    return BusinessClock(None if hours is None else Hours.parse(hours), ZoneInfo(time_zone))


def _week(hours: Hours) -> list[tuple[int, int]]:
    """The openings of one week, [start, end) in ms since Monday 00:00, apart from each other and rising."""
    pieces: list[tuple[int, int]] = []
    for start_min, end_min in hours.spans:
        start, end = start_min * _MINUTE_MS, end_min * _MINUTE_MS
        pieces.append((start, min(end, _WEEK_MS)))
        if end > _WEEK_MS:
            pieces.append((0, end - _WEEK_MS))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _stretches(zone: ZoneInfo, from_ms: int, to_ms: int) -> Iterator[Stretch]:
    """[from, to) cut where the clocks change."""
    start = from_ms
    for year in range(_utc(from_ms).year, _utc(to_ms).year + 1) if from_ms < to_ms else ():
        for change_ms in _changes(zone, year):
            if start < change_ms < to_ms:
                yield start, change_ms, _offset_ms(zone, start)
                start = change_ms
    if start < to_ms:
        yield start, to_ms, _offset_ms(zone, start)


@lru_cache(maxsize=512)
def _changes(zone: ZoneInfo, year: int) -> tuple[int, ...]:
    """The instants of a UTC year from which the wall clock shows another difference from UTC."""
    first = _ms(datetime(year, 1, 1, tzinfo=UTC))
    if first >= _LAST_MS:
        return ()
    found = []
    for low in range(first - _DAY_MS, first + YEAR_MS, _DAY_MS):
        before = _offset_ms(zone, low)
        if _offset_ms(zone, low + _DAY_MS) != before:
            high = low + _DAY_MS
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset_ms(zone, middle) == before else (low, middle)
            found.append(high)
    return tuple(at_ms for at_ms in found if _utc(at_ms).year == year)


def _offset_ms(zone: ZoneInfo, at_ms: int) -> int:
    offset = _utc(at_ms).astimezone(zone).utcoffset()
    assert offset is not None  # a zone always has one
    return round(offset / timedelta(milliseconds=1))


def _utc(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(at: datetime) -> int:
    return round((at - _EPOCH) / timedelta(milliseconds=1))
