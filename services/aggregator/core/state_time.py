"""Time spent in states, clipped to each window: occupancy. SEMANTICS.md §5, DESIGN.md §2.7.

A change of state at instant t adds (1, t) to a prefix sum when an agent becomes busy and takes it
away when the agent stops: busy time up to an instant x is n*x - s over the changes before x. A
window's time is the difference of two such sums, so a change costs one bucket whatever its length
or number of windows, an open state needs no care, and a change may be taken back exactly.
"""

from typing import NamedTuple

from msgspec import Struct

from schemas.vocabulary import WindowName
from services.aggregator.core.windows import BUCKET_MS, KEPT, LENGTH_MS, first_bucket

_TODAY = WindowName.TODAY


class Sums(Struct, array_like=True):
    """Prefix sums of changes: agents and instants, busy and staffed."""

    busy: int = 0
    busy_ms: int = 0
    staffed: int = 0
    staffed_ms: int = 0

    def add(self, other: "Sums") -> None:
        self.busy += other.busy
        self.busy_ms += other.busy_ms
        self.staffed += other.staffed
        self.staffed_ms += other.staffed_ms

    def change(self, at_ms: int, busy: int, staffed: int) -> None:
        self.busy += busy
        self.busy_ms += busy * at_ms
        self.staffed += staffed
        self.staffed_ms += staffed * at_ms


class Times(NamedTuple):
    """Agent milliseconds of a window."""

    busy_ms: int
    staffed_ms: int


class StateTime:
    """Busy and staffed time of the agents of one queue, or of one site.

    `changed` holds the numbers of the buckets changed since it was last emptied. `base` sums all
    changes older than the ring, `before` all those before each window; both are stored with the
    queue's day, because `today` starts long before the ring does.
    """

    def __init__(self) -> None:
        self.buckets: dict[int, Sums] = {}
        self.changed: set[int] = set()
        self.base = Sums()
        self.today = Sums()
        self.today_first = 0
        self.sums_changed = False
        """Whether `base` or `today` changed since they were last stored."""
        self._all = Sums()
        self._before: dict[WindowName, tuple[int, Sums]] = {}
        self._floor = 0
        self._newest_first = 1 << 60
        """The first bucket of the shortest window: what lies in it lies before none."""

    def advance(self, now_ms: int, midnight_ms: int) -> None:
        """Moves the windows on; to be called before the first `change`, and after a restore.

        When a date begins, all that lies before it is in `base` and in the ring: nothing older than
        the ring is dropped before the new date has taken it in.
        """
        if not self._before:
            self._start(now_ms)
        for name, length in LENGTH_MS.items():
            first, before = self._before[name]
            target = first_bucket(now_ms, length)
            if target > first:
                self._collect(before, first, target)
                self._before[name] = (target, before)
        self._newest_first = max(first for first, _ in self._before.values())
        midnight = midnight_ms // BUCKET_MS
        if midnight > self.today_first:
            self.today = Sums()
            self.today.add(self.base)
            self._collect(self.today, 0, midnight)
            self.today_first = midnight
            self.sums_changed = True
        floor = now_ms // BUCKET_MS - KEPT
        if floor > self._floor:
            self._drop_below(floor)

    def change(self, at_ms: int, busy: int, staffed: int) -> None:
        """An agent becomes busy or staffed (1), or stops (-1), at an instant; or the same taken back."""
        number = at_ms // BUCKET_MS
        self._all.change(at_ms, busy, staffed)
        if number < self._newest_first:
            for first, before in self._before.values():
                if number < first:
                    before.change(at_ms, busy, staffed)
        if number < self.today_first:
            self.today.change(at_ms, busy, staffed)
            self.sums_changed = True
        if number < self._floor:
            self.base.change(at_ms, busy, staffed)
            self.sums_changed = True
            return
        sums = self.buckets.get(number)
        if sums is None:
            sums = self.buckets[number] = Sums()
        sums.change(at_ms, busy, staffed)
        self.changed.add(number)

    def start_ms(self, window: WindowName, midnight_ms: int) -> int:
        """The first instant of a window."""
        return midnight_ms if window is _TODAY else self._before[window][0] * BUCKET_MS

    def times(self, window: WindowName, now_ms: int, midnight_ms: int) -> Times:
        """Agent time of the window up to now, counting every change, those after now included."""
        before = self.today if window is _TODAY else self._before[window][1]
        start = self.start_ms(window, midnight_ms)
        total = self._all
        busy = total.busy * now_ms - total.busy_ms - before.busy * start + before.busy_ms
        staffed = total.staffed * now_ms - total.staffed_ms - before.staffed * start + before.staffed_ms
        return Times(busy, staffed)

    def _start(self, now_ms: int) -> None:
        self._all.add(self.base)
        for sums in self.buckets.values():
            self._all.add(sums)
        for name, length in LENGTH_MS.items():
            first = first_bucket(now_ms, length)
            before = Sums()
            before.add(self.base)
            for number, sums in self.buckets.items():
                if number < first:
                    before.add(sums)
            self._before[name] = (first, before)

    def _collect(self, into: Sums, first: int, target: int) -> None:
        for number, sums in self.buckets.items():
            if first <= number < target:
                into.add(sums)

    def _drop_below(self, floor: int) -> None:
        self._floor = floor
        for number in [n for n in self.buckets if n < floor]:
            self.base.add(self.buckets.pop(number))
            self.changed.add(number)
            self.sums_changed = True
