"""Answers and talks: an agent takes a visit, is bridged to it or not, and is done with it. Pure.

An answer (bridge-agent-start) may yet fail: the caller hangs up, or the agent's phone does, before they are
bridged. So it is held until the agent is in the call, for `BRIDGING_MS` at most.
"""

from functools import partial

from schemas.vocabulary import EndedBy, Outcome, TransferKind
from services.ingest.adapters.freeswitch_esl.entries import Entries
from services.ingest.adapters.freeswitch_esl.offers import Offers
from services.ingest.adapters.freeswitch_esl.talks import Talks
from services.ingest.adapters.freeswitch_esl.visits import Answer, Visit
from services.ingest.adapters.freeswitch_esl.wire import Event, name_of, seconds_ms
from services.ingest.facts import Facts
from services.ingest.timers import Timers

BRIDGING_MS = 4_000
"""mod_callcenter waits 3 s for the bridge."""
GONE_MS = 1_000
"""Whose channel lives this long after a bridge that failed is not why it did."""

TRANSFERS = {"BLIND_TRANSFER": TransferKind.BLIND, "ATTENDED_TRANSFER": TransferKind.ATTENDED}
"""endpoint_disposition of the agent's channel → ours (mod_sofia)."""


class Answers:
    """All answers of one source. Handlers are as those of `Calls`."""

    def __init__(
        self, entries: Entries, *, offers: Offers, talks: Talks, facts: Facts, timers: Timers
    ) -> None:
        self._entries = entries
        self._offers = offers
        self._talks = talks
        self._facts = facts
        self._timers = timers
        self._answering: dict[str, Visit] = {}

    def answered(self, event: Event, at_ms: int) -> bool:
        """bridge-agent-start: the agent has answered; the caller is not bridged yet."""
        visit, agent = self._entries.visit(event), name_of(event, "CC-Agent")
        if visit is None or not agent:
            return False
        if visit.accepted_ms is None and visit.answer is None:
            self._entries.infer_entered(visit, seconds_ms(event, "CC-Member-Joined-Time"))
            visit.answer = Answer(agent, at_ms, name_of(event, "CC-Agent-UUID"))
            self._answering[agent] = visit
            self._timers.at(at_ms + BRIDGING_MS, partial(self._bridged_by_now, visit))
        return True

    def in_call(self, agent: str) -> None:
        """The agent is in a call of a queue: the one he has answered."""
        visit = self._answering.pop(agent, None)
        if visit is not None and visit.answer is not None and visit.answer.agent == agent:
            self.accept(visit, visit.answer)

    def _bridged_by_now(self, visit: Visit, _now_ms: int) -> None:
        if visit.answer is not None:
            self.accept(visit, visit.answer)

    def accept(self, visit: Visit, answer: Answer) -> None:
        """The visit is answered. It may have been given up for lost, or not be known to have begun."""
        visit.answer = None
        if visit.accepted_ms is not None:
            return
        visit.is_lost, visit.leave_ms = False, None
        self._entries.tell(visit)
        visit.accepted_ms = visit.over_ms = answer.at_ms
        visit.agent, visit.leg, visit.outcome = answer.agent, answer.leg, Outcome.ANSWERED
        self._facts.left(
            visit,
            answer.at_ms,
            outcome=Outcome.ANSWERED,
            agent=answer.agent,
            inferred=answer.is_inferred,
        )
        self._facts.accepted(visit, answer.at_ms, agent=answer.agent, inferred=answer.is_inferred)
        self._talks.begin(visit)
        self._offers.settled(visit, answer.at_ms)

    def bridge_ended(self, event: Event, at_ms: int) -> bool:
        """bridge-agent-end: the agent has no more to do with it, or (Bridged false) never had."""
        visit, agent = self._entries.visit(event), name_of(event, "CC-Agent")
        if visit is None or not agent:
            return False
        if event.get("CC-Agent-Bridged") == "false":
            self._fall_through(visit, agent, at_ms)
            return True
        self.accept_unseen(visit, agent, event, at_ms)
        if visit.agent == agent:
            self._end_talk(visit, event, at_ms)
        return True

    def _fall_through(self, visit: Visit, agent: str, at_ms: int) -> None:
        """Answered, not bridged: the caller is gone, or the agent, and then the caller waits on."""
        if visit.is_talking and visit.agent == agent:
            visit.is_unbridged = True
            self._talks.end(visit, at_ms, by=None, has_wrap_up=False)
            self._timers.at(at_ms + GONE_MS, partial(self._wait_on, visit))
            return
        if visit.answer is not None and visit.answer.agent == agent:
            visit.answer = None
        self._offers.give_up(visit, agent, at_ms)

    def accept_unseen(self, visit: Visit, agent: str, event: Event, at_ms: int) -> None:
        """Where the bridge was not heard of: its answer, from the seconds that its end tells."""
        if visit.accepted_ms is not None:
            return
        self._entries.infer_entered(visit, seconds_ms(event, "CC-Member-Joined-Time"))
        answered_ms = seconds_ms(event, "CC-Agent-Answered-Time")
        if visit.answer is None and answered_ms is not None:
            answered_ms = min(max(answered_ms, visit.entered_ms or 0), at_ms)
            leg = name_of(event, "CC-Agent-UUID")
            visit.answer = Answer(agent, answered_ms, leg, is_inferred=True)
        if visit.answer is not None:
            self.accept(visit, visit.answer)

    def _end_talk(self, visit: Visit, event: Event, at_ms: int) -> None:
        kind = TRANSFERS.get(event.get("variable_endpoint_disposition"))
        if kind is not None and visit.is_talking:
            self._facts.transfer(visit.contact, at_ms, kind=kind, from_queue=visit.queue)
        contact = self._entries.contacts.open(visit.channel)
        by = None
        if kind is not None:
            by = EndedBy.TRANSFER
        elif event.get("variable_sip_hangup_disposition") == "recv_bye":
            by = EndedBy.AGENT
        elif contact.is_by_customer:
            by = EndedBy.CUSTOMER
        self._talks.end(visit, at_ms, by=by)

    def _wait_on(self, visit: Visit, now_ms: int) -> None:
        if visit.is_unbridged and self._entries.contacts.open(visit.channel).hung_ms is None:
            self.wait_again(visit, now_ms)

    def wait_again(self, visit: Visit, at_ms: int) -> Visit:
        """Said to be answered, and the agent was gone before the bridge: the caller waits on."""
        visit.is_unbridged = False
        contact = self._entries.contacts.open(visit.channel)
        again = self._entries.contacts.add_visit(contact, visit.raw_queue, visit.member)
        self._entries.infer_entered(again, min(at_ms, visit.talk_ended_ms or at_ms))
        return again
