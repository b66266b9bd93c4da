"""From the facts of one contact to its visits: who waited where, how long, and how it ended.

A function of the set of facts: their order of arrival and their repeats do not matter. Rules:
SEMANTICS.md §1 (identity, contradictions) and §5 (agents' states that follow from contacts).
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter

from msgspec import Struct

from schemas.vocabulary import AgentState, Outcome

ENTERED, LEFT, ACCEPTED, TALK_ENDED, WRAP_START, WRAP_END, OFFERED, OFFER_ENDED, CONTACT_ENDED = range(9)
"""Kinds of facts that figures depend on. Others only count as news of the contact.

Plain numbers, and members of enums under names of their own: in Python 3.11 `Enum.MEMBER` takes as long
as ten comparisons, and a story is told with hundreds.
"""
_ANSWERED, _ABANDONED, _UNKNOWN = Outcome.ANSWERED, Outcome.ABANDONED, Outcome.UNKNOWN
_IN_CONTACT, _WRAP_UP, _RINGING = AgentState.IN_CONTACT, AgentState.WRAP_UP, AgentState.RINGING
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


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


class Span(Struct, array_like=True, frozen=True, gc=False):
    """An agent's time with a visit: `end_ms` None while it lasts."""

    agent: str
    state: AgentState
    start_ms: int
    end_ms: int | None
    queue: str | None
    contact: str


class Visit(Struct, eq=False, gc=False):
    """One visit to one queue, as its facts say now. `outcome` None: the contact waits.

    `wrapped`: whether the end of wrap-up has been told, so that `handle_ms` is whole. `closed_ms`: when
    nothing was left to do for it, `given_up_ms`: from when on nobody waits for that (docs/decisions/0016).
    """

    key: tuple[str, str]
    queue: str
    entered_ms: int
    source: str
    outcome: Outcome | None = None
    ended_ms: int | None = None
    agent: str | None = None
    inferred: bool = False
    talk_ended_ms: int | None = None
    handle_ms: int = 0
    wrapped: bool = False
    closed_ms: int | None = None
    given_up_ms: int | None = None

    def waited_like(self, other: "Visit") -> bool:
        """Whether both count alike but for their handling."""
        return (
            self.entered_ms == other.entered_ms
            and self.outcome is other.outcome
            and self.ended_ms == other.ended_ms
            and self.queue == other.queue
            and self.source == other.source
        )

    def handled_like(self, other: "Visit") -> bool:
        return (
            self.talk_ended_ms == other.talk_ended_ms
            and self.handle_ms == other.handle_ms
            and self.closed_like(other)
        )

    def closed_like(self, other: "Visit") -> bool:
        return self.closed_ms == other.closed_ms and self.given_up_ms == other.given_up_ms

    @property
    def wait_ms(self) -> int:
        """Milliseconds from entering to the outcome; never below 0. Only once there is an outcome."""
        assert self.ended_ms is not None  # a waiting visit is asked for its wait by its queue, with a now
        return max(0, self.ended_ms - self.entered_ms)


class Story(Struct, frozen=True, gc=False):
    """What the facts of one contact amount to."""

    visits: list[Visit]
    spans: list[Span]


Terms = Callable[[str, str | None], int | None]
"""How long wrap-up lasts at the most, in ms, by source and queue; None: until it is told to end."""


class _Draft(Struct, eq=False, gc=False):
    """The facts of one segment, being gathered."""

    name: str
    entered: Fact | None = None
    facts: list[Fact] = []

    @property
    def entered_ms(self) -> int:
        assert self.entered is not None  # only drafts with an entry are compared by it
        return self.entered.at_ms


_NO_ENTRY = "\x00"
_SILENCE = 10
"""A contact without news for so many wait limits is no longer waiting (SEMANTICS.md §1)."""


def tell(contact: str, facts: Sequence[Fact], terms: Terms, expired: Mapping[str, int]) -> Story:
    """The story of one contact. `expired`: by segment, from when on a visit is given up; one that still
    waits is `unknown` from then on.
    """
    ends: list[Fact] = []
    drafts = _gather(contact, facts, ends)
    times: _Times | None = None
    visits: list[Visit] = []
    spans: list[Span] = []
    for draft in drafts:
        visit = None
        if draft.entered is not None:
            visit = _settle(contact, draft.entered, draft, ends)
            if visit.closed_ms is None and draft.name in expired:
                visit.given_up_ms = expired[draft.name]
                if visit.outcome is None:
                    visit.outcome, visit.ended_ms, visit.inferred = _UNKNOWN, visit.given_up_ms, True
            visits.append(visit)
        if draft.facts:
            if times is None:
                times = _times_of(facts)
            _follow_agents(contact, draft, visit, times, terms, spans)
    return Story(visits, spans)


def segment_name(contact: str, queue: str, entered_ms: int) -> str:
    """The name of a visit whose source names none: contact + queue + instant of entry."""
    return f"{contact}/{queue}/{entered_ms}"


def _gather(contact: str, facts: Sequence[Fact], ends: list[Fact]) -> Iterable[_Draft]:
    """Facts by segment: first those that name theirs, then those that only name a queue, then the rest.

    The contact's own end belongs to none: it is added to `ends`.
    """
    drafts: dict[str, _Draft] = {}
    loose: list[Fact] = []
    for fact in facts:
        kind = fact.kind
        if kind == ENTERED:
            name = fact.segment or segment_name(contact, fact.queue or "", fact.at_ms)
            draft = drafts.get(name)
            if draft is None:
                draft = drafts[name] = _Draft(name)
            if draft.entered is None or _weight(fact) < _weight(draft.entered):
                draft.entered = fact
        elif kind == CONTACT_ENDED:
            ends.append(fact)
        elif fact.segment is not None:
            draft = drafts.get(fact.segment)
            if draft is None:
                draft = drafts[fact.segment] = _Draft(fact.segment)
            draft.facts.append(fact)
        else:
            loose.append(fact)
    if loose:
        _place(loose, drafts)
    return drafts.values()


def _place(loose: list[Fact], drafts: dict[str, _Draft]) -> None:
    """Gives each fact that names no segment to the visit it must belong to, or to one without entry."""
    if len(drafts) == 1:
        (only,) = drafts.values()
        if only.entered is not None:
            queue = only.entered.queue
            if all(f.queue is None or f.queue == queue for f in loose):
                only.facts.extend(loose)
                return
    entered = sorted((d for d in drafts.values() if d.entered), key=lambda d: (d.entered_ms, d.name))
    by_queue: dict[str | None, list[_Draft]] = {}
    for draft in entered:
        by_queue.setdefault(draft.entered.queue if draft.entered else None, []).append(draft)
    accepts, homeless = [], []
    for fact in loose:
        if fact.queue is not None:
            home = _latest(by_queue.get(fact.queue, []), fact.at_ms) or _not_entered(drafts, fact.queue)
            (home or _without_entry(drafts, fact.queue)).facts.append(fact)
        elif fact.kind == ACCEPTED:
            accepts.append(fact)
        else:
            homeless.append(fact)
    for fact in sorted(accepts, key=_by_instant):
        home = _latest(entered, fact.at_ms) or _Accepted(drafts.values()).last_before(fact)
        (home or _without_entry(drafts, "")).facts.append(fact)
    if not homeless:
        return
    homes = _Accepted(d for d in drafts.values() if not d.name.startswith(_NO_ENTRY))
    anywhere = _Accepted(drafts.values())
    for fact in sorted(homeless, key=_by_instant):
        home = homes.last_before(fact) or _latest(entered, fact.at_ms) or anywhere.last_before(fact)
        (home or _without_entry(drafts, "")).facts.append(fact)


def _by_instant(fact: Fact) -> tuple[int, str]:
    return fact.at_ms, fact.id


def _latest(drafts: list[_Draft], at_ms: int) -> _Draft | None:
    """The last that entered at or before the instant, else the first. `drafts` by entry."""
    if not drafts:
        return None
    return drafts[max(0, bisect_right(drafts, at_ms, key=_ENTERED_MS) - 1)]


class _Accepted:
    """Which visit an agent, or anybody (None), accepted last before an instant."""

    def __init__(self, drafts: Iterable[_Draft]) -> None:
        self._drafts: dict[str, _Draft] = {}
        self._by_agent: dict[str | None, list[tuple[int, str]]] = {}
        for draft in drafts:
            self._drafts[draft.name] = draft
            for fact in draft.facts:
                if fact.kind == ACCEPTED:
                    for agent in {fact.agent, None}:
                        self._by_agent.setdefault(agent, []).append((fact.at_ms, draft.name))
        for several in self._by_agent.values():
            several.sort()

    def last_before(self, fact: Fact) -> _Draft | None:
        """The visit that the fact's agent (or anybody, when it names none) accepted last up to the fact."""
        several = self._by_agent.get(fact.agent, [])
        place = bisect_right(several, fact.at_ms, key=_FIRST)
        return self._drafts[several[place - 1][1]] if place else None


_ENTERED_MS = attrgetter("entered_ms")
_FIRST = itemgetter(0)


def _not_entered(drafts: dict[str, _Draft], queue: str) -> _Draft | None:
    """A segment whose entry is not known (yet), but that another fact places in the queue."""
    own = [d for d in drafts.values() if d.entered is None and any(f.queue == queue for f in d.facts)]
    return min(own, key=lambda d: d.name, default=None)


def _without_entry(drafts: dict[str, _Draft], queue: str) -> _Draft:
    """Where facts wait for an entry to belong to; counted nowhere until then."""
    name = f"{_NO_ENTRY}{queue}"
    return drafts.setdefault(name, _Draft(name))


def _weight(fact: Fact) -> tuple[int, int, str]:
    """Smaller wins: higher rank, then earlier, then the smaller id."""
    return (-fact.rank, fact.at_ms, fact.id)


def _settle(contact: str, entered: Fact, draft: _Draft, ends: list[Fact]) -> Visit:
    """The visit with the outcome that wins among all that its facts tell."""
    visit = Visit((contact, draft.name), entered.queue or "", entered.at_ms, entered.source)
    best: tuple[tuple[bool, int, bool, int, str], Outcome, Fact] | None = None
    accepted: Fact | None = None
    talk_ended: Fact | None = None
    for fact in draft.facts:
        if fact.kind == LEFT:
            outcome = _OUTCOMES[fact.word] if fact.word else _UNKNOWN
        elif fact.kind == ACCEPTED:
            outcome = _ANSWERED
            if accepted is None or _weight(fact) < _weight(accepted):
                accepted = fact
        else:
            if fact.kind == TALK_ENDED and (talk_ended is None or _weight(fact) < _weight(talk_ended)):
                talk_ended = fact
            continue
        weight = _outcome_weight(outcome, fact)
        if best is None or weight < best[0]:
            best = (weight, outcome, fact)
    for fact in ends:
        if fact.at_ms >= visit.entered_ms:
            weight = _outcome_weight(_UNKNOWN, fact)
            if best is None or weight < best[0]:
                best = (weight, _UNKNOWN, fact)
    if best is None:
        return visit
    visit.outcome, decisive = best[1], best[2]
    if visit.outcome is _ANSWERED:
        decisive = accepted or decisive
        visit.agent = decisive.agent
        if talk_ended is not None:
            visit.talk_ended_ms = talk_ended.at_ms
            wrap_ms = _wrap_ms(draft.facts, talk_ended)
            visit.wrapped = wrap_ms is not None
            visit.handle_ms = max(0, talk_ended.at_ms - decisive.at_ms) + (wrap_ms or 0)
    visit.ended_ms = decisive.at_ms
    visit.closed_ms = _closed_ms(visit, draft.facts, ends)
    return visit


def _closed_ms(visit: Visit, facts: list[Fact], ends: list[Fact]) -> int | None:
    """The first end of a visit that has an outcome: an answer alone is none (docs/decisions/0016)."""
    ended_ms = visit.ended_ms or 0
    if visit.outcome is not _ANSWERED:
        return max(visit.entered_ms, ended_ms)
    found = [f.at_ms for f in facts if f.kind == LEFT and f.word != _ANSWERED and f.at_ms >= ended_ms]
    found += [f.at_ms for f in ends if f.at_ms >= visit.entered_ms]
    if visit.talk_ended_ms is not None:
        found.append(visit.talk_ended_ms)
    return max(visit.entered_ms, min(found)) if found else None


def _outcome_weight(outcome: Outcome, fact: Fact) -> tuple[bool, int, bool, int, str]:
    """Smaller wins: known, then rank, then anything but abandoned, then the earliest, then the id."""
    return (
        outcome is _UNKNOWN,
        -fact.rank,
        outcome is _ABANDONED,
        fact.at_ms,
        fact.id,
    )


def _wrap_ms(facts: list[Fact], talk_ended: Fact) -> int | None:
    """Wrap-up of a visit: from wrap.start, or from the end of talk; None before it has ended."""
    start = end = None
    for fact in facts:
        if fact.kind == WRAP_START and (start is None or _weight(fact) < _weight(start)):
            start = fact
        elif fact.kind == WRAP_END and (end is None or _weight(fact) < _weight(end)):
            end = fact
    if end is None:
        return None
    return max(0, end.at_ms - (start or talk_ended).at_ms)


def expires_ms(visit: Visit, news_ms: int, wait_limit_ms: int) -> int:
    """The instant from which a waiting visit counts as `unknown`, if no news of its contact come."""
    return max(news_ms, visit.entered_ms) + _SILENCE * wait_limit_ms


_Times = dict[tuple[int, str | None], list[int]]
"""The instants of facts by kind and agent, in order, so that the first after another is found at once."""

_NEVER_MS = 1 << 60


def _note(times: _Times, key: tuple[int, str | None], at_ms: int) -> None:
    several = times.get(key)
    if several is None:
        times[key] = [at_ms]
    elif several[-1] <= at_ms:
        several.append(at_ms)
    else:
        insort(several, at_ms)


def _first(times: _Times, key: tuple[int, str | None], from_ms: int) -> int:
    """The first of a kind and agent at or after an instant; `_NEVER_MS` when there is none."""
    several = times.get(key)
    if several is None or several[-1] < from_ms:
        return _NEVER_MS
    return several[0] if several[0] >= from_ms else several[bisect_left(several, from_ms)]


def _times_of(facts: Sequence[Fact]) -> _Times:
    """Of a whole contact: what each agent is told to have done, and its end."""
    times: _Times = {}
    for fact in facts:
        if fact.agent is not None or fact.kind == CONTACT_ENDED:
            _note(times, (fact.kind, fact.agent), fact.at_ms)
    return times


def _follow_agents(
    contact: str, draft: _Draft, visit: Visit | None, told: _Times, terms: Terms, spans: list[Span]
) -> None:
    """Adds what the draft's facts say of agents: ringing, in contact, wrap-up (SEMANTICS.md §5).

    `told`: of all facts of the contact; what ends an agent's part need not name the same visit.
    """
    facts = draft.facts
    if draft.entered is not None:
        queue = draft.entered.queue
    else:
        queue = min((f.queue for f in facts if f.queue), default=None)
    own: _Times = {}
    for fact in facts:
        if fact.kind == ACCEPTED or fact.agent is None:
            _note(own, (fact.kind, None), fact.at_ms)
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
            end = _offer_ends(agent, start, own, told, visit)
            spans.append(Span(agent, _RINGING, start, _known(end), queue, contact))


def _accepted(facts: Sequence[Fact]) -> list[str]:
    """The agents that accepted."""
    return sorted({f.agent for f in facts if f.kind == ACCEPTED and f.agent is not None})


_END = (CONTACT_ENDED, None)


def _offer_ends(agent: str, start: int, own: _Times, told: _Times, visit: Visit | None) -> int:
    """The first that ends an offer: its own end, somebody's answer, the caller's leaving."""
    end = min(
        _first(told, _END, start),
        _first(told, (OFFER_ENDED, agent), start),
        _first(told, (ACCEPTED, agent), start),
        _first(own, (ACCEPTED, None), start),
    )
    if visit is not None and visit.ended_ms is not None and visit.ended_ms >= start:
        return min(end, visit.ended_ms)
    return end


def _known(end_ms: int) -> int | None:
    return None if end_ms == _NEVER_MS else end_ms
