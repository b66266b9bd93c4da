"""From the facts of one contact to its visits: who waited where, how long, and how it ended.

A function of the set of facts: their order of arrival and their repeats do not matter. Rules:
SEMANTICS.md §1 (identity, contradictions) and §5 (agents' states that follow from contacts);
docs/decisions/0009, also for instants that were cut down.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter

from msgspec import Struct

from schemas.vocabulary import Outcome
from services.aggregator.core.facts import (
    ACCEPTED,
    CONTACT_ENDED,
    ENTERED,
    LEFT,
    TALK_ENDED,
    WRAP_END,
    WRAP_START,
    Fact,
    told_once,
    until_ms,
    weight,
    when,
    when_left,
)
from services.aggregator.core.spans import Span, Terms, Times, follow_agents, times_of

_ANSWERED, _ABANDONED, _UNKNOWN = Outcome.ANSWERED, Outcome.ABANDONED, Outcome.UNKNOWN
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


class Visit(Struct, eq=False, gc=False):
    """One visit to one queue, as its facts say now. `outcome` None: the contact waits.

    `source` is the one whose clock `entered_ms` is of. `ended_cut_ms`: how much later than `ended_ms` it
    may have ended, as that instant was cut down. `wrapped`: whether the end of wrap-up has been told, so
    that `handle_ms` is whole. `closed_ms`: when nothing was left to do for it, `given_up_ms`: from when on
    nobody waits for that (docs/decisions/0016).
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
    ended_cut_ms: int = 0
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


class _Draft(Struct, eq=False, gc=False):
    """The facts of one segment, being gathered.

    `entered` tells the queue, `entered_at` the instant: another fact only where that of the first was cut
    down.
    """

    name: str
    entered: Fact | None = None
    facts: list[Fact] = []
    entered_at: Fact | None = None
    entries: list[Fact] | None = None

    def enter(self, fact: Fact) -> None:
        """The entry as all who tell it say."""
        if self.entered is None:
            self.entered = self.entered_at = fact
            return
        self.entries = [*(self.entries or (self.entered,)), fact]
        self.entered = min(self.entries, key=weight)
        self.entered_at = when(self.entered, self.entries)

    @property
    def entered_ms(self) -> int:
        assert self.entered_at is not None  # only drafts with an entry are compared by it
        return self.entered_at.at_ms


_NO_ENTRY = "\x00"
_SILENCE = 10
"""A contact without news for so many wait limits is no longer waiting (SEMANTICS.md §1)."""


def tell(contact: str, facts: Sequence[Fact], terms: Terms, expired: Mapping[str, int]) -> Story:
    """The story of one contact. `expired`: by segment, from when on a visit is given up; one that still
    waits is `unknown` from then on.
    """
    ends: list[Fact] = []
    drafts = _gather(contact, facts, ends)
    kept = {d.name: told_once(d.facts) for d in drafts} if any(map(_PRECISION_MS, facts)) else None
    times: Times | None = None
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
            own = draft.facts if kept is None else kept[draft.name]
            if times is None:
                told = facts if kept is None else [*told_once(ends), *chain.from_iterable(kept.values())]
                times = times_of(told)
            queue = left = None
            if visit is not None:
                queue = visit.queue
                if visit.ended_ms is not None:
                    left = (visit.ended_ms, visit.ended_ms + visit.ended_cut_ms)
            follow_agents(contact, own, spans, queue=queue, left=left, told=times, terms=terms)
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
            draft.enter(fact)
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
_PRECISION_MS = attrgetter("precision_ms")
_FIRST = itemgetter(0)


def _not_entered(drafts: dict[str, _Draft], queue: str) -> _Draft | None:
    """A segment whose entry is not known (yet), but that another fact places in the queue."""
    own = [d for d in drafts.values() if d.entered is None and any(f.queue == queue for f in d.facts)]
    return min(own, key=lambda d: d.name, default=None)


def _without_entry(drafts: dict[str, _Draft], queue: str) -> _Draft:
    """Where facts wait for an entry to belong to; counted nowhere until then."""
    name = f"{_NO_ENTRY}{queue}"
    return drafts.setdefault(name, _Draft(name))


def _settle(contact: str, entered: Fact, draft: _Draft, ends: list[Fact]) -> Visit:
    """The visit with the outcome that wins among all that its facts tell."""
    at = draft.entered_at or entered
    visit = Visit((contact, draft.name), entered.queue or "", at.at_ms, at.source)
    best: tuple[tuple[bool, int, bool, int, str, str], Outcome, Fact] | None = None
    accepted: Fact | None = None
    talk_ended: Fact | None = None
    for fact in draft.facts:
        if fact.kind == LEFT:
            outcome = _OUTCOMES[fact.word] if fact.word else _UNKNOWN
        elif fact.kind == ACCEPTED:
            outcome = _ANSWERED
            if accepted is None or weight(fact) < weight(accepted):
                accepted = fact
        else:
            if fact.kind == TALK_ENDED and (talk_ended is None or weight(fact) < weight(talk_ended)):
                talk_ended = fact
            continue
        how_well = _outcome_weight(outcome, fact)
        if best is None or how_well < best[0]:
            best = (how_well, outcome, fact)
    for fact in ends:
        if until_ms(fact) >= visit.entered_ms:
            how_well = _outcome_weight(_UNKNOWN, fact)
            if best is None or how_well < best[0]:
                best = (how_well, _UNKNOWN, fact)
    if best is None:
        return visit
    visit.outcome, decisive = best[1], best[2]
    if visit.outcome is _ANSWERED:
        decisive = accepted or decisive
        visit.agent = decisive.agent
    if decisive.precision_ms:
        decisive = when_left(decisive, _same_end(visit.outcome, decisive, draft.facts, ends))
        visit.ended_cut_ms = until_ms(decisive) - decisive.at_ms
    if visit.outcome is _ANSWERED and talk_ended is not None:
        ended = when(talk_ended, draft.facts)
        visit.talk_ended_ms = ended.at_ms
        wrap_ms = _wrap_ms(draft.facts, ended)
        visit.wrapped = wrap_ms is not None
        visit.handle_ms = max(0, ended.at_ms - decisive.at_ms) + (wrap_ms or 0)
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


def _same_end(outcome: Outcome, decisive: Fact, facts: list[Fact], ends: list[Fact]) -> Iterable[Fact]:
    """The facts that tell the same end of a visit, whatever they call it; an answer is told by answers."""
    if outcome is _ANSWERED:
        return (f for f in facts if f.kind == decisive.kind and f.word == decisive.word)
    told = (f for f in facts if f.kind in (LEFT, ACCEPTED))
    return chain(told, ends) if decisive.kind == CONTACT_ENDED else told


def _outcome_weight(outcome: Outcome, fact: Fact) -> tuple[bool, int, bool, int, str, str]:
    """Smaller wins: known, then rank, then anything but abandoned, then the earliest, the id, the source."""
    return (
        outcome is _UNKNOWN,
        -fact.rank,
        outcome is _ABANDONED,
        fact.at_ms,
        fact.id,
        fact.source,
    )


def _wrap_ms(facts: list[Fact], talk_ended: Fact) -> int | None:
    """Wrap-up of a visit: from wrap.start, or from the end of talk; None before it has ended."""
    start = end = None
    for fact in facts:
        if fact.kind == WRAP_START and (start is None or weight(fact) < weight(start)):
            start = fact
        elif fact.kind == WRAP_END and (end is None or weight(fact) < weight(end)):
            end = fact
    if end is None:
        return None
    begun_ms = talk_ended.at_ms if start is None else when(start, facts).at_ms
    return max(0, when(end, facts).at_ms - begun_ms)


def expires_ms(visit: Visit, news_ms: int, wait_limit_ms: int) -> int:
    """The instant from which a waiting visit counts as `unknown`, if no news of its contact come."""
    return max(news_ms, visit.entered_ms) + _SILENCE * wait_limit_ms
