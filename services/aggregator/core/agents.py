"""Agents: the state of each at every instant, from what they say or from their contacts.

SEMANTICS.md §5. A timeline is a list of moments; a new fact changes its tail, and only the changed
moments are told to the queues' and the site's state time.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter, itemgetter

from msgspec import Struct, structs

from schemas.vocabulary import AgentState
from services.aggregator.core.slots import (
    Capacity,
    ChannelOf,
    Held,
    Presence,
    SlotChange,
    SlotLine,
    held_by,
    moments_of,
)
from services.aggregator.core.spans import Span

KEPT_MS = 120 * 60_000
"""How far back a timeline can still change: the lateness bound, and a talk before what names its queue."""

_BUSY = frozenset({AgentState.IN_CONTACT, AgentState.WRAP_UP})
_STAFFED = frozenset({AgentState.IN_CONTACT, AgentState.WRAP_UP, AgentState.AVAILABLE, AgentState.RINGING})
_BY_WEIGHT = (AgentState.IN_CONTACT, AgentState.WRAP_UP, AgentState.RINGING)
_IN_CONTACT, _WRAP_UP, _RINGING = _BY_WEIGHT
_AVAILABLE = AgentState.AVAILABLE
_PRECEDENCE = {state: weight for weight, state in enumerate(_BY_WEIGHT)}
_LASTS = 1 << 60
_AT_MS = attrgetter("at_ms")
_END_MS = itemgetter(0)

Change = Callable[[str | None, int, int, int], None]
"""(queue, or None for the site; at_ms; busy; staffed): an agent becomes or ceases to be so."""


class Said(Struct, array_like=True, frozen=True, gc=False):
    """What an `agent.state` event said."""

    at_ms: int
    id: str
    source: str
    state: AgentState
    reason: str | None = None
    queues: tuple[str, ...] | None = None
    inferred: bool = False
    capacity: Capacity | None = None


class Moment(Struct, array_like=True, frozen=True, gc=False):
    """From `at_ms` on, the agent is in this state, for these queues; `capacity` None: never told."""

    at_ms: int
    state: AgentState
    queues: tuple[str, ...]
    capacity: Capacity | None = None


class Agent:
    """One agent of a site. Who ever said a state is in the state said; others follow from contacts."""

    __slots__ = (
        "_all_served",
        "_by_end",
        "_ids",
        "_last_served_ms",
        "_served_from",
        "_taken",
        "differs_from_ms",
        "first_ms",
        "frozen",
        "is_moved",
        "keeps_spans",
        "last",
        "name",
        "said",
        "served",
        "slots",
        "spans",
        "tells_capacity",
        "tells_queues",
        "timeline",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: list[Said] = []
        self.tells_queues = False
        """Whether the agent ever said which queues are its own; contacts do not matter then."""
        self.tells_capacity = False
        self.keeps_spans = False
        """Whether contacts matter all the same, as agents of the site tell their capacity."""
        self.slots = SlotLine()
        self.differs_from_ms = _LASTS
        """From when on the slots may differ from what contacts and words say now."""
        self.spans: dict[str, tuple[Span, ...]] = {}
        """By contact; where queues are told only those that last, else the recent ones too."""
        self.served: dict[str, int] = {}
        """Queues that forgotten spans came from, with the first instant of each."""
        self._served_from: dict[str, int] = {}
        self._all_served: tuple[str, ...] = ()
        self._last_served_ms = 0
        """All queues served, and when the last of them came to be."""
        self._by_end: list[tuple[int, int, Span]] = []
        """The spans by their end, with a number that tells equals apart; so few are looked at."""
        self._taken: list[tuple[int, str]] = []
        """When contacts were accepted, in order: what ends a wrap-up."""
        self.first_ms: int | None = None
        """First instant of any contact fact."""
        self.last: tuple[int, str, str] | None = None
        """The last contact event that named the agent: instant, id, source."""
        self.timeline: list[Moment] = []
        self.is_moved = False
        """Whether the timeline changed since somebody last unmarked it."""
        self.frozen: Moment | None = None
        """The first moment, once what lay before it has been forgotten."""
        self._ids: set[tuple[str, str]] = set()

    def knows(self, event_id: str, source: str) -> bool:
        """Whether the agent said this before."""
        return (event_id, source) in self._ids

    def hear(self, said: Said, change: Change) -> bool:
        """Takes an `agent.state`; False when it was known."""
        identity = (said.id, said.source)
        if identity in self._ids:
            return False
        self._ids.add(identity)
        self.tells_capacity = self.tells_capacity or said.capacity is not None
        if self.tells_queues and (said.at_ms, said.id) > (self.said[-1].at_ms, self.said[-1].id):
            self.said.append(said)
            last = self.timeline[-1]
            queues = last.queues if said.queues is None else _set(said.queues)
            capacity = last.capacity if said.capacity is None else said.capacity
            self._replace(len(self.timeline), [Moment(said.at_ms, said.state, queues, capacity)], change)
        else:
            self.said.append(said)
            self.said.sort(key=lambda s: (s.at_ms, s.id))
            self.tells_queues = self.tells_queues or said.queues is not None
            self._replace(0, self._from_said(), change)
        return True

    @property
    def source(self) -> str | None:
        """Who tells of the agent: the source of its last word, else of the last event that named it."""
        if self.said:
            return self.said[-1].source
        return self.last[2] if self.last else None

    def name_in(self, event: tuple[int, str, str]) -> bool:
        """A contact event (instant, id, source) named the agent; True when it is the last that did."""
        if self.said or (self.last is not None and event <= self.last):
            return False
        self.last = event
        return True

    def is_known_at(self, at_ms: int) -> bool:
        """Whether a contact event named the agent at this instant or before."""
        return self.first_ms is not None and self.first_ms <= at_ms

    def meet(self, at_ms: int, change: Change) -> None:
        """A contact event named the agent at this instant, earlier than any before."""
        self.first_ms = at_ms
        if not self.said:
            self._replace(0, self._from_spans(0), change)

    def follow(self, contact: str, spans: tuple[Span, ...], change: Change) -> bool:
        """Takes what a contact's facts now say of this agent, in place of what they said before.

        False when that is nothing new.
        """
        before = self.spans.get(contact, ())
        if before == spans:
            return False
        were, are = {*before}, {*spans}
        gone, new = were - are, are - were
        if self.keeps_spans and (gone or new):
            # not from an end on: one that is told moves where a wrap-up ended by the agent's words
            self.differs_from_ms = min(self.differs_from_ms, *(s.start_ms for s in gone | new))
        is_over = self.tells_queues and not self.keeps_spans and all(s.end_ms is not None for s in spans)
        if spans and not is_over:
            self._keep(contact, spans)
        else:
            self._keep(contact, ())
        if self.tells_queues or not (gone or new):
            return True
        served = self._served_with(gone, new)
        if served is not None and served != self._served_from:
            self._serve(served)
            self._replace(0, self._from_said() if self.said else self._from_spans(0), change)
        elif not self.said:
            keep = bisect_left(self.timeline, _changed_from(gone, new), key=_AT_MS)
            self._replace(keep, self._from_spans(keep), change)
        return True

    def _keep(self, contact: str, spans: tuple[Span, ...]) -> None:
        """Keeps these spans of a contact, and no others."""
        for span in self.spans.pop(contact, ()):
            del self._by_end[bisect_left(self._by_end, _order(span))]
            if span.state is _IN_CONTACT:
                del self._taken[bisect_left(self._taken, (span.start_ms, span.contact))]
        if not spans:
            return
        self.spans[contact] = spans
        for span in spans:
            insort(self._by_end, _order(span))
            if span.state is _IN_CONTACT:
                insort(self._taken, (span.start_ms, span.contact))

    def _served_with(self, gone: set[Span], new: set[Span]) -> dict[str, int] | None:
        """The queues served and since when, after these spans were exchanged for those; None: as before."""
        known = self._served_from
        for span in gone:
            if span.queue is None or span.state is _WRAP_UP:
                continue
            if known.get(span.queue) == span.start_ms and not any(
                s.queue == span.queue and s.start_ms == span.start_ms and s.state is not _WRAP_UP for s in new
            ):
                return _served_since((s for several in self.spans.values() for s in several), self.served)
        for span in new:
            if (
                span.queue is not None
                and span.state is not _WRAP_UP
                and known.get(span.queue, _LASTS) > span.start_ms
            ):
                return _served_since(new, known)
        return None

    def _serve(self, served: dict[str, int]) -> None:
        """These are the queues served, and since when."""
        self._served_from = served
        self._all_served = tuple(sorted(served))
        self._last_served_ms = max(served.values(), default=0)

    def _served(self, at_ms: int) -> tuple[str, ...]:
        """The queues that the agent had contacts from, up to an instant."""
        if at_ms >= self._last_served_ms:
            return self._all_served
        return tuple(sorted(q for q, first in self._served_from.items() if first <= at_ms))

    def now(self, now_ms: int) -> Moment | None:
        """The moment that holds at an instant: the last begun; a first one ahead of our clock holds too."""
        for moment in reversed(self.timeline):
            if moment.at_ms <= now_ms:
                return moment
        return self.timeline[0] if self.timeline else None

    def has(self, queue: str, now_ms: int) -> bool:
        """Whether the queue is one of the agent's own words, or the agent has a contact of it in hand."""
        if self.tells_queues:
            moment = self.now(now_ms)
            return moment is not None and queue in moment.queues
        return any(
            s.queue == queue and s.state is not _WRAP_UP and (s.end_ms is None or s.end_ms > now_ms)
            for several in self.spans.values()
            for s in several
        )

    def word(self, now_ms: int) -> Said | None:
        """What the agent said last, up to an instant."""
        for said in reversed(self.said):
            if said.at_ms <= now_ms:
                return said
        return self.said[0] if self.said else None

    def stretches(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, Moment]]:
        """The moments that hold within [from, to), last first, each with the part of it that it fills."""
        for moment in reversed(self.timeline):
            start = max(from_ms, moment.at_ms)
            if start < to_ms:
                yield start, to_ms, moment
                to_ms = start
            if moment.at_ms <= from_ms:
                return

    def ahead(self, now_ms: int) -> Iterator[tuple[Moment, Moment]]:
        """Moments after now, each with the one before it: what state time counted too early."""
        for i in range(len(self.timeline) - 1, -1, -1):
            if self.timeline[i].at_ms <= now_ms:
                return
            yield (self.timeline[i - 1] if i else _NOTHING), self.timeline[i]

    def prune(self, clock_ms: int) -> bool:
        """Forgets what can no longer change; True if anything was. State time keeps what it was told.

        `clock_ms`: that of the log, ahead of which a timeline may be where contacts were given up.
        """
        is_pruned = self._prune_slots(clock_ms)
        if not self.timeline:
            return is_pruned
        floor = min(clock_ms, self.timeline[-1].at_ms) - KEPT_MS
        if len(self.timeline) < 2 or self.timeline[1].at_ms >= floor:
            return is_pruned
        place = bisect_left(self.timeline, floor, key=_AT_MS) - 1
        self.frozen = first = self.timeline[place]
        self._drop_spans(first.at_ms)
        del self.timeline[:place]
        while len(self.said) > 1 and self.said[1].at_ms < floor:
            gone = self.said.pop(0)
            self._ids.discard((gone.id, gone.source))
            if self.said[0].queues is None and gone.queues is not None:
                self.said[0] = structs.replace(self.said[0], queues=gone.queues)
            if self.said[0].capacity is None and gone.capacity is not None:
                self.said[0] = structs.replace(self.said[0], capacity=gone.capacity)
        return True

    def _prune_slots(self, clock_ms: int) -> bool:
        """Forgets slots, and contacts that nothing but slots depends on, which can no longer change."""
        moments = self.slots.moments
        if not moments or not self.slots.forget(min(clock_ms, moments[-1].at_ms) - KEPT_MS):
            return False
        if self.tells_queues:
            self._drop_spans(moments[0].at_ms)
        return True

    def _ended_ms(self, span: Span) -> int:
        """When it was over, which the agent's own words tell of a wrap-up whose end nobody does."""
        if span.end_ms is None and span.state is _WRAP_UP and self.said:
            return self._wrapped_up_ms(span)
        return _end(span)

    def _drop_spans(self, before_ms: int) -> None:
        """Forgets the spans of contacts that were over by then."""
        for contact, spans in list(self.spans.items()):
            if all(self._ended_ms(s) < before_ms for s in spans):
                self.served = _served_since(spans, self.served)
                self._keep(contact, ())

    def restored(self) -> None:
        """Rebuilds the timeline after `said`, `spans`, `frozen` … were read back; tells nobody."""
        self._ids = {(s.id, s.source) for s in self.said}
        self.tells_queues = any(s.queues is not None for s in self.said)
        self._serve(_served_since([s for several in self.spans.values() for s in several], self.served))
        self._by_end = sorted(_order(s) for several in self.spans.values() for s in several)
        self._taken = sorted(
            (s.start_ms, s.contact)
            for several in self.spans.values()
            for s in several
            if s.state is _IN_CONTACT
        )
        self.tells_capacity = any(s.capacity is not None for s in self.said)
        self.timeline = []
        self.timeline = self._from_said() if self.said else self._from_spans(0)
        self.differs_from_ms = 0

    def _replace(self, keep: int, tail: list[Moment], change: Change) -> None:
        """Puts `tail` after the first `keep` moments, telling what changed and nothing else."""
        old = self.timeline[keep:]
        same = 0
        while same < len(old) and same < len(tail) and old[same] == tail[same]:
            same += 1
        if same == len(old) == len(tail):
            return
        self.is_moved = True
        at = keep + same
        if self.keeps_spans:
            changed = [*old[same : same + 1], *tail[same : same + 1]]
            self.differs_from_ms = min(self.differs_from_ms, *(m.at_ms for m in changed))
        before = self.timeline[at - 1] if at else _NOTHING
        _tell(before, old[same:], -1, change)
        _tell(before, tail[same:], 1, change)
        self.timeline[at:] = tail[same:]

    def _from_said(self) -> list[Moment]:
        """Each word holds until the next; queues left out stay as they were."""
        if not self.tells_queues:
            return self._said_without_queues()
        queues: tuple[str, ...] = ()
        capacity: Capacity | None = None
        moments = []
        for s in self.said:
            if s.queues is not None:
                queues = _set(s.queues)
            if s.capacity is not None:
                capacity = s.capacity
            moments.append(Moment(s.at_ms, s.state, queues, capacity))
        return moments

    def _said_without_queues(self) -> list[Moment]:
        """An agent that never told its queues has those it had contacts from, from then on."""
        first = self.said[0].at_ms
        edges = {s.at_ms: s.state for s in self.said}
        told = {s.at_ms: s.capacity for s in self.said if s.capacity is not None}
        state = self.said[0].state
        capacity: Capacity | None = None
        moments = []
        for at_ms in sorted({*edges, *(t for t in self._served_from.values() if t > first)}):
            state, capacity = edges.get(at_ms, state), told.get(at_ms, capacity)
            moments.append(Moment(at_ms, state, self._served(at_ms), capacity))
        return moments

    def _from_spans(self, keep: int) -> list[Moment]:
        """The moments after the first `keep`: available, but for the spans; the weightiest counts."""
        frozen = self.frozen
        moments: list[Moment] = []
        if not keep and frozen is not None:
            moments.append(structs.replace(frozen, queues=self._served(frozen.at_ms)))
        last = self.timeline[keep - 1] if keep else (moments[0] if moments else None)
        begin = last.at_ms if last else -1
        steps = self._steps(begin)
        edges = [t for t in self._served_from.values() if t > begin] if begin < self._last_served_ms else []
        if last is None and self.first_ms is not None:
            edges.append(self.first_ms)
        if edges:
            steps += [(at_ms, 0, 0) for at_ms in edges]
            steps.sort()
        counts, place = [0] * len(_BY_WEIGHT), 0
        latest, everything = self._last_served_ms, self._all_served
        while place < len(steps):
            at_ms = steps[place][0]
            while place < len(steps) and steps[place][0] == at_ms:
                _, weight, sign = steps[place]
                counts[weight] += sign
                place += 1
            if at_ms <= begin:
                continue
            state = _weightiest(counts)
            queues = everything if at_ms >= latest else self._served(at_ms)
            if last is None or state is not last.state or queues != last.queues:
                last = Moment(at_ms, state, queues)
                moments.append(last)
        return moments

    def _steps(self, begin: int) -> list[tuple[int, int, int]]:
        """(instant, weight of state, 1 or -1), in order, of the spans that reach beyond `begin`."""
        steps = []
        for _, _, span in self._by_end[bisect_right(self._by_end, begin, key=_END_MS) :]:
            end = self._cut(span) if span.state is _WRAP_UP else span.end_ms
            weight = _PRECEDENCE[span.state]
            steps.append((span.start_ms, weight, 1))
            if end is not None:
                steps.append((end, weight, -1))
        steps.sort()
        return steps

    def follow_slots(self, change: SlotChange | None, channel_of: ChannelOf) -> None:
        """Brings the slots up to what words and contacts say now."""
        line, from_ms, self.differs_from_ms = self.slots, self.differs_from_ms, _LASTS
        if from_ms == _LASTS or not self.tells_capacity:
            return
        keep = line.kept_before(from_ms)
        last = line.moments[keep - 1] if keep else None
        begin = last.at_ms if last else -1
        first = max(0, bisect_right(self.timeline, begin, key=_AT_MS) - 1)
        presences = [
            Presence(m.at_ms, m.queues, m.state in _STAFFED, m.capacity) for m in self.timeline[first:]
        ]
        line.replace(keep, moments_of(last, presences, self._held(begin, channel_of)), change, channel_of)

    def _held(self, begin: int, channel_of: ChannelOf) -> Iterator[Held]:
        """When each contact takes a slot, of those that may after an instant: accepted to wrapped up."""
        by_contact: dict[str, list[Held]] = {}
        for _, _, span in self._by_end[bisect_right(self._by_end, begin, key=_END_MS) :]:
            channel = channel_of(span.queue) if span.queue is not None else None
            if channel is not None and span.state is not _RINGING:
                end = _end(span) if span.state is _IN_CONTACT else self._wrapped_up_ms(span)
                by_contact.setdefault(span.contact, []).append((channel, span.start_ms, end))
        for times in by_contact.values():
            yield from held_by(times)

    def _wrapped_up_ms(self, wrap_up: Span) -> int:
        """The end of a wrap-up; one whose end is not told lasts as long as the agent says to be busy."""
        end = self._cut(wrap_up)
        if wrap_up.end_ms is None:
            at = bisect_right(self.timeline, wrap_up.start_ms, key=_AT_MS) - 1
            moments = self.timeline[max(0, at) :]
            for i, moment in enumerate(moments):
                lasts = i + 1 == len(moments) or moments[i + 1].at_ms > moment.at_ms
                if lasts and moment.state not in _BUSY:
                    over_ms = max(wrap_up.start_ms, moment.at_ms)
                    return over_ms if end is None else min(end, over_ms)
        return _LASTS if end is None else end

    def _cut(self, wrap_up: Span) -> int | None:
        """The end of a wrap-up: at the latest when the agent takes a contact."""
        start, end = wrap_up.start_ms, wrap_up.end_ms
        for at_ms, contact in self._taken[bisect_left(self._taken, (start, "")) :]:
            if at_ms > start or contact != wrap_up.contact:
                return at_ms if end is None else min(end, at_ms)
        return end


def _served_since(spans: Iterable[Span], before: dict[str, int]) -> dict[str, int]:
    """The queues that contacts were offered or accepted from, each with its first instant."""
    served = dict(before)
    for span in spans:
        if span.queue is not None and span.state is not _WRAP_UP:
            served[span.queue] = min(served.get(span.queue, span.start_ms), span.start_ms)
    return served


@lru_cache(maxsize=4096)
def _set(queues: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(queues)))


_NOTHING = Moment(0, AgentState.OFFLINE, ())


def _weightiest(counts: list[int]) -> AgentState:
    """The state that shows, of the numbers of contacts in each of `_BY_WEIGHT`."""
    in_contact, wrap_up, ringing = counts
    if in_contact:
        return _IN_CONTACT
    if wrap_up:
        return _WRAP_UP
    return _RINGING if ringing else _AVAILABLE


def _changed_from(gone: set[Span], new: set[Span]) -> int:
    """The first instant at which an agent's state may differ; where only an end moved, that end."""
    ends: dict[tuple[str, int, str | None, str], list[int]] = {}
    for span in (*gone, *new):
        ends.setdefault((span.state, span.start_ms, span.queue, span.contact), []).append(_end(span))
    return min(min(ends_ms) if len(ends_ms) == 2 else key[1] for key, ends_ms in ends.items())


def _end(span: Span) -> int:
    return _LASTS if span.end_ms is None else span.end_ms


def _order(span: Span) -> tuple[int, int, Span]:
    """By end; then alike for alike spans and nothing else."""
    return (_end(span), hash(span), span)


def _tell(before: Moment, moments: Iterable[Moment], sign: int, change: Change) -> None:
    """Tells each change of state to the site and to the queues it concerns, with a sign."""
    for moment in moments:
        was_busy, was_staffed = before.state in _BUSY, before.state in _STAFFED
        is_busy, is_staffed = moment.state in _BUSY, moment.state in _STAFFED
        if moment.queues == before.queues:
            busy, staffed = is_busy - was_busy, is_staffed - was_staffed
            if busy or staffed:
                change(None, moment.at_ms, sign * busy, sign * staffed)
                for queue in moment.queues:
                    change(queue, moment.at_ms, sign * busy, sign * staffed)
            before = moment
            continue
        _change_if(None, moment.at_ms, sign * (is_busy - was_busy), sign * (is_staffed - was_staffed), change)
        for queue in moment.queues:
            had = queue in before.queues
            busy = is_busy - (was_busy and had)
            staffed = is_staffed - (was_staffed and had)
            _change_if(queue, moment.at_ms, sign * busy, sign * staffed, change)
        for queue in before.queues:
            if queue not in moment.queues:
                _change_if(queue, moment.at_ms, -sign * was_busy, -sign * was_staffed, change)
        before = moment


def _change_if(queue: str | None, at_ms: int, busy: int, staffed: int, change: Change) -> None:
    if busy or staffed:
        change(queue, at_ms, busy, staffed)


def presence(moment: Moment, queue: str | None) -> tuple[bool, bool]:
    """Whether the moment counts as busy and as staffed, for a queue or for the whole site (None)."""
    if queue is not None and queue not in moment.queues:
        return False, False
    return moment.state in _BUSY, moment.state in _STAFFED


def counted_ahead(agent: Agent, now_ms: int, queue: str | None) -> tuple[int, int]:
    """Busy and staffed ms that state time counts for changes after now, to be taken from its times."""
    busy_ms = staffed_ms = 0

    def add(of: str | None, at_ms: int, busy: int, staffed: int) -> None:
        nonlocal busy_ms, staffed_ms
        if of == queue:
            busy_ms += busy * (now_ms - at_ms)
            staffed_ms += staffed * (now_ms - at_ms)

    for before, moment in agent.ahead(now_ms):
        _tell(before, (moment,), 1, add)
    return busy_ms, staffed_ms
