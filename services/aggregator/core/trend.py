"""The longest wait minute by minute, over the last hour. SEMANTICS.md §3.

Of a minute m: the longest min(left, end of m, now) - entered over the contacts that waited in it.
Contacts that left within m count with their wait, those still there at its end with what they had
waited by then; of the latter only the one that entered first matters. Both are kept sorted by
minute, so that a visit can be taken back.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

MINUTE_MS = 60_000
POINTS = 60


class ClosedTrend(NamedTuple):
    """The points of the minutes from `first` until before `until`: over, and entered by nobody waiting."""

    first: int
    until: int
    changes: tuple[int, int]
    """`Windows.forgotten` and `Minutes.changes` when they were made."""
    offered: list[int]
    abandoned: list[int]
    service_level: list[float | None]
    longest_wait_s: list[float | None]


class Minutes:
    """Closed visits of one queue by minute; those still waiting are told at the question.

    `changes` counts visits that changed minutes before `closed`, which the reader sets.
    """

    def __init__(self) -> None:
        self.closed = 0
        self.changes = 0
        self._left: dict[int, list[tuple[int, int]]] = {}
        self._stayed: dict[int, list[int]] = {}
        self._floor = 0

    def advance(self, now_ms: int) -> None:
        """Forgets the minutes that no trend shows any more."""
        floor = now_ms // MINUTE_MS - POINTS
        if floor <= self._floor:
            return
        self._floor = floor
        for minute in [m for m in self._left if m < floor]:
            del self._left[minute]
        for minute in [m for m in self._stayed if m < floor]:
            del self._stayed[minute]

    def add(self, entered_ms: int, ended_ms: int, sign: int) -> None:
        """Adds a closed visit (sign 1) or takes it back (-1). It waited in [entered, ended)."""
        wait_ms = max(0, ended_ms - entered_ms)
        last = (entered_ms + max(0, wait_ms - 1)) // MINUTE_MS
        if entered_ms // MINUTE_MS < self.closed:
            self.changes += 1
        for minute in range(max(entered_ms // MINUTE_MS, self._floor), last):
            _note(self._stayed.setdefault(minute, []), entered_ms, sign)
        if last >= self._floor:
            _note(self._left.setdefault(last, []), (wait_ms, entered_ms), sign)

    def longest_ms(self, minute: int, *, oldest_waiting_ms: int | None, now_ms: int) -> int | None:
        """The longest wait of a minute (its number since the epoch), None when nobody waited in it."""
        end_ms = (minute + 1) * MINUTE_MS
        until_ms = min(end_ms, now_ms)
        waits = []
        left = self._left.get(minute)
        if left:
            waits.append(left[-1][0] if end_ms <= now_ms else _longest_by(now_ms, left))
        stayed = self._stayed.get(minute)
        if stayed:
            waits.append(until_ms - stayed[0])
        if oldest_waiting_ms is not None and oldest_waiting_ms < end_ms:
            waits.append(until_ms - oldest_waiting_ms)
        return max(0, *waits) if waits else None

    def longest_of(
        self, minutes: Iterable[int], *, oldest_waiting_ms: int | None, now_ms: int
    ) -> list[int | None]:
        """`longest_ms` of several minutes."""
        left, stayed = self._left, self._stayed
        quiet_ms = now_ms if oldest_waiting_ms is None else oldest_waiting_ms
        return [
            None
            if minute not in left and minute not in stayed and (minute + 1) * MINUTE_MS <= quiet_ms
            else self.longest_ms(minute, oldest_waiting_ms=oldest_waiting_ms, now_ms=now_ms)
            for minute in minutes
        ]


def _longest_by(now_ms: int, left: list[tuple[int, int]]) -> int:
    """Of (wait, entered), shortest first. Facts ahead of our clock have waited until now only."""
    longest = 0
    for wait_ms, entered_ms in reversed(left):
        if wait_ms <= longest:
            break
        longest = max(longest, min(wait_ms, now_ms - entered_ms))
    return longest


_T = TypeVar("_T", int, tuple[int, int])


def _note(values: list[_T], value: _T, sign: int) -> None:
    if sign > 0:
        insort(values, value)
        return
    place = bisect_left(values, value)
    if place < len(values) and values[place] == value:
        del values[place]
