"""Episodes of a long wait: when one begins and when it is over, from the waits alone. SEMANTICS.md §8.

An episode begins at the first instant at which somebody has waited the limit, and is over at the
first instant at which nobody still waiting has waited the clear value. Instants here are on our
clock (skew of the source applied).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Key = tuple[str, str]


class Wait(NamedTuple):
    """One contact's wait: [entered_ms, ended_ms), None while it lasts. `skew_ms` is in both already."""

    key: Key
    entered_ms: int
    ended_ms: int | None
    skew_ms: int = 0

    def reaches(self, limit_ms: int, now_ms: int) -> bool:
        """Whether the contact was still waiting when it had waited so long, up to now."""
        crossing = self.entered_ms + limit_ms
        return crossing <= now_ms and (self.ended_ms is None or crossing < self.ended_ms)


class Span(NamedTuple):
    """A past episode: from the crossing to its end. `told_ms`: the crossing as its source told it,
    from which its id is computed; it stays when the measured skew moves.

    `version`: of the alert that was corrected; 0 for one that ended otherwise. What was not due may turn
    out to be due after all; then the same alert goes on from there.
    """

    crossed_ms: int
    ended_ms: int
    told_ms: int = -1
    version: int = 0


def first_crossing(
    waits: Iterable[Wait], limit_ms: int, *, known: Sequence[Span], since_ms: int, now_ms: int
) -> Wait | None:
    """The wait whose crossing begins the first episode that is not known yet; None when there is none.

    Of waits that are over, those that crossed before `since_ms` are left alone: they were looked at
    in their time, and `known` has forgotten them.
    """
    best: Wait | None = None
    for wait in waits:
        if not wait.reaches(limit_ms, now_ms):
            continue
        if wait.ended_ms is not None and wait.entered_ms + limit_ms < since_ms:
            continue
        if best is not None and (wait.entered_ms, wait.key) >= (best.entered_ms, best.key):
            continue
        if not _is_covered(wait, limit_ms, known):
            best = wait
    return best


def over_at(waits: Iterable[Wait], clear_ms: int, *, from_ms: int, now_ms: int) -> int | None:
    """The first instant from `from_ms` on, up to now, at which nobody holds it open; None: it lasts."""
    at_ms = from_ms
    for wait in sorted(waits, key=lambda w: (w.entered_ms, w.key)):
        if wait.entered_ms + clear_ms > at_ms:
            break
        if wait.ended_ms is None:
            return None
        if wait.ended_ms > wait.entered_ms + clear_ms:
            at_ms = max(at_ms, wait.ended_ms)
    return at_ms if at_ms <= now_ms else None


SKEW_DRIFT_MS = 1000
"""How far a crossing may move because the measured skew did."""


def _is_covered(wait: Wait, limit_ms: int, known: Sequence[Span]) -> bool:
    """Whether a known episode tells of this crossing.

    One that crossed in it and outlasted it was not known when it ended, or it ended for another reason.
    """
    crossing = wait.entered_ms + limit_ms
    for span in known:
        if span.version:
            continue
        drift = SKEW_DRIFT_MS if wait.skew_ms or span.told_ms not in (-1, span.crossed_ms) else 0
        if span.told_ms == crossing - wait.skew_ms:
            return True
        is_within = span.crossed_ms - drift <= crossing <= span.ended_ms + drift
        if is_within and wait.ended_ms is not None and wait.ended_ms <= span.ended_ms + drift:
            return True
    return False
