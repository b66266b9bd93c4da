"""Rolling windows of one queue: a ring of 10-second buckets and running totals. SEMANTICS.md §3.

The only place where windows are computed. A window ends now and starts at
floor(now, 10 s) + 10 s - its length, so it always starts at a bucket's edge and a running total is
exact: what enters a bucket enters each window that holds it; what leaves is taken out whole.
Adding and taking back are the same act with another sign, so any order gives the same totals.
"""

from bisect import bisect_left, insort

from msgspec import Struct

from schemas.vocabulary import WindowName
from services.aggregator.core.cells import SIZE, Cells

BUCKET_MS = 10_000
BUCKETS_PER_MINUTE = 6
LENGTH_MS = {
    WindowName.M5: 300_000,
    WindowName.M15: 900_000,
    WindowName.M30: 1_800_000,
    WindowName.M60: 3_600_000,
}
KEPT = 366
"""Buckets kept: the longest window, and a minute for clocks that run a little behind."""


def first_bucket(now_ms: int, length_ms: int) -> int:
    """The number of a window's first bucket."""
    return now_ms // BUCKET_MS + 1 - length_ms // BUCKET_MS


class Bucket(Struct, array_like=True):
    """Ten seconds of one queue: cells, and answered waits by boundary."""

    cells: list[int]
    waits: dict[int, int]


class Total:
    """The running total of one window: every bucket from number `first` on."""

    __slots__ = ("cells", "first", "longest_ms", "middle", "waits")

    def __init__(self, first: int) -> None:
        self.first = first
        self.cells = [0] * SIZE
        self.waits: dict[int, int] = {}
        self.longest_ms: int | None = -1
        """Longest closed wait; -1 when none, None when it must be looked up again."""
        self.middle: list[float | None] | None = None
        """What a reader made of `waits`; forgotten when they change."""


class Windows:
    """The ring of a queue. `changed` holds the numbers of the buckets changed since it was last emptied."""

    def __init__(self) -> None:
        self.buckets: dict[int, Bucket] = {}
        self.changed: set[int] = set()
        self.totals: dict[WindowName, Total] = {}
        self._all: list[Total] = []
        self._floor = 0
        self._longest: dict[int, list[int]] = {}
        self._minutes: dict[int, list[int] | None] = {}
        self.points: dict[int, tuple[int, int, float | None]] = {}
        """What a reader made of a minute's cells alone; forgotten when they change."""
        self.forgotten = 0
        """How often points were forgotten."""

    def restore(self, number: int, bucket: Bucket) -> None:
        """Takes a bucket as it was stored; call before the first `advance`."""
        self.buckets[number] = bucket

    def advance(self, now_ms: int) -> None:
        """Moves every window on to end now. Buckets that no window needs are dropped."""
        if not self._all:
            self._start(now_ms)
        for name, length in LENGTH_MS.items():
            total = self.totals[name]
            first = first_bucket(now_ms, length)
            if first - total.first > KEPT:  # time stood still for us: a suspended machine
                self.totals[name] = self._total(first)
                self._all = list(self.totals.values())
                continue
            while total.first < first:
                self._evict(total)
                total.first += 1
        floor = now_ms // BUCKET_MS - KEPT
        if floor > self._floor:
            self._drop_below(floor)

    def add(self, at_ms: int, cells: Cells, sign: int, boundary: int | None = None) -> None:
        """Adds (sign 1) or takes back (sign -1) cells at an instant, and an answered wait's boundary.

        An instant older than the ring changes nothing: no window shows it any more.
        """
        number = at_ms // BUCKET_MS
        if number < self._floor:
            return
        bucket = self.buckets.get(number)
        if bucket is None:
            bucket = self.buckets[number] = Bucket([0] * SIZE, {})
        self.changed.add(number)
        self._minutes.pop(number // BUCKETS_PER_MINUTE, None)
        if self.points.pop(number // BUCKETS_PER_MINUTE, None) is not None:
            self.forgotten += 1
        counts = bucket.cells
        for i, n in cells:
            counts[i] += n * sign
        if boundary is not None:
            add_wait(bucket.waits, boundary, sign)
        for total in self._all:
            if number < total.first:
                continue
            counts = total.cells
            for i, n in cells:
                counts[i] += n * sign
            if boundary is not None:
                add_wait(total.waits, boundary, sign)
                total.middle = None

    def forget_points(self) -> None:
        """Points were made by terms that are no longer those of the queue."""
        self.points.clear()
        self.forgotten += 1

    def add_longest(self, entered_ms: int, wait_ms: int, sign: int) -> None:
        """Notes a closed wait, or takes it back, for the longest wait of the windows."""
        number = entered_ms // BUCKET_MS
        if number < self._floor:
            return
        waits = self._longest.setdefault(number, [])
        if sign > 0:
            insort(waits, wait_ms)
            for total in self._all:
                if number >= total.first and total.longest_ms is not None and wait_ms > total.longest_ms:
                    total.longest_ms = wait_ms
            return
        place = bisect_left(waits, wait_ms)
        if place < len(waits) and waits[place] == wait_ms:
            del waits[place]
        for total in self._all:
            if total.longest_ms == wait_ms:
                total.longest_ms = None

    def longest_ms(self, total: Total) -> int | None:
        """The longest closed wait among those entered in the window; None when none closed."""
        if total.longest_ms is None:
            longest = (w[-1] for number, w in self._longest.items() if number >= total.first and w)
            total.longest_ms = max(longest, default=-1)
        return None if total.longest_ms < 0 else total.longest_ms

    def minute(self, minute: int) -> list[int] | None:
        """The cells of a minute (its number since the epoch) added up; None where there are none."""
        if minute not in self._minutes:
            first = minute * BUCKETS_PER_MINUTE
            several = (self.buckets.get(number) for number in range(first, first + BUCKETS_PER_MINUTE))
            cells = [bucket.cells for bucket in several if bucket is not None]
            self._minutes[minute] = list(map(sum, zip(*cells, strict=True))) if cells else None
        return self._minutes[minute]

    def _start(self, now_ms: int) -> None:
        self._floor = now_ms // BUCKET_MS - KEPT
        for name, length in LENGTH_MS.items():
            self.totals[name] = self._total(first_bucket(now_ms, length))
        self._all = list(self.totals.values())
        self._drop_below(self._floor)

    def _total(self, first: int) -> Total:
        """The running total of a window from its first bucket on, added up anew."""
        total = Total(first)
        total.longest_ms = None
        for number, bucket in self.buckets.items():
            if number >= first:
                _merge(total, bucket, 1)
        return total

    def _evict(self, total: Total) -> None:
        bucket = self.buckets.get(total.first)
        if bucket is not None:
            _merge(total, bucket, -1)
        waits = self._longest.get(total.first)
        if waits and waits[-1] == total.longest_ms:
            total.longest_ms = None

    def _drop_below(self, floor: int) -> None:
        self._floor = floor
        for number in [n for n in self.buckets if n < floor]:
            del self.buckets[number]
            self.changed.add(number)
        for number in [n for n in self._longest if n < floor]:
            del self._longest[number]
        for minute in [m for m in self._minutes if m * BUCKETS_PER_MINUTE < floor]:
            del self._minutes[minute]
            self.points.pop(minute, None)


def _merge(total: Total, bucket: Bucket, sign: int) -> None:
    cells = total.cells
    for i, n in enumerate(bucket.cells):
        if n:
            cells[i] += n * sign
    for boundary, n in bucket.waits.items():
        add_wait(total.waits, boundary, n * sign)
        total.middle = None


def add_cells(counts: list[int], cells: Cells, sign: int) -> None:
    """Adds (cell, how much) pairs to a count, with a sign."""
    for i, n in cells:
        counts[i] += n * sign


def add_wait(waits: dict[int, int], boundary: int, n: int) -> None:
    """Adds to a boundary's count; a boundary that comes to 0 is forgotten."""
    left = waits.get(boundary, 0) + n
    if left:
        waits[boundary] = left
    else:
        waits.pop(boundary, None)
