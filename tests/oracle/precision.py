"""Which of several facts holds, and which of them knows best when it was.

SEMANTICS.md §1 (contradictions); docs/decisions/0009: sources that cut instants down, to whole seconds
as a rule, leave the instant to a more precise fact of the same kind at most 2 s away.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from schemas.events import ContactEvent, TalkEnded, WrapEnd, WrapStart

NEAR_MS = 2000
E = TypeVar("E", bound=ContactEvent)


def precedence(event: ContactEvent) -> tuple[int, int, str]:
    """Sorts the best of contradicting facts first: higher rank, then smallest (occurred_ms, id)."""
    return (-event.rank, event.occurred_ms, event.id)


def latest_ms(event: ContactEvent) -> int:
    """The last instant that the event may tell of."""
    return event.occurred_ms + (event.precision_ms - 1 if event.precision_ms else 0)


def sharpest(best: E, told: Iterable[E]) -> E:
    """Of those who tell what `best` tells, the one whose instant holds; `best` where none is more precise."""
    near = [e for e in told if abs(e.occurred_ms - best.occurred_ms) <= NEAR_MS]
    finest = min((e.precision_ms for e in near), default=best.precision_ms)
    if finest >= best.precision_ms:
        return best
    return min((e for e in near if e.precision_ms == finest), key=precedence)


def without_echoes(events: Sequence[E], *, everybody: set[str]) -> list[E]:
    """The events of a visit without those that more precise ones of their kind, close by, tell as well.

    An end of talk or of wrap-up that names no agent speaks of `everybody` who accepted.
    """

    def speaks_of(event: E) -> set[str]:
        agent = getattr(event, "agent", None)
        if agent is not None:
            return {agent}
        return everybody if isinstance(event, TalkEnded | WrapStart | WrapEnd) else set()

    kept = []
    for event in events:
        finer = [
            e
            for e in events
            if kind_of(e) == kind_of(event)
            and e.precision_ms < event.precision_ms
            and abs(e.occurred_ms - event.occurred_ms) <= NEAR_MS
        ]
        said = {agent for e in finer for agent in speaks_of(e)}
        if not finer or not speaks_of(event) <= said:
            kept.append(event)
    return kept


def kind_of(event: ContactEvent) -> str:
    """What kind of happening an event tells; how an offer ended makes no difference."""
    name = type(event).__name__
    return "AgentOfferEnded" if name == "AgentNoAnswer" else name


def first_end(start_ms: int, ends: Iterable[ContactEvent]) -> int | None:
    """The first of `ends` at or after a start; one that may only seem to lie before it counts as at it."""
    possible = [max(start_ms, e.occurred_ms) for e in ends if latest_ms(e) >= start_ms]
    return min(possible, default=None)
