"""What the facts of a visit say of agents: ringing, in contact, wrap-up (SEMANTICS.md §5)."""

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence

from msgspec import Struct

from schemas.vocabulary import AgentState
from services.aggregator.core.facts import (
    ACCEPTED,
    CONTACT_ENDED,
    OFFER_ENDED,
    OFFERED,
    TALK_ENDED,
    WRAP_END,
    Fact,
    until_ms,
)

_IN_CONTACT, _WRAP_UP, _RINGING = AgentState.IN_CONTACT, AgentState.WRAP_UP, AgentState.RINGING


class Span(Struct, array_like=True, frozen=True, gc=False):
    """An agent's time with a visit: `end_ms` None while it lasts."""

    agent: str
    state: AgentState
    start_ms: int
    end_ms: int | None
    queue: str | None
    contact: str


Terms = Callable[[str, str | None], int | None]
"""How long wrap-up lasts at the most, in ms, by source and queue; None: until it is told to end."""


class Times(Struct, eq=False, gc=False):
    """The instants of facts by kind and agent, in order, so that the first after another is found at once.

    `cut`: those that were cut down, each with the last instant that it may stand for.
    """

    told: dict[tuple[int, str | None], list[int]]
    cut: dict[tuple[int, str | None], list[tuple[int, int]]]


_NEVER_MS = 1 << 60


def _note(times: Times, key: tuple[int, str | None], fact: Fact) -> None:
    at_ms = fact.at_ms
    several = times.told.get(key)
    if several is None:
        times.told[key] = [at_ms]
    elif several[-1] <= at_ms:
        several.append(at_ms)
    else:
        insort(several, at_ms)
    if fact.precision_ms:
        times.cut.setdefault(key, []).append((at_ms, until_ms(fact)))


def _first(times: Times, key: tuple[int, str | None], from_ms: int) -> int:
    """The first of a kind and agent at or after an instant; `_NEVER_MS` when there is none.

    One that was cut down to before the instant, and may have been after it, is told as at the instant.
    """
    if times.cut and any(at_ms < from_ms <= until for at_ms, until in times.cut.get(key, ())):
        return from_ms
    several = times.told.get(key)
    if several is None or several[-1] < from_ms:
        return _NEVER_MS
    return several[0] if several[0] >= from_ms else several[bisect_left(several, from_ms)]


def times_of(facts: Sequence[Fact]) -> Times:
    """Of a whole contact: what each agent is told to have done, and its end."""
    times = Times({}, {})
    for fact in facts:
        if fact.agent is not None or fact.kind == CONTACT_ENDED:
            _note(times, (fact.kind, fact.agent), fact)
    return times


def follow_agents(
    contact: str,
    facts: Sequence[Fact],
    spans: list[Span],
    *,
    queue: str | None,
    left: tuple[int, int] | None,
    told: Times,
    terms: Terms,
) -> None:
    """Adds to `spans` what the facts of a visit say of agents: ringing, in contact, wrap-up.

    `queue`: that of the visit; None where its entry is not told. `left`: between which instants the contact
    left the queue. `told`: of all facts of the contact; what ends an agent's part need not name the same
    visit.
    """
    if queue is None:
        queue = min((f.queue for f in facts if f.queue), default=None)
    own = Times({}, {})
    for fact in facts:
        if fact.kind == ACCEPTED or fact.agent is None:
            _note(own, (fact.kind, None), fact)
    for fact in facts:
        kind, start, agent = fact.kind, fact.at_ms, fact.agent
        if kind == TALK_ENDED:
            length_ms = terms(fact.source, queue)
            for talker in _accepted(facts) if agent is None else (agent,):
                end = min(
                    _first(own, (WRAP_END, None), start),
                    _first(told, (WRAP_END, talker), start),
                    _NEVER_MS if length_ms is None else start + length_ms,
                )
                spans.append(Span(talker, _WRAP_UP, start, _known(end), queue, contact))
        elif agent is None:
            continue
        elif kind == ACCEPTED:
            end = min(
                _first(told, _END, start),
                _first(told, (TALK_ENDED, agent), start),
                _first(own, (TALK_ENDED, None), start),
            )
            spans.append(Span(agent, _IN_CONTACT, start, _known(end), queue, contact))
        elif kind == OFFERED:
            end = _offer_ends(agent, start, own, told, left)
            spans.append(Span(agent, _RINGING, start, _known(end), queue, contact))


def _accepted(facts: Sequence[Fact]) -> list[str]:
    """The agents that accepted."""
    return sorted({f.agent for f in facts if f.kind == ACCEPTED and f.agent is not None})


_END = (CONTACT_ENDED, None)


def _offer_ends(agent: str, start: int, own: Times, told: Times, left: tuple[int, int] | None) -> int:
    """The first that ends an offer: its own end, somebody's answer, the caller's leaving."""
    end = min(
        _first(told, _END, start),
        _first(told, (OFFER_ENDED, agent), start),
        _first(told, (ACCEPTED, agent), start),
        _first(own, (ACCEPTED, None), start),
    )
    if left is not None and left[1] >= start:
        return min(end, max(left[0], start))
    return end


def _known(end_ms: int) -> int | None:
    return None if end_ms == _NEVER_MS else end_ms
