"""What was told before we started, back into what is remembered of it. Pure.

Events say less than FreeSWITCH does: no status of an agent, no leg of a talk. What they leave out is learnt
from the snapshot that follows, as after any loss of the line.
"""

import re

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
    VisitEvent,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import Outcome
from services.ingest.adapters.freeswitch_esl.agents import Agents
from services.ingest.adapters.freeswitch_esl.calls import Calls
from services.ingest.adapters.freeswitch_esl.visits import Visit

_SEGMENT = re.compile(r"(?P<queue>.+)/(?P<member>[^/~]+)(?:~(?P<number>[0-9]{1,6}))?", re.ASCII | re.DOTALL)


class Resume:
    """Takes events in the order of the log, then `finish`. A repeat changes nothing."""

    def __init__(self, *, calls: Calls, agents: Agents) -> None:
        self._calls = calls
        self._contacts = calls.contacts
        self._agents = agents

    def take(self, event: AnyEvent) -> None:
        match event:
            case AgentStateChanged():
                self._agents.recall(event.agent, event.state, event.reason, event.queues)
            case ContactCreated():
                contact = self._contacts.named(event.contact)
                contact.is_told, contact.customer = True, event.customer
            case ContactEnded():
                contact = self._contacts.named(event.contact)
                contact.is_ended, contact.hung_ms = True, event.occurred_ms
                self._contacts.end(contact)
            case _ if isinstance(event, VisitEvent):
                visit = self._visit(event)
                if visit is not None:
                    self._tell(visit, event)
            case _:
                pass

    def finish(self) -> None:
        """What is open goes on: talks and wrap-ups run. Nothing is said anew by that."""
        for contact in self._contacts.all():
            for visit in contact.visits:
                self._calls.talks.go_on(visit)
                if contact.is_ended:
                    self._calls.end_late(visit, contact.hung_ms or 0)
        self._agents.take_as_said()

    def _visit(self, event: VisitEvent) -> Visit | None:
        """The visit of that segment, made when new; None when it is not named as ours are."""
        named = _SEGMENT.fullmatch((event.segment or "").removeprefix(f"{event.contact}/"))
        if named is None or named.string == event.segment:
            return None
        contact = self._contacts.named(event.contact)
        found = next((visit for visit in contact.visits if visit.segment == event.segment), None)
        number = int(named["number"] or 1)
        return found or self._contacts.add_visit(contact, named["queue"], named["member"], number=number)

    def _tell(self, visit: Visit, event: VisitEvent) -> None:
        offers = self._calls.offers
        match event:
            case QueueEntered():
                visit.entered_ms, visit.is_inferred, visit.is_told = event.occurred_ms, event.inferred, True
            case QueueLeft():
                _leave(visit, event)
            case AgentOffered():
                key = _key(event, "offered")
                if key is not None:
                    agent, _, at_ms = key.rpartition("@")
                    offers.begin(visit, agent, int(at_ms), is_told=True)
            case AgentNoAnswer():
                offers.close_told(visit, _key(event, "no_answer") or "")
            case AgentOfferEnded():
                offers.close_told(visit, _key(event, "offer_ended") or "")
            case AgentAccepted():
                visit.accepted_ms = visit.over_ms = event.occurred_ms
                visit.agent, visit.outcome = self._agents.theirs(event.agent), Outcome.ANSWERED
                for key in [each.key for each in visit.attempts.values() if each.agent == visit.agent]:
                    offers.close_told(visit, key)
            case HoldStart():
                visit.holding.add(visit.channel)
            case HoldEnd():
                visit.holding.clear()
            case TalkEnded():
                visit.talk_ended_ms = event.occurred_ms
            case WrapStart():
                visit.wrap_ends_ms = event.occurred_ms  # not before; `Talks.go_on` knows when
            case WrapEnd():
                visit.wrap_ends_ms = None


def _leave(visit: Visit, event: QueueLeft) -> None:
    """Unknown may yet become known: such a visit is lost, and an event may tell more of it."""
    if event.outcome is not Outcome.UNKNOWN:
        visit.outcome, visit.over_ms, visit.is_lost = event.outcome, event.occurred_ms, False
    elif visit.is_waiting:
        visit.is_lost = True


def _key(event: AgentOffered | AgentNoAnswer | AgentOfferEnded, kind: str) -> str | None:
    """As it stands in the id (`facts.py`); None when the id was too long to keep it."""
    key = event.id.removeprefix(f"{event.segment}/{kind}/")
    at_ms = key.rpartition("@")[2]
    return key if key != event.id and at_ms.isascii() and at_ms.isdigit() and len(at_ms) <= 16 else None
