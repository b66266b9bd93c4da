"""What was told before we started, back into what is remembered of it. Pure.

Events say less than frames: no Linkedid, no phone of an agent, no membership. What they leave out is
learnt from the snapshot that follows, as after any loss of the line. Visits keep the numbers they had,
so a second visit to a queue is never told as the first.
"""

from collections.abc import Mapping

from msgspec import structs

from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    AnyEvent,
    ContactCreated,
    ContactEnded,
    HoldEnd,
    HoldStart,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    Transfer,
    VisitEvent,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import Outcome
from services.ingest.adapters.asterisk_ami.agents import Agents
from services.ingest.adapters.asterisk_ami.calls import Calls
from services.ingest.adapters.asterisk_ami.visits import Attempt, Contact, Visit


class Resume:
    """Takes events in the order of the log, then `finish`. A repeat changes nothing."""

    def __init__(self, *, calls: Calls, agents: Agents, names: Mapping[str, str]) -> None:
        """`names`: Asterisk's of agents = ours, which events have."""
        self._theirs = {ours: theirs for theirs, ours in names.items()}
        self._calls = calls
        self._contacts = calls.contacts
        self._agents = agents

    def take(self, event: AnyEvent) -> None:
        theirs = self._theirs.get(getattr(event, "agent", None) or "")
        if theirs is not None:
            event = structs.replace(event, agent=theirs)
        match event:
            case AgentStateChanged():
                self._agents.recall(event.agent, event.state, event.reason, event.queues)
            case ContactCreated():
                contact = self._contacts.named(event.contact)
                contact.is_told, contact.customer = True, event.customer
            case ContactEnded():
                self._end(self._contacts.named(event.contact), event.occurred_ms)
            case Transfer():
                self._contacts.named(event.contact).transferred_ms = event.occurred_ms
            case _ if isinstance(event, VisitEvent):
                visit = self._visit(event)
                if visit is not None:
                    _tell(visit, event)
                    if visit.is_lost:
                        self._contacts.end(self._contacts.open(visit.channel))
            case _:
                pass

    def finish(self) -> None:
        """What is open goes on: attempts ring, talks and wrap-ups run. Nothing is said anew by that."""
        for contact in self._contacts.all():
            for visit in contact.visits:
                self._go_on(contact, visit)
        self._agents.take_as_said()

    def _end(self, contact: Contact, at_ms: int) -> None:
        contact.is_ended = contact.is_gone = True
        contact.hung_ms = at_ms
        self._contacts.end(contact)

    def _visit(self, event: VisitEvent) -> Visit | None:
        """The visit of that segment, made when new; None when it is not named as ours are."""
        contact_and, _, number = (event.segment or "").rpartition("/")
        raw_queue = contact_and.removeprefix(f"{event.contact}/")
        if raw_queue == contact_and or not (number.isascii() and number.isdigit()):
            return None
        contact = self._contacts.named(event.contact)
        found = next((visit for visit in contact.visits if visit.segment == event.segment), None)
        return found or self._contacts.add_visit(
            contact, raw_queue, self._calls.ours(raw_queue), number=int(number)
        )

    def _go_on(self, contact: Contact, visit: Visit) -> None:
        if not visit.is_waiting or visit.is_lost:
            visit.attempts.clear()
        for leg, attempt in visit.attempts.items():
            self._contacts.add_leg(leg, visit)
            self._agents.ring(attempt.agent, leg)
        if visit.is_talking:
            for leg in visit.closed_attempts:  # one of them is the agent's own
                self._contacts.add_leg(leg, visit)
        self._calls.talks.go_on(visit)
        if contact.is_ended and visit.is_talking:
            self._calls.end_late(visit, contact.hung_ms or 0)


def _tell(visit: Visit, event: VisitEvent) -> None:
    match event:
        case QueueEntered():
            visit.entered_ms, visit.is_inferred, visit.is_told = event.occurred_ms, event.inferred, True
        case QueueLeft():
            _leave(visit, event)
        case AgentOffered():
            leg = _leg(event, "offered")
            if leg is not None and leg not in visit.closed_attempts:
                visit.attempts[leg] = Attempt(leg, event.agent, None)
        case AgentNoAnswer():
            _close(visit, _leg(event, "no_answer"))
        case AgentOfferEnded():
            _close(visit, _leg(event, "offer_ended"))
        case AgentAccepted():
            visit.accepted_ms, visit.agent, visit.outcome = event.occurred_ms, event.agent, Outcome.ANSWERED
            for attempt in list(visit.attempts.values()):
                if attempt.agent == event.agent:
                    _close(visit, attempt.leg)
        case HoldStart() | HoldEnd():
            visit.is_held = isinstance(event, HoldStart)
        case TalkEnded():
            visit.talk_ended_ms = event.occurred_ms
        case WrapStart():
            visit.wrap_ends_ms = event.occurred_ms  # not before; `Talks.go_on` knows when
        case WrapEnd():
            visit.wrap_ends_ms = None


def _leave(visit: Visit, event: QueueLeft) -> None:
    """Unknown may yet become known: such a visit is lost, and a frame may tell more of it."""
    if event.outcome is not Outcome.UNKNOWN:
        visit.outcome, visit.leave_ms, visit.is_lost = event.outcome, event.occurred_ms, False
    elif visit.is_waiting:
        visit.is_lost = True


def _close(visit: Visit, leg: str | None) -> None:
    if leg is not None:
        visit.attempts.pop(leg, None)
        visit.closed_attempts.add(leg)


def _leg(event: AgentOffered | AgentNoAnswer | AgentOfferEnded, kind: str) -> str | None:
    """As it stands in the id (`facts.py`); None when the id was too long to keep it."""
    leg = event.id.removeprefix(f"{event.segment}/{kind}/")
    return leg if leg != event.id else None
