"""What figures depend on in the events of a contact, and how facts that tell the same are weighed.

Rules: SEMANTICS.md §1 (contradictions); docs/decisions/0009 (instants that were cut down).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

ENTERED, LEFT, ACCEPTED, TALK_ENDED, WRAP_START, WRAP_END, OFFERED, OFFER_ENDED, CONTACT_ENDED = range(9)
"""Kinds of facts that figures depend on. Others only count as news of the contact.

Plain numbers, and members of enums under names of their own: in Python 3.11 `Enum.MEMBER` takes as long
as ten comparisons, and a story is told with hundreds.
"""

NEAR_MS = 2000
"""Facts of one kind in one visit, so near each other and not equally precise, tell the same happening."""


class Fact(Struct, array_like=True, frozen=True, gc=False):
    """One fact as its source told it. `word` is the outcome of a LEFT.

    `precision_ms`: its instant was cut down to a multiple of so many ms; 0: it was not.
    """

    kind: int
    at_ms: int
    id: str
    source: str
    rank: int = 0
    segment: str | None = None
    queue: str | None = None
    agent: str | None = None
    word: str | None = None
    precision_ms: int = 0


def weight(fact: Fact) -> tuple[int, int, str, str]:
    """Smaller wins: higher rank, then earlier, then the smaller id, then the smaller source."""
    return (-fact.rank, fact.at_ms, fact.id, fact.source)


def until_ms(fact: Fact) -> int:
    """The last instant at which it may have happened."""
    return fact.at_ms + max(0, fact.precision_ms - 1)


def when(fact: Fact, told: Iterable[Fact]) -> Fact:
    """Who knows best when what `fact` tells has happened, among facts of the same kind: itself, as a rule.

    A more precise one that is near; of several the most precise, then by weight.
    """
    if not fact.precision_ms:
        return fact
    near = (f for f in told if f.kind == fact.kind and _is_same(fact, f))
    return min(near, key=_by_precision, default=fact)


def when_left(fact: Fact, told: Iterable[Fact]) -> Fact:
    """The same for a leaving, which facts of several kinds tell."""
    return min((f for f in told if _is_same(fact, f)), key=_by_precision, default=fact)


def told_once(facts: Sequence[Fact]) -> list[Fact]:
    """The facts of a visit without those that more precise ones tell too, of everybody concerned.

    A fact that names no agent concerns all who accepted.
    """
    if not any(f.precision_ms for f in facts):
        return [*facts]
    accepted = {f.agent for f in facts if f.kind == ACCEPTED}
    by_kind: dict[int, list[Fact]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact)

    def concerned(fact: Fact) -> set[str | None]:
        return accepted if fact.agent is None else {fact.agent}

    def is_told_better(fact: Fact) -> bool:
        near = [f for f in by_kind[fact.kind] if _is_same(fact, f)]
        return bool(near) and concerned(fact) <= set().union(*map(concerned, near))

    return [f for f in facts if not (f.precision_ms and is_told_better(f))]


def _is_same(fact: Fact, other: Fact) -> bool:
    """Whether the other tells the same happening, and more precisely."""
    return other.precision_ms < fact.precision_ms and abs(other.at_ms - fact.at_ms) <= NEAR_MS


def _by_precision(fact: Fact) -> tuple[int, int, int, str, str]:
    return (fact.precision_ms, *weight(fact))
