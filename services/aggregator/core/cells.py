"""What one visit, or one event, adds to the counts of a queue: whole numbers, taken back as they were added.

A count is a list of `SIZE` integers, one cell per figure. Volumes lie at the bucket of entry, the
parts of the service level and the waits at that of attribution, handle time at that of the end of
talk (SEMANTICS.md §3), what became of an item at the instant at which it was decided (items.py).
"""

from typing import NamedTuple

from msgspec import Struct

from schemas.vocabulary import LEFT_OTHERWISE, Outcome
from services.aggregator.core.percentiles import boundary
from services.aggregator.core.service_level import Parts
from services.aggregator.core.visits import Visit

ANSWERED, ABANDONED, SHORT = range(3)
LEFT: dict[Outcome, int] = {outcome: 3 + i for i, outcome in enumerate(LEFT_OTHERWISE)}
_NEXT = 3 + len(LEFT)
SL_ANSWERED, SL_WITHIN, SL_ABANDONED, SL_ABANDONED_WITHIN, SL_SHORT, SL_MISSED, SL_LEFT, SL_CALLBACK = range(
    _NEXT, _NEXT + 8
)
WAIT_MS, HANDLED, HANDLE_MS, LATE, DUPLICATES = range(_NEXT + 8, _NEXT + 13)
DECIDED, CLEARED, BUSINESS_DECIDED, BUSINESS_CLEARED = range(_NEXT + 13, _NEXT + 17)
SIZE = _NEXT + 17

LEFT_CELLS = tuple((outcome.value, cell) for outcome, cell in LEFT.items())
CLOSED = slice(0, _NEXT)
"""Cells of closed visits that add up to those offered, but for SHORT, which is part of ABANDONED."""

_ANSWERED_OUTCOME, _ABANDONED_OUTCOME, _CALLBACK = Outcome.ANSWERED, Outcome.ABANDONED, Outcome.CALLBACK

Cells = tuple[tuple[int, int], ...]
"""(cell, how much) pairs."""


class Promise(NamedTuple):
    """What a queue promises: threshold and short abandon in ms; `is_deferred`: attribution by decision."""

    threshold_ms: int
    short_ms: int
    is_deferred: bool


class Contribution(Struct, frozen=True, gc=False):
    """What a closed visit adds, and where: cells at instants, and the answered wait's boundary or None."""

    at_entry_ms: int
    at_entry: Cells
    decided_ms: int
    at_decision: Cells
    wait_boundary: int | None
    talk_ended_ms: int | None
    at_talk_end: Cells


def contribution(visit: Visit, promise: Promise) -> Contribution:
    """The cells of a visit that has entered and has an outcome."""
    entered, wait = visit.entered_ms, visit.wait_ms
    within = wait <= promise.threshold_ms
    decided = entered + min(wait, promise.threshold_ms) if promise.is_deferred else entered
    number = None
    if visit.outcome is _ANSWERED_OUTCOME:
        volumes: Cells = ((ANSWERED, 1),)
        number = boundary(wait)
        if within:
            parts: Cells = ((SL_ANSWERED, 1), (SL_WITHIN, 1), (WAIT_MS, wait))
        else:
            parts = ((SL_ANSWERED, 1), (WAIT_MS, wait))
    elif visit.outcome is _ABANDONED_OUTCOME:
        short = int(wait < promise.short_ms)
        volumes = ((ABANDONED, 1), (SHORT, short))
        parts = ((SL_ABANDONED, 1), (SL_ABANDONED_WITHIN, int(within)), (SL_SHORT, short))
    else:
        outcome = visit.outcome
        assert outcome is not None  # a waiting visit has no contribution
        volumes = ((LEFT[outcome], 1),)
        called_back = int(within and outcome is _CALLBACK)
        parts = ((SL_MISSED, int(not within)), (SL_LEFT, 1), (SL_CALLBACK, called_back))
    handled = handling(visit) if visit.talk_ended_ms is not None else ()
    return Contribution(entered, volumes, decided, parts, number, visit.talk_ended_ms, handled)


def whole(counts: list[int]) -> list[int]:
    """A count as it was stored; an older version had fewer cells, the later ones were not counted."""
    return counts + [0] * (SIZE - len(counts))


def handling(visit: Visit) -> Cells:
    """The cells of a visit whose talk has ended, at the instant of that end."""
    return ((HANDLED, 1), (HANDLE_MS, visit.handle_ms))


def parts(counts: list[int], waiting_past: int) -> Parts:
    """The parts of a service level: what is closed, and those still waiting past the threshold."""
    return Parts(
        counts[SL_ANSWERED],
        counts[SL_WITHIN],
        counts[SL_ABANDONED],
        counts[SL_ABANDONED_WITHIN],
        counts[SL_SHORT],
        counts[SL_MISSED] + waiting_past,
        counts[SL_LEFT] + waiting_past,
        counts[SL_CALLBACK],
    )
