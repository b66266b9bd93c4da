"""Which fact belongs to which visit: identity, segments, and facts that name too little.

SEMANTICS.md §1. A visit is one stay of one contact in one queue; `Key` names it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AnyEvent,
    ContactCreated,
    ContactEnded,
    ContactEvent,
    HoldEnd,
    HoldStart,
    MessageIn,
    MessageOut,
    QueueEntered,
    QueueLeft,
    SurveyAnswered,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from tests.oracle.precision import precedence, sharpest

Key = tuple[str, str, int]
"""("segment", its name, 0), or ("queue", queue, instant of queue.entered) where no segment is given."""

QueueFact = QueueLeft | AgentOffered | AgentAccepted | AgentNoAnswer | AgentOfferEnded | TalkEnded
HandlingFact = HoldStart | HoldEnd | WrapStart | WrapEnd
VisitFact = QueueFact | HandlingFact | Transfer

_CONTACT_EVENTS = (
    *(ContactCreated, ContactEnded, QueueEntered, QueueLeft, AgentOffered, AgentAccepted),
    *(AgentNoAnswer, AgentOfferEnded, HoldStart, HoldEnd, TalkEnded, WrapStart, WrapEnd),
    *(Transfer, MessageIn, MessageOut, SurveyAnswered),
)


class Contact(Struct, frozen=True):
    """All that is known of one contact: its events, and the facts of each of its visits.

    `entered` and `accepted` hold the best fact of each visit, `entered` with the instant (and the source)
    of the most precise; a visit without `entered` counts nowhere. `homeless` are facts of no known visit;
    they still say what their agent did.
    """

    site: str
    contact: str
    events: list[ContactEvent]
    entered: dict[Key, QueueEntered]
    accepted: dict[Key, AgentAccepted]
    facts: dict[Key, list[VisitFact]]
    homeless: list[VisitFact]


def distinct(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """The events without repeats of a (source, id), in order of occurrence."""
    seen: dict[tuple[str, str], AnyEvent] = {}
    for event in events:
        seen.setdefault((event.source, event.id), event)
    return sorted(seen.values(), key=lambda e: (e.occurred_ms, e.id, e.source))


def contacts(events: Sequence[AnyEvent]) -> list[Contact]:
    """Every contact of `events` (already distinct), one site's contact apart from another's."""
    by_contact: dict[tuple[str, str], list[ContactEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event, _CONTACT_EVENTS):
            by_contact[event.site, event.contact].append(event)
    return [_contact(site, name, found) for (site, name), found in by_contact.items()]


def _contact(site: str, name: str, events: list[ContactEvent]) -> Contact:
    entered = _entered(events)
    facts: dict[Key, list[VisitFact]] = defaultdict(list)
    homeless: list[VisitFact] = []
    accepted_facts: dict[Key, list[AgentAccepted]] = defaultdict(list)
    for event in events:
        if isinstance(event, AgentAccepted) and (home := _home(event, entered, {})):
            accepted_facts[home].append(event)
    accepted = {key: min(found, key=precedence) for key, found in accepted_facts.items()}
    for event in events:
        if not isinstance(event, QueueFact | HandlingFact | Transfer):
            continue
        # An accept is what the rule of the accepted agent leans on, so it cannot lean on it itself.
        home = _home(event, entered, {} if isinstance(event, AgentAccepted) else accepted)
        if home is None:
            homeless.append(event)
        else:
            facts[home].append(event)
    return Contact(site, name, events, entered, accepted, dict(facts), homeless)


def _entered(events: Iterable[ContactEvent]) -> dict[Key, QueueEntered]:
    found: dict[Key, list[QueueEntered]] = defaultdict(list)
    for event in events:
        if isinstance(event, QueueEntered):
            found[_key_of_entered(event)].append(event)
    return {key: _timed(min(several, key=precedence), several) for key, several in found.items()}


def _timed(best: QueueEntered, several: list[QueueEntered]) -> QueueEntered:
    timer = sharpest(best, several)
    return structs.replace(
        best, occurred_ms=timer.occurred_ms, source=timer.source, precision_ms=timer.precision_ms
    )


def _key_of_entered(event: QueueEntered) -> Key:
    if event.segment is not None:
        return ("segment", event.segment, 0)
    return ("queue", event.queue, event.occurred_ms)


def _home(
    fact: VisitFact, entered: dict[Key, QueueEntered], accepted: dict[Key, AgentAccepted]
) -> Key | None:
    """The visit that the fact belongs to; None when none is known."""
    if not isinstance(fact, Transfer) and fact.segment is not None:
        return ("segment", fact.segment, 0)
    queue = _queue_named(fact)
    if queue is not None:
        return _latest_entered({k: e for k, e in entered.items() if e.queue == queue}, fact.occurred_ms)
    if isinstance(fact, Transfer):
        return None
    theirs = {
        key: accept.occurred_ms
        for key, accept in accepted.items()
        if fact.agent in (None, accept.agent) and accept.occurred_ms <= fact.occurred_ms
    }
    if theirs:
        return max(theirs, key=lambda key: (theirs[key], key))
    return _latest_entered(entered, fact.occurred_ms)


def _queue_named(fact: VisitFact) -> str | None:
    if isinstance(fact, Transfer):
        return fact.from_queue
    return fact.queue if isinstance(fact, QueueFact) else None


def _latest_entered(entered: dict[Key, QueueEntered], at_ms: int) -> Key | None:
    """The visit entered last at or before `at_ms`, else the first of all; None of none."""
    if not entered:
        return None
    before = {key: e.occurred_ms for key, e in entered.items() if e.occurred_ms <= at_ms}
    if before:
        return max(before, key=lambda key: (before[key], key))
    return min(entered, key=lambda key: (entered[key].occurred_ms, key))
