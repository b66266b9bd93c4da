"""One queue: what is counted in it, who waits in it. Figures are read from it by rows.py.

A visit is put in and taken out whole; between the two its facts do not change. So a queue only
ever adds and subtracts whole numbers, and any order of facts ends in the same counts.
"""

from bisect import bisect_left, insort

from msgspec import Struct

from schemas.config import QueueConfig
from schemas.vocabulary import LIVE_CHANNELS, Channel, ServiceLevelDefinition, WindowName
from services.aggregator.core.calendar import Calendar, Day
from services.aggregator.core.cells import SIZE, Promise, contribution, handling
from services.aggregator.core.items import Items, ItemTerms, decisions, is_open, item_terms_of
from services.aggregator.core.percentiles import quantiles
from services.aggregator.core.slots import SlotTime
from services.aggregator.core.state_time import StateTime
from services.aggregator.core.trend import ClosedTrend, Minutes
from services.aggregator.core.visits import Visit
from services.aggregator.core.windows import Windows, add_cells, add_wait

Key = tuple[str, str]


ChannelTold = tuple[int, int, str]
"""An event that names a channel: 0 when it names the queue too, else 1; instant; id. The smallest holds."""


class DayCount(Struct, array_like=True):
    """One local date of one queue: cells and answered waits of the contacts that entered on it.

    `longest_ms` covers the visits that can no longer change; those that can are in the queue's memory.
    """

    number: int
    cells: list[int]
    waits: dict[int, int]
    longest_ms: int = -1


class TermsInForce(Struct, array_like=True, frozen=True):
    """What a queue's contacts are measured by, and since when."""

    threshold_ms: int
    short_ms: int
    is_deferred: bool
    definition: ServiceLevelDefinition
    since_ms: int

    @property
    def promise(self) -> Promise:
        return Promise(self.threshold_ms, self.short_ms, self.is_deferred)


class Queue:
    """Counts of one queue, as of the last fact folded in and the last `advance`."""

    def __init__(
        self, config: QueueConfig, calendar: Calendar, now_ms: int, *, long_ms: int, position: int | None
    ) -> None:
        self.config = config
        self.position = position
        """Its place in the configuration; None for a queue that appeared by itself."""
        self.calendar = calendar
        self.terms = terms_of(config, now_ms)
        self.items = _items(item_terms_of(config, calendar.time_zone))
        """The open items; None on phone and chat, which have none."""
        self.windows = Windows()
        self.state_time = StateTime()
        self.slot_time: SlotTime | None = None
        """Once an agent of it has told a capacity for its channel."""
        self.minutes = Minutes()
        self.days: dict[int, DayCount] = {}
        self.today = calendar.day(now_ms)
        self.waiting: dict[Key, Visit] = {}
        self.entered: list[int] = []
        """Instants of entry of those waiting, oldest first."""
        self.long: dict[Key, Visit] = {}
        """Closed visits that waited long enough to matter for an episode of the wait rule."""
        self.long_ms = long_ms
        self.sources: set[str] = set()
        self.agents: set[str] = set()
        self.channel_told: ChannelTold | None = None
        """What gave an unconfigured queue its channel."""
        self.is_retired = False
        """Whether it has left the file and nobody has entered it, or named it for an agent, since."""
        self.told_ms = 0
        """`occurred_ms` of the newest event that named it; 0 before the first."""
        self.is_changed = True
        """Whether its own record (not its buckets) has to be stored."""
        self.version = 0
        """Rises with everything that its row shows."""
        self.closed_trend: ClosedTrend | None = None
        """What was last shown of the minutes that are over."""
        self._longest: dict[int, list[int]] = {}
        self._middle_today: tuple[int, list[float | None]] | None = None

    @property
    def is_configured(self) -> bool:
        return self.position is not None

    @property
    def channel(self) -> Channel:
        return self.config.channel

    @property
    def item_terms(self) -> ItemTerms | None:
        return self.items.terms if self.items is not None else None

    def restore_terms(self, terms: TermsInForce, item_terms: ItemTerms | None) -> None:
        """What it was measured by when it was stored; to be called before any visit is put in."""
        self.terms, self.items = terms, _items(item_terms)

    def advance(self, now_ms: int) -> None:
        """Moves windows, trend and date on to now. To be called before the first `put`."""
        self.windows.advance(now_ms)
        self.minutes.advance(now_ms)
        self.today = self.calendar.day(now_ms)
        self.state_time.advance(now_ms, self.today.start_ms)
        if self.slot_time is not None:
            self.slot_time.advance(now_ms, self.today.start_ms)
        for number in [n for n in self.days if n < self.today.number]:
            del self.days[number]
            self._longest.pop(number, None)
            self.touch()

    def touch(self) -> None:
        """Something changed that its record and its row hold."""
        self.is_changed = True
        self.version += 1

    def tell(self, occurred_ms: int) -> None:
        """An event that counts names the queue."""
        if occurred_ms > self.told_ms:
            self.told_ms = occurred_ms
            self.touch()

    def change_slots(self, at_ms: int, taken: int, there: int, told: int, *, now_ms: int) -> None:
        """So many more slots of its agents are taken and there from an instant on, or fewer."""
        if self.slot_time is None:
            self.slot_time = SlotTime()
            self.slot_time.advance(now_ms, self.today.start_ms)
        self.slot_time.told += told
        if taken or there:
            self.slot_time.change(at_ms, taken, there)
        self.touch()

    def since_ms(self, skews: dict[str, int]) -> list[int]:
        """When those waiting entered, on our clock, oldest first (SEMANTICS.md §2)."""
        if not skews:
            return self.entered
        return sorted(v.entered_ms + skews.get(v.source, 0) for v in self.waiting.values())

    def oldest_ms(self, skews: dict[str, int]) -> int:
        """When the oldest of those waiting entered, on our clock. Only when somebody waits."""
        if not skews:
            return self.entered[0]
        return min(v.entered_ms + skews.get(v.source, 0) for v in self.waiting.values())

    def measure_by(self, config: QueueConfig, now_ms: int, *, long_ms: int) -> None:
        """Other terms from now on; the caller has taken every visit out, and puts them in again."""
        self.items = _items(item_terms_of(config, self.calendar.time_zone))
        self.config, self.long_ms = config, long_ms
        terms = terms_of(config, self.terms.since_ms)
        if terms != self.terms:
            self.terms = terms_of(config, now_ms)
            self.windows.forget_points()
        self.touch()

    def put(self, visit: Visit) -> None:
        """Counts a visit."""
        if visit.outcome is None:
            self.waiting[visit.key] = visit
            insort(self.entered, visit.entered_ms)
        else:
            self._count(visit, 1)
            self.remember(visit)
        self._count_item(visit, 1)
        self.touch()

    def restore(self, visit: Visit) -> None:
        """Puts back a visit that the counts know already."""
        if visit.outcome is None:
            self.put(visit)
            return
        self.remember(visit)
        if self.items is not None and is_open(visit):
            self.items.put(visit)

    def take(self, visit: Visit) -> None:
        """Takes a visit out again, as it was put in."""
        if visit.outcome is None:
            self.waiting.pop(visit.key, None)
            _remove(self.entered, visit.entered_ms)
        else:
            self._count(visit, -1)
            self._forget(visit)
        self._count_item(visit, -1)
        self.touch()

    def handle(self, before: Visit, after: Visit) -> None:
        """Counts what became different of a visit's handling, and only that."""
        for visit, sign in ((before, -1), (after, 1)):
            if visit.talk_ended_ms is None:
                continue
            cells = handling(visit)
            self.windows.add(visit.talk_ended_ms, cells, sign)
            count = self._day_count(self.calendar.day(visit.entered_ms))
            if count is not None:
                add_cells(count.cells, cells, sign)
        if not before.closed_like(after):
            self._count_item(before, -1)
            self._count_item(after, 1)
        self.touch()

    def remember(self, visit: Visit) -> None:
        """Notes a closed visit for what sums cannot tell: longest waits, trend, episodes. Memory only."""
        wait_ms = visit.wait_ms
        self.windows.add_longest(visit.entered_ms, wait_ms, 1)
        self.minutes.add(visit.entered_ms, visit.entered_ms + wait_ms, 1)
        day = self.calendar.day(visit.entered_ms)
        if day.number >= self.today.number:
            insort(self._longest.setdefault(day.number, []), wait_ms)
        if wait_ms >= self.long_ms:
            self.long[visit.key] = visit

    def settle(self, visit: Visit) -> None:
        """A closed visit whose facts will not change any more: keeps its wait for the day's longest."""
        day = self.calendar.day(visit.entered_ms)
        count = self.days.get(day.number)
        if count is not None and visit.wait_ms > count.longest_ms:
            count.longest_ms = visit.wait_ms
            self.touch()
        self._forget(visit, windows=False)

    def count_event(self, cell: int, received_ms: int) -> None:
        """Counts a late or repeated event at the instant of its receipt."""
        cells = ((cell, 1),)
        self.windows.add(received_ms, cells, 1)
        count = self._day_count(self.calendar.day(received_ms))
        if count is not None:
            add_cells(count.cells, cells, 1)
        self.touch()

    def longest_today_ms(self) -> int | None:
        """Longest closed wait among the contacts of today; None when none closed."""
        count = self.days.get(self.today.number)
        waits = self._longest.get(self.today.number)
        longest = max(count.longest_ms if count else -1, waits[-1] if waits else -1)
        return None if longest < 0 else longest

    def middle_of(self, window: WindowName) -> list[float | None]:
        """p50 and p90 of the answered waits of a window, in ms (SEMANTICS.md §3)."""
        if window is not WindowName.TODAY:
            total = self.windows.totals[window]
            if total.middle is None:
                total.middle = quantiles(total.waits, 0.5, 0.9)
            return total.middle
        known, number = self._middle_today, self.today.number
        if known is None or known[0] != number:
            day = self.days.get(number)
            known = self._middle_today = (number, quantiles(day.waits if day else {}, 0.5, 0.9))
        return known[1]

    def _count(self, visit: Visit, sign: int) -> None:
        c = contribution(visit, self.terms.promise)
        windows = self.windows
        if c.decided_ms == c.at_entry_ms:
            windows.add(c.at_entry_ms, c.at_entry + c.at_decision, sign, c.wait_boundary)
        else:
            windows.add(c.at_entry_ms, c.at_entry, sign)
            windows.add(c.decided_ms, c.at_decision, sign, c.wait_boundary)
        if c.talk_ended_ms is not None:
            windows.add(c.talk_ended_ms, c.at_talk_end, sign)
        count = self._day_count(self.calendar.day(visit.entered_ms))
        if count is None:
            return
        add_cells(count.cells, c.at_entry + c.at_decision + c.at_talk_end, sign)
        if c.wait_boundary is not None:
            add_wait(count.waits, c.wait_boundary, sign)
            self._middle_today = None

    def _count_item(self, visit: Visit, sign: int) -> None:
        """Puts an open item in or takes it out; counts what became of one that is no longer open.

        On the date at which it was decided, whatever the date of its entry: promises are kept over days.
        """
        items = self.items
        if items is None:
            return
        if is_open(visit):
            (items.put if sign > 0 else items.take)(visit)
            return
        for at_ms, cells in decisions(visit, items.terms):
            self.windows.add(at_ms, cells, sign)
            count = self._day_count(self.calendar.day(at_ms))
            if count is not None:
                add_cells(count.cells, cells, sign)

    def _day_count(self, day: Day) -> DayCount | None:
        """The count of a date; None for one that is over."""
        if day.number < self.today.number:
            return None
        count = self.days.get(day.number)
        if count is None:
            count = self.days[day.number] = DayCount(day.number, [0] * SIZE, {})
        return count

    def _forget(self, visit: Visit, *, windows: bool = True) -> None:
        wait_ms = visit.wait_ms
        if windows:
            self.windows.add_longest(visit.entered_ms, wait_ms, -1)
            self.minutes.add(visit.entered_ms, visit.entered_ms + wait_ms, -1)
        waits = self._longest.get(self.calendar.day(visit.entered_ms).number)
        if waits:
            _remove(waits, wait_ms)
        self.long.pop(visit.key, None)


def terms_of(config: QueueConfig, since_ms: int) -> TermsInForce:
    """What the configuration promises for a queue, from an instant on."""
    return TermsInForce(
        round(config.threshold_in_force_s * 1000),
        round(config.short_abandon_in_force_s * 1000),
        config.channel not in LIVE_CHANNELS,
        config.service_level.definition,
        since_ms,
    )


def _items(terms: ItemTerms | None) -> Items | None:
    return None if terms is None else Items(terms)


def _remove(values: list[int], value: int) -> None:
    place = bisect_left(values, value)
    if place < len(values) and values[place] == value:
        del values[place]
