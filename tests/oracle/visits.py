"""Visits with their outcome, wait and handle time, each worked out from all its facts at once.

SEMANTICS.md §1 (answered, contradictions, silence), §3 (handle time), §4 (channel of a queue).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeGuard

from msgspec import Struct

from schemas.config import Config
from schemas.events import (
    AgentAccepted,
    AnyEvent,
    ContactCreated,
    ContactEnded,
    MessageIn,
    MessageOut,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import Channel, Outcome, TransferKind
from tests.oracle.clocks import skews
from tests.oracle.facts import Contact, Key, VisitFact, contacts, distinct
from tests.oracle.precision import latest_ms, precedence, sharpest

SILENCE_IN_WAIT_LIMITS = 10
"""A waiting contact without news for so many wait limits becomes `unknown` (SEMANTICS.md §1)."""


class Visit(Struct, frozen=True, kw_only=True):
    """One stay in one queue. `outcome` None: waiting. `handled_ms` is null until talk has ended.

    `closed_ms`: nothing was left to do for it; `given_up_ms`: nothing was heard of it for too long.
    `skew_ms`: to be added to the instant of entry for a wait in progress, as its source's clock is off.
    """

    site: str
    queue: str
    contact: str
    entered_ms: int
    outcome: Outcome | None
    outcome_ms: int | None
    agent: str | None
    talk_ended_ms: int | None
    handled_ms: int | None
    skew_ms: int = 0
    closed_ms: int | None = None
    given_up_ms: int | None = None

    @property
    def since_ms(self) -> int:
        """The instant that the wait is counted from: on our clock while it lasts."""
        return self.entered_ms + (self.skew_ms if self.outcome is None else 0)

    def wait_ms(self, now_ms: int) -> int:
        """How long the contact waited, or has waited by now; never below 0."""
        end_ms = now_ms if self.outcome_ms is None else self.outcome_ms
        return max(0, end_ms - self.since_ms)


class _Candidate(NamedTuple):
    outcome: Outcome
    at_ms: int
    id: str
    rank: int
    agent: str | None = None
    told: QueueLeft | AgentAccepted | Transfer | ContactEnded | None = None
    """What told it; after `_timed`, what told its instant."""

    @property
    def until_ms(self) -> int:
        return self.at_ms if self.told is None else latest_ms(self.told)

    is_inferred: bool = False


def visits(events: Iterable[AnyEvent], config: Config, *, now_ms: int) -> list[Visit]:
    """Every visit whose queue.entered is known, whatever the order and the repeats of `events`."""
    known = distinct(events)
    channels, clocks = channels_seen(known), skews(known)
    return [
        _visit(contact, key, config, channels=channels, clocks=clocks, now_ms=now_ms)
        for contact in contacts(known)
        for key in contact.entered
    ]


def waits(
    events: Iterable[AnyEvent], config: Config, *, now_ms: int
) -> dict[tuple[str, str], list[tuple[int, int | None]]]:
    """(entered, left or None) of every visit, by (site, queue): what `episodes` takes."""
    found: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
    for visit in visits(events, config, now_ms=now_ms):
        found.setdefault((visit.site, visit.queue), []).append((visit.entered_ms, visit.outcome_ms))
    return found


def channels_seen(events: Sequence[AnyEvent]) -> dict[tuple[str, str], Channel]:
    """The channel of each queue by the first event that names both (first by occurred_ms, id).

    Where none does, by the first that names the channel of a contact that entered the queue.
    """
    found: dict[tuple[str, str], Channel] = {}
    entered: dict[tuple[str, str], set[str]] = {}
    for event in events:
        if isinstance(event, QueueEntered):
            entered.setdefault((event.site, event.contact), set()).add(event.queue)
    in_order = sorted(events, key=lambda e: (e.occurred_ms, e.id))
    for event in in_order:
        if isinstance(event, QueueEntered | MessageIn | MessageOut) and event.queue and event.channel:
            found.setdefault((event.site, event.queue), event.channel)
    for event in in_order:
        if isinstance(event, ContactCreated | ContactEnded) and event.channel:
            for queue in entered.get((event.site, event.contact), ()):
                found.setdefault((event.site, queue), event.channel)
    return found


def _visit(
    contact: Contact,
    key: Key,
    config: Config,
    *,
    channels: dict[tuple[str, str], Channel],
    clocks: dict[tuple[str, str], int],
    now_ms: int,
) -> Visit:
    entered = contact.entered[key]
    facts = contact.facts.get(key, [])
    settings = config.queue(contact.site, entered.queue, channels.get((contact.site, entered.queue)))
    silence_ms = round(SILENCE_IN_WAIT_LIMITS * settings.wait_limit_in_force_s * 1000)
    outcome = outcome_of(contact, entered, facts, silence_ms=silence_ms, now_ms=now_ms)
    talk_ended_ms, handled_ms = _handling(outcome, facts)
    silent_ms = max(e.occurred_ms for e in contact.events) + silence_ms
    closed_ms = _closed_ms(contact, entered, facts, outcome, talk_ended_ms=talk_ended_ms)
    return Visit(
        site=contact.site,
        queue=entered.queue,
        contact=contact.contact,
        entered_ms=entered.occurred_ms,
        outcome=outcome.outcome if outcome else None,
        outcome_ms=outcome.at_ms if outcome else None,
        agent=outcome.agent if outcome else None,
        talk_ended_ms=talk_ended_ms,
        handled_ms=handled_ms,
        skew_ms=clocks.get((contact.site, entered.source), 0),
        closed_ms=closed_ms,
        given_up_ms=silent_ms if closed_ms is None and silent_ms <= now_ms else None,
    )


def _closed_ms(
    contact: Contact,
    entered: QueueEntered,
    facts: list[VisitFact],
    outcome: _Candidate | None,
    *,
    talk_ended_ms: int | None,
) -> int | None:
    """The first end of the visit, or of its contact; an answer is none, nor is being given up."""
    if outcome is None or outcome.is_inferred:
        return None
    if outcome.outcome is not Outcome.ANSWERED:
        return max(entered.occurred_ms, outcome.at_ms)
    ends = [e.occurred_ms for e in contact.events if isinstance(e, ContactEnded)]
    found = [at_ms for at_ms in ends if at_ms >= entered.occurred_ms]
    found += [talk_ended_ms] if talk_ended_ms is not None else []
    for fact in facts:
        left = isinstance(fact, QueueLeft) and fact.outcome is not Outcome.ANSWERED
        moved = isinstance(fact, Transfer) and fact.kind is TransferKind.QUEUE
        if (left or moved) and fact.occurred_ms >= outcome.at_ms:
            found.append(fact.occurred_ms)
    return max(entered.occurred_ms, min(found)) if found else None


def outcome_of(
    contact: Contact, entered: QueueEntered, facts: list[VisitFact], *, silence_ms: int, now_ms: int
) -> _Candidate | None:
    """What ended the visit; `silence_ms` after the last news it counts as `unknown`."""
    candidates = _candidates(contact, entered, facts)
    if not candidates:
        silent_ms = max(e.occurred_ms for e in contact.events) + silence_ms
        given_up = _Candidate(Outcome.UNKNOWN, silent_ms, "", 0, is_inferred=True)
        return given_up if silent_ms <= now_ms else None
    best = min(candidates, key=_best_first)
    accepts = [f for f in facts if isinstance(f, AgentAccepted)]
    if best.outcome is Outcome.ANSWERED and accepts:
        accept = min(accepts, key=precedence)
        best = _candidate(Outcome.ANSWERED, accept, accept.agent)
    return _timed(best, contact, facts)


def _timed(best: _Candidate, contact: Contact, facts: list[VisitFact]) -> _Candidate:
    """The outcome at the instant that the most precise tells, whatever end of the visit that one tells.

    An answer is timed by answers: by accepts, where there are any.
    """
    assert best.told is not None
    told: list[QueueLeft | AgentAccepted | Transfer | ContactEnded] = []
    if best.outcome is Outcome.ANSWERED:
        told += [
            f
            for f in facts
            if type(f) is type(best.told) and getattr(f, "outcome", Outcome.ANSWERED) is Outcome.ANSWERED
        ]
    else:
        told += [f for f in facts if isinstance(f, QueueLeft | AgentAccepted) or _is_flow_out(f)]
        if isinstance(best.told, ContactEnded):
            told += [e for e in contact.events if isinstance(e, ContactEnded)]
    timer = sharpest(best.told, told)
    return best._replace(at_ms=timer.occurred_ms, told=timer)


def _is_flow_out(fact: VisitFact) -> TypeGuard[Transfer]:
    return isinstance(fact, Transfer) and fact.kind is TransferKind.QUEUE


def _candidate(
    outcome: Outcome,
    told: QueueLeft | AgentAccepted | Transfer | ContactEnded,
    agent: str | None = None,
) -> _Candidate:
    return _Candidate(outcome, told.occurred_ms, told.id, told.rank, agent, told)


def _candidates(contact: Contact, entered: QueueEntered, facts: list[VisitFact]) -> list[_Candidate]:
    found = []
    for fact in facts:
        if isinstance(fact, QueueLeft):
            found.append(_candidate(fact.outcome, fact, fact.agent))
        elif isinstance(fact, AgentAccepted):
            found.append(_candidate(Outcome.ANSWERED, fact, fact.agent))
        elif _is_flow_out(fact):
            found.append(_candidate(Outcome.TRANSFERRED, fact))
    ends = [e for e in contact.events if isinstance(e, ContactEnded) and latest_ms(e) >= entered.occurred_ms]
    return found + [_candidate(Outcome.UNKNOWN, e) for e in ends]


def _best_first(candidate: _Candidate) -> tuple[bool, int, bool, int, str]:
    return (
        candidate.outcome is Outcome.UNKNOWN,
        -candidate.rank,
        candidate.outcome is Outcome.ABANDONED,
        candidate.at_ms,
        candidate.id,
    )


def _handling(outcome: _Candidate | None, facts: list[VisitFact]) -> tuple[int | None, int | None]:
    """(talk ended, handle time) of an answered visit: answered → talk ended, plus wrap once it has ended."""
    ends = [f for f in facts if isinstance(f, TalkEnded)]
    if outcome is None or outcome.outcome is not Outcome.ANSWERED or not ends:
        return (None, None)
    talk_ended_ms = sharpest(min(ends, key=precedence), ends).occurred_ms
    handled_ms = max(0, talk_ended_ms - outcome.at_ms)
    wrap_ends = [f for f in facts if isinstance(f, WrapEnd)]
    if wrap_ends:
        wrap_starts = [f for f in facts if isinstance(f, WrapStart)]
        start_ms = talk_ended_ms
        if wrap_starts:
            start_ms = sharpest(min(wrap_starts, key=precedence), wrap_starts).occurred_ms
        handled_ms += max(0, sharpest(min(wrap_ends, key=precedence), wrap_ends).occurred_ms - start_ms)
    return (talk_ended_ms, handled_ms)
