"""The longest wait minute by minute, over the last hour. SEMANTICS.md §3.

Of a minute m: the longest min(left, end of m, now) - entered over the contacts that waited in it.
Contacts that left within m count with their wait, those still there at its end with what they had
waited by then; of the latter only the one that entered first matters. Both are kept sorted by
minute, so that a visit can be taken back.
"""

from bisect import bisect_left, insort

MINUTE_MS = 60_000
POINTS = 60


class Minutes:
    """Closed visits of one queue by minute; those still waiting are told at the question."""

    def __init__(self) -> None:
        self._left: dict[int, list[int]] = {}
        self._stayed: dict[int, list[int]] = {}
        self._floor = 0

    def advance(self, now_ms: int) -> None:
        """Forgets the minutes that no trend shows any more."""
        floor = now_ms // MINUTE_MS - POINTS
        if floor <= self._floor:
            return
        self._floor = floor
        for minutes in (self._left, self._stayed):
            for minute in [m for m in minutes if m < floor]:
                del minutes[minute]

    def add(self, entered_ms: int, ended_ms: int, sign: int) -> None:
        """Adds a closed visit (sign 1) or takes it back (-1)."""
        ended_ms = max(entered_ms, ended_ms)
        first = max(entered_ms // MINUTE_MS, self._floor)
        last = ended_ms // MINUTE_MS
        for minute in range(first, last):
            _note(self._stayed.setdefault(minute, []), entered_ms, sign)
        if last >= self._floor:
            _note(self._left.setdefault(last, []), ended_ms - entered_ms, sign)

    def longest_ms(self, minute: int, *, oldest_waiting_ms: int | None, now_ms: int) -> int | None:
        """The longest wait of a minute (its number since the epoch), None when nobody waited in it."""
        end_ms = (minute + 1) * MINUTE_MS
        left, stayed = self._left.get(minute), self._stayed.get(minute)
        longest = left[-1] if left else -1
        oldest = stayed[0] if stayed else None
        if oldest_waiting_ms is not None and oldest_waiting_ms < end_ms:
            longest = max(longest, min(end_ms, now_ms) - oldest_waiting_ms)
        if oldest is not None:
            longest = max(longest, min(end_ms, now_ms) - oldest)
        return longest if longest >= 0 else None


def _note(values: list[int], value: int, sign: int) -> None:
    if sign > 0:
        insort(values, value)
        return
    place = bisect_left(values, value)
    if place < len(values) and values[place] == value:
        del values[place]
