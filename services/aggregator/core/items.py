"""The items of a deferred channel: which are open, when each is due, and whether it was cleared in time.

An item is a visit to a queue of e-mail, letters, social media or SMS. It is open from its entry until it
is closed or given up (`Visit.closed_ms`, `Visit.given_up_ms`). Rules: docs/decisions/0016.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from schemas.business import BusinessClock, business_clock
from schemas.config import QueueConfig
from schemas.vocabulary import LIVE_CHANNELS
from services.aggregator.core.cells import (
    BUSINESS_CLEARED,
    BUSINESS_DECIDED,
    CLEARED,
    DECIDED,
    Cells,
)
from services.aggregator.core.visits import Visit, expires_ms

_NEVER_MS = 1 << 60


class ItemTerms(Struct, array_like=True, frozen=True):
    """What a queue promises for its items, and by which clock: `hours` None is always open."""

    promise_ms: int
    hours: str | None
    time_zone: str

    @property
    def clock(self) -> BusinessClock:
        return business_clock(self.hours, self.time_zone)


def item_terms_of(config: QueueConfig, time_zone: str) -> ItemTerms | None:
    """What the configuration promises for a queue's items; None on phone and chat, which have none."""
    if config.channel in LIVE_CHANNELS:
        return None
    return ItemTerms(round(config.wait_limit_in_force_s * 1000), config.hours, time_zone)


class Past(NamedTuple):
    """Open items that are past their deadline, by either clock."""

    calendar: int
    business: int


class _Item(NamedTuple):
    visit: Visit
    business_due_ms: int


class Items:
    """The open items of one queue."""

    def __init__(self, terms: ItemTerms) -> None:
        self.terms = terms
        self._open: dict[tuple[str, str], _Item] = {}
        self._entered: list[int] = []
        self._business_due: list[int] = []
        self._silent_ms = _NEVER_MS
        """No item is given up before this instant."""

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._open

    def put(self, visit: Visit) -> None:
        """Adds an open item."""
        due_ms = business_due_ms(self.terms, visit.entered_ms)
        self._open[visit.key] = _Item(visit, due_ms)
        insort(self._entered, visit.entered_ms)
        insort(self._business_due, due_ms)
        self._silent_ms = min(self._silent_ms, expires_ms(visit, 0, self.terms.promise_ms))

    def take(self, visit: Visit) -> None:
        """Takes an open item out again."""
        item = self._open.pop(visit.key, None)
        if item is not None:
            del self._entered[bisect_left(self._entered, item.visit.entered_ms)]
            del self._business_due[bisect_left(self._business_due, item.business_due_ms)]

    def oldest_ms(self, skews: dict[str, int]) -> int | None:
        """When the oldest open item entered, on our clock; None when none is open."""
        if not skews or not self._open:
            return self._entered[0] if self._entered else None
        return min(visit.entered_ms + skews.get(visit.source, 0) for visit, _ in self._open.values())

    def past(self, since_ms: int, now_ms: int, skews: dict[str, int]) -> Past:
        """How many are past their deadline, of those whose deadline fell at or after `since_ms`.

        Whether it is past is asked of our clock, where it falls of the source's, as for one that is closed.
        """
        promise_ms = self.terms.promise_ms
        if skews:
            return self._past_skewed(since_ms, now_ms, skews)
        entered, due = self._entered, self._business_due
        calendar = bisect_left(entered, now_ms - promise_ms) - bisect_left(entered, since_ms - promise_ms)
        business = bisect_left(due, now_ms) - bisect_left(due, since_ms)
        return Past(max(0, calendar), max(0, business))

    def silent(self, now_ms: int, news_ms: Callable[[Visit], int]) -> list[tuple[Visit, int]]:
        """The items to be given up by now, and from when on. `news_ms`: the last news of the contact."""
        if now_ms < self._silent_ms:
            return []
        promise_ms = self.terms.promise_ms
        ends = [(v, expires_ms(v, news_ms(v), promise_ms)) for v, _ in self._open.values()]
        self._silent_ms = min((at_ms for _, at_ms in ends if at_ms > now_ms), default=_NEVER_MS)
        return [(visit, at_ms) for visit, at_ms in ends if at_ms <= now_ms]

    def _past_skewed(self, since_ms: int, now_ms: int, skews: dict[str, int]) -> Past:
        terms = self.terms
        calendar_ms = now_ms - 1 - terms.promise_ms
        business_ms = terms.clock.begun_ms(now_ms - 1, terms.promise_ms)
        calendar = business = 0
        for visit, due_ms in self._open.values():
            began_ms = visit.entered_ms + skews.get(visit.source, 0)
            if began_ms <= calendar_ms and visit.entered_ms + terms.promise_ms >= since_ms:
                calendar += 1
            if business_ms is not None and began_ms <= business_ms and due_ms >= since_ms:
                business += 1
        return Past(calendar, business)


def is_open(visit: Visit) -> bool:
    """Whether an item is neither closed nor given up."""
    return visit.closed_ms is None and visit.given_up_ms is None


def decisions(visit: Visit, terms: ItemTerms) -> Iterable[tuple[int, Cells]]:
    """What an item that is no longer open adds, and at which instant: once for each clock.

    One given up is a miss where its deadline had passed by then, and counts nowhere else.
    """
    over_ms = visit.given_up_ms if visit.closed_ms is None else visit.closed_ms
    assert over_ms is not None  # an open item is not decided by its facts alone
    calendar_ms = visit.entered_ms + terms.promise_ms
    business_ms = business_due_ms(terms, visit.entered_ms)
    for due_ms, decided, cleared in (
        (calendar_ms, DECIDED, CLEARED),
        (business_ms, BUSINESS_DECIDED, BUSINESS_CLEARED),
    ):
        if due_ms < over_ms:
            yield due_ms, ((decided, 1),)
        elif visit.closed_ms is not None:
            yield over_ms, ((decided, 1), (cleared, 1))


@lru_cache(maxsize=65_536)
def business_due_ms(terms: ItemTerms, entered_ms: int) -> int:
    """The instant at which the business time of an item reaches the promise; never, if not in a year."""
    due_ms = terms.clock.reached_ms(entered_ms, terms.promise_ms)
    return _NEVER_MS if due_ms is None else due_ms
