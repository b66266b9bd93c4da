"""What each agent did when, as spans of one state, from agent.state or else from contact facts.

SEMANTICS.md §5. An agent has one state at a time: in_contact beats wrap_up beats ringing beats
available.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from schemas.board import Ratio, StateCounts
from schemas.config import Config
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    AnyEvent,
    ContactEnded,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import AgentState
from tests.oracle.facts import Contact, VisitFact, contacts, distinct
from tests.oracle.precision import first_end, without_echoes
from tests.oracle.visits import outcome_of

FOREVER = 2**62
BUSY = (AgentState.IN_CONTACT, AgentState.WRAP_UP)
PRESENT = (*BUSY, AgentState.AVAILABLE, AgentState.RINGING)
"""The states that occupancy divides by; paused, unreachable and offline are left out."""

Interval = tuple[int, int]


class Span(Struct, frozen=True):
    """One agent in one state and one set of queues over [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    state: AgentState
    queues: frozenset[str]


class _Deed(Struct, frozen=True):
    """A contact fact of an agent, with the queue it concerns where that is known."""

    fact: VisitFact
    queue: str | None
    contact_ended: tuple[ContactEnded, ...]
    accepted: tuple[AgentAccepted, ...] = ()
    visit_ended_ms: tuple[int, int] | None = None
    """From when to when the visit may have ended. After it, or after an answer, nobody rings any more."""


def agents(events: Iterable[AnyEvent], config: Config) -> dict[tuple[str, str], list[Span]]:
    """The whole life of every agent, by (site, agent); the last span has no end."""
    known = distinct(events)
    states: dict[tuple[str, str], list[AgentStateChanged]] = defaultdict(list)
    for event in known:
        if isinstance(event, AgentStateChanged):
            states[event.site, event.agent].append(event)
    deeds = _deeds(contacts(known))
    first_seen = _first_seen(known)
    lives: dict[tuple[str, str], list[Span]] = {}
    for key in {*states, *first_seen}:
        done = deeds.get(key, [])
        if key in states:
            lives[key] = _life_said(states[key], done)
        else:
            lives[key] = _life_derived(done, config, first_ms=first_seen[key])
    return lives


class Hold(Struct, frozen=True):
    """An agent has a contact in hand over [start_ms, end_ms): talking, or wrapping up.

    `is_open`: a wrap-up of which nobody tells the end.
    """

    contact: str
    queue: str | None
    start_ms: int
    end_ms: int
    is_open: bool = False


def holds(events: Iterable[AnyEvent], config: Config) -> dict[tuple[str, str], list[Hold]]:
    """What every agent has in hand, by (site, agent), whatever the agent says of it."""
    found: dict[tuple[str, str], list[Hold]] = {}
    for key, deeds in _deeds(contacts(distinct(events))).items():
        own = found[key] = []
        for deed in deeds:
            if isinstance(deed.fact, AgentAccepted):
                own.append(Hold(deed.fact.contact, deed.queue, *_contact_interval(deed, deeds)))
            elif isinstance(deed.fact, TalkEnded):
                interval = _wrap_interval(deed, deeds, config)
                is_open = not _wrap_ends_told(deed, deeds, config)
                own.append(Hold(deed.fact.contact, deed.queue, *interval, is_open))
    return found


def occupancy(lives: Iterable[Sequence[Span]], from_ms: int, to_ms: int, *, queue: str | None) -> Ratio:
    """Busy over present seconds in [from_ms, to_ms) while the agent held `queue` (None: any or none)."""
    busy_ms = present_ms = 0
    for life in lives:
        for span in life:
            if queue is not None and queue not in span.queues:
                continue
            ms = max(0, min(span.end_ms, to_ms) - max(span.start_ms, from_ms))
            busy_ms += ms if span.state in BUSY else 0
            present_ms += ms if span.state in PRESENT else 0
    value = busy_ms / present_ms if present_ms else None
    return Ratio(value=value, numerator=busy_ms / 1000, denominator=present_ms / 1000)


def state_counts(lives: Iterable[Sequence[Span]], at_ms: int, *, queue: str | None) -> StateCounts:
    """Agents by state at `at_ms`, each once; with `queue`, those whose queues hold it then."""
    counts = dict.fromkeys(AgentState, 0)
    for life in lives:
        for span in life:
            if span.start_ms <= at_ms < span.end_ms and (queue is None or queue in span.queues):
                counts[span.state] += 1
    return StateCounts(**{state.value: n for state, n in counts.items()})


def _life_said(states: list[AgentStateChanged], deeds: list[_Deed]) -> list[Span]:
    """The spans of an agent that says its states, whatever its contacts say."""
    ordered = sorted(states, key=lambda e: (e.occurred_ms, e.id))
    told = any(event.queues is not None for event in ordered)
    had = {} if told else _queues_by_contact(deeds)
    edges = sorted({e.occurred_ms for e in ordered} | set(had.values()))
    life = []
    for start_ms, end_ms in _between([e for e in edges if e >= ordered[0].occurred_ms]):
        so_far = [e for e in ordered if e.occurred_ms <= start_ms]
        named = [e.queues for e in so_far if e.queues is not None]
        queues = (frozenset(named[-1]) if named else frozenset()) if told else _had(had, start_ms)
        life.append(Span(start_ms, end_ms, so_far[-1].state, queues))
    return life


def _life_derived(deeds: list[_Deed], config: Config, *, first_ms: int) -> list[Span]:
    """The spans of an agent known by its contacts only: available but for what they show."""
    in_contact = [_contact_interval(d, deeds) for d in deeds if isinstance(d.fact, AgentAccepted)]
    wrap_up = [_wrap_interval(d, deeds, config) for d in deeds if isinstance(d.fact, TalkEnded)]
    ringing = [_ringing_interval(d, deeds) for d in deeds if isinstance(d.fact, AgentOffered)]
    by_strength = (
        (AgentState.IN_CONTACT, in_contact),
        (AgentState.WRAP_UP, wrap_up),
        (AgentState.RINGING, ringing),
    )
    had = _queues_by_contact(deeds)
    edges = {first_ms} | set(had.values())
    for _, intervals in by_strength:
        edges |= {edge for interval in intervals for edge in interval if edge < FOREVER}
    life = []
    for start_ms, end_ms in _between(sorted(edges)):
        state = next(
            (s for s, intervals in by_strength if any(a <= start_ms < b for a, b in intervals)),
            AgentState.AVAILABLE,
        )
        life.append(Span(start_ms, end_ms, state, _had(had, start_ms)))
    return life


def _contact_interval(accept: _Deed, deeds: list[_Deed]) -> Interval:
    """[accepted, talk ended or contact ended)."""
    start_ms = accept.fact.occurred_ms
    ends = [d.fact for d in _same_contact(accept, deeds) if isinstance(d.fact, TalkEnded)]
    end_ms = first_end(start_ms, [*ends, *accept.contact_ended])
    return (start_ms, FOREVER if end_ms is None else end_ms)


def _wrap_interval(talk: _Deed, deeds: list[_Deed], config: Config) -> Interval:
    """[talk ended, the first of: wrap.end, the source's wrap_up_s, the agent's next accepted contact)."""
    start_ms = talk.fact.occurred_ms
    ends = _wrap_ends_told(talk, deeds, config)
    for deed in deeds:
        if isinstance(deed.fact, AgentAccepted):
            other = deed.fact.contact != talk.fact.contact and deed.fact.occurred_ms == start_ms
            if deed.fact.occurred_ms > start_ms or other:
                ends.append(deed.fact.occurred_ms)
    return (start_ms, min(ends, default=FOREVER))


def _wrap_ends_told(talk: _Deed, deeds: list[_Deed], config: Config) -> list[int]:
    """When a wrap-up ends by wrap.end or by the source's wrap_up_s."""
    start_ms, limit_s = talk.fact.occurred_ms, _wrap_up_s(talk, config)
    wraps = [d.fact for d in _same_contact(talk, deeds) if isinstance(d.fact, WrapEnd)]
    wrapped_ms = first_end(start_ms, wraps)
    ends = [] if wrapped_ms is None else [wrapped_ms]
    return ends if limit_s is None else [*ends, start_ms + round(limit_s * 1000)]


def _ringing_interval(offer: _Deed, deeds: list[_Deed]) -> Interval:
    """[offered, accepted by anybody or no_answer or offer_ended or the end of the visit or contact)."""
    enders = AgentAccepted | AgentNoAnswer | AgentOfferEnded
    start_ms = offer.fact.occurred_ms
    told = [d.fact for d in _same_contact(offer, deeds) if isinstance(d.fact, enders)]
    end_ms = first_end(start_ms, [*told, *offer.contact_ended, *offer.accepted])
    ends = [FOREVER if end_ms is None else end_ms]
    if offer.visit_ended_ms is not None and offer.visit_ended_ms[1] >= start_ms:
        ends.append(max(start_ms, offer.visit_ended_ms[0]))
    return (start_ms, min(ends))


def _same_contact(deed: _Deed, deeds: list[_Deed]) -> list[_Deed]:
    return [d for d in deeds if d.fact.contact == deed.fact.contact]


def _wrap_up_s(talk: _Deed, config: Config) -> float | None:
    source = next((s for s in config.sources if s.id == talk.fact.source and s.site == talk.fact.site), None)
    if source is None or source.wrap_up_s is None:
        return None
    if isinstance(source.wrap_up_s, dict):
        return source.wrap_up_s.get(talk.queue or "")
    return source.wrap_up_s


def _queues_by_contact(deeds: list[_Deed]) -> dict[str, int]:
    """Each queue that the agent was offered or accepted contacts from, with the first instant of it."""
    first: dict[str, int] = {}
    for deed in deeds:
        if isinstance(deed.fact, AgentOffered | AgentAccepted) and deed.queue is not None:
            at_ms = deed.fact.occurred_ms
            first[deed.queue] = min(first.get(deed.queue, at_ms), at_ms)
    return first


def _had(first: dict[str, int], at_ms: int) -> frozenset[str]:
    return frozenset(queue for queue, first_ms in first.items() if first_ms <= at_ms)


def _between(edges: list[int]) -> list[Interval]:
    return list(zip(edges, [*edges[1:], FOREVER], strict=True)) if edges else []


def _first_seen(events: Iterable[AnyEvent]) -> dict[tuple[str, str], int]:
    """The first instant at which any contact event names the agent."""
    first: dict[tuple[str, str], int] = {}
    for event in events:
        agent = getattr(event, "agent", None)
        if agent is not None and not isinstance(event, AgentStateChanged):
            key = (event.site, agent)
            first[key] = min(first.get(key, event.occurred_ms), event.occurred_ms)
    return first


def _deeds(known: list[Contact]) -> dict[tuple[str, str], list[_Deed]]:
    """Each agent's contact facts; talk.ended without agent is everybody's who accepted the visit."""
    found: dict[tuple[str, str], list[_Deed]] = defaultdict(list)
    for contact in known:
        ends = [e for e in contact.events if isinstance(e, ContactEnded)]
        ended = tuple(without_echoes(ends, everybody=set()))
        all_accepted = {key: _who_accepted(facts) for key, facts in contact.facts.items()}
        told = {
            key: without_echoes(facts, everybody=all_accepted[key]) for key, facts in contact.facts.items()
        }
        placed = [(key, fact) for key, facts in told.items() for fact in facts]
        for key, fact in [*placed, *((None, fact) for fact in contact.homeless)]:
            entered = contact.entered.get(key) if key else None
            own = told[key] if key else contact.homeless
            siblings = own if key else [fact]
            named_queues = [q for f in siblings if (q := getattr(f, "queue", None))]
            queue = entered.queue if entered else min(named_queues, default=None)
            accepts = tuple(f for f in own if isinstance(f, AgentAccepted))
            named = getattr(fact, "agent", None)
            is_everybodys = named is None and isinstance(fact, TalkEnded | WrapEnd)
            over = None
            if entered and key:
                every = contact.facts[key]
                if outcome := outcome_of(contact, entered, every, silence_ms=FOREVER, now_ms=0):
                    over = (outcome.at_ms, outcome.until_ms)
            talked = {f.agent for f in own if isinstance(f, AgentAccepted | TalkEnded) and f.agent}
            agents_meant = talked if is_everybodys else {named} if named else set()
            for agent in agents_meant:
                found[contact.site, agent].append(_Deed(fact, queue, ended, accepts, over))
    return found


def _who_accepted(facts: Iterable[VisitFact]) -> set[str]:
    return {f.agent for f in facts if isinstance(f, AgentAccepted)}
