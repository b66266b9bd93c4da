"""The state machine of queued calls: what each AMI event means for the visit it is about. Pure.

Rules and traps: SOURCES.md §2, SEMANTICS.md §1. Every handler takes the frame and its instant, does
nothing on a repeat, and answers whether the frame could be used. A Leave proves nothing by itself:
it is held until Connect or Hangup of the caller, or for `GRACE_MS`.
"""

from collections.abc import Set
from functools import partial

from schemas.config import SourceConfig
from schemas.vocabulary import Channel, EndedBy, OfferEnd, Outcome
from services.ingest.adapters.asterisk_ami.agents import Agents
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.talks import Talks
from services.ingest.adapters.asterisk_ami.visits import (
    SAME_INSTANT_MS,
    Attempt,
    Contact,
    Contacts,
    Visit,
)
from services.ingest.adapters.asterisk_ami.wire import caller_number, member_of, name_of, whole
from services.ingest.facts import Facts
from services.ingest.timers import Timers
from services.ingest.translated import Pseudonyms

GRACE_MS = 1_000
"""A caller whose channel lives this long after Leave has not hung up. SEMANTICS.md §1."""
CONNECTING_MS = 60_000
"""Longest time between Leave and AgentConnect (an announcement to the agent, a membergosub)."""
WAIT_ERROR_MS = 5_000
"""How far a snapshot's `Wait` and our reading of its clock may be off together."""
LATE_COMPLETE_MS = 10_000
"""How long after the end of a contact its AgentComplete is waited for."""

_BY = {"caller": EndedBy.CUSTOMER, "agent": EndedBy.AGENT, "transfer": EndedBy.TRANSFER}


class Calls:
    """All queued calls of one source."""

    def __init__(
        self, source: SourceConfig, pseudonyms: Pseudonyms, *, facts: Facts, timers: Timers, agents: Agents
    ) -> None:
        self.contacts = Contacts(source.system)
        self._source = source
        self._pseudonyms = pseudonyms
        self._facts = facts
        self._timers = timers
        self._agents = agents
        self.talks = Talks(source, facts=facts, timers=timers, agents=agents)

    def ours(self, raw_queue: str) -> str:
        """Our name of a queue of theirs (`map`)."""
        return self._source.map.get(raw_queue, raw_queue)

    # --- entering a queue ---

    def joined(self, frame: Frame, at_ms: int) -> bool:
        contact, raw_queue = self._contact(frame), name_of(frame, "Queue")
        if contact is None:
            return False
        if any(_is_same_join(visit, raw_queue, at_ms) for visit in contact.visits):
            return True
        visit = self.contacts.last_visit(contact.channel, raw_queue)
        if visit is None or visit.is_told or not visit.is_waiting:
            self._leave_behind(contact, at_ms)
            visit = self.contacts.add_visit(contact, raw_queue, self.ours(raw_queue))
        contact.hung_ms = None
        visit.entered_ms, visit.is_inferred = at_ms, False
        self.tell(visit)
        return True

    def tell(self, visit: Visit) -> None:
        """Says that the contact exists and entered, once, when the instant is known."""
        contact = self.contacts.open(visit.channel)
        if visit.entered_ms is None or visit.is_told:
            return
        if not contact.is_told:
            contact.is_told = True
            self._facts.created(
                contact.name,
                visit.entered_ms,
                channel=Channel.PHONE,
                customer=contact.customer,
                inferred=visit.is_inferred,
            )
        visit.is_told = True
        self._facts.entered(visit, visit.entered_ms, inferred=visit.is_inferred)

    def _leave_behind(self, contact: Contact, at_ms: int) -> None:
        """Who enters a queue lives, and has left every other."""
        for visit in contact.visits:
            if not visit.is_waiting:
                continue
            if visit.abandon_ms is not None:
                self._settle(visit, Outcome.TIMEOUT)
            elif visit.leave_ms is not None:
                self._settle(visit, Outcome.KEY)
            else:
                visit.leave_ms = at_ms
                self._settle(visit, Outcome.UNKNOWN)

    def seen_waiting(self, frame: Frame, at_ms: int, *, is_timed: bool) -> Visit | None:
        """A QueueEntry of a snapshot: the visit, which is told `GRACE_MS` later if no Join tells it better.

        Asterisk writes events that happened during a snapshot behind it. `Wait` is in whole seconds. Who
        has waited for too short a time left and came back unseen; only when the clock is known
        (`is_timed`).
        """
        contact, raw_queue = self._contact(frame), name_of(frame, "Queue")
        wait_s = whole(frame, "Wait")
        if contact is None or wait_s is None:
            return None
        entered_ms = max(0, at_ms - wait_s * 1000)
        visit = self.contacts.last_visit(contact.channel, raw_queue)
        if visit is not None and is_timed and entered_ms - (visit.entered_ms or entered_ms) > WAIT_ERROR_MS:
            self._leave_behind(contact, entered_ms)
        if visit is None or not visit.is_waiting:
            visit = self.contacts.add_visit(contact, raw_queue, self.ours(raw_queue))
        if visit.entered_ms is None:
            visit.entered_ms, visit.is_inferred = entered_ms, True
            self._timers.at(at_ms + GRACE_MS, lambda _: self.tell(visit))
        visit.is_lost = False
        return visit

    # --- ringing ---

    def called(self, frame: Frame, at_ms: int) -> bool:
        visit, member = self._visit(frame, at_ms), member_of(frame)
        if visit is None or member is None:
            return False
        leg = _leg(frame, member.interface, at_ms)
        if not visit.is_waiting or leg in visit.attempts or leg in visit.closed_attempts:
            return True
        self._before_anything_else(visit)
        for attempt in _of_agent(visit, member.name, member.interface):
            self._end_offer(visit, attempt, at_ms, reason=OfferEnd.CANCELLED)
        attempt = visit.attempts[leg] = Attempt(leg, member.name, member.interface)
        self.contacts.add_leg(leg, visit)
        self._link(leg, name_of(frame, "DestLinkedid"))
        self._facts.offered(visit, at_ms, agent=attempt.agent, attempt=attempt.leg)
        self._agents.ring(member.name, leg)
        return True

    def not_answered(self, frame: Frame, at_ms: int) -> bool:
        visit, member = self._visit(frame, at_ms), member_of(frame)
        if visit is None or member is None:
            return False
        leg = _leg(frame, member.interface, at_ms)
        if leg in visit.closed_attempts:
            return True
        attempt = visit.attempts.get(leg) or next(
            iter(_of_agent(visit, member.name, member.interface)),
            Attempt(leg, member.name, member.interface),
        )
        self._before_anything_else(visit)
        self._facts.no_answer(visit, at_ms, agent=attempt.agent, attempt=attempt.leg)
        self._close(visit, attempt)
        return True

    def dumped(self, frame: Frame, at_ms: int) -> bool:
        """The agent hung up during the announcement: the caller is back in the queue."""
        visit, member = self._visit(frame, at_ms), member_of(frame)
        if visit is None or member is None:
            return False
        for attempt in _of_agent(visit, member.name, member.interface):
            self._end_offer(visit, attempt, at_ms, reason=OfferEnd.CANCELLED)
        if visit.is_waiting:
            visit.leave_ms = None
        return True

    def _end_offer(self, visit: Visit, attempt: Attempt, at_ms: int, *, reason: OfferEnd) -> None:
        gone_ms = attempt.gone_ms if attempt.gone_ms is not None else at_ms
        self._facts.offer_ended(  # Asterisk says nothing when an attempt ends so: it is always derived
            visit,
            min(gone_ms, at_ms),
            agent=attempt.agent,
            attempt=attempt.leg,
            reason=reason,
            inferred=True,
        )
        self._close(visit, attempt)

    def _close(self, visit: Visit, attempt: Attempt) -> None:
        visit.attempts.pop(attempt.leg, None)
        visit.closed_attempts.add(attempt.leg)
        self._agents.stop_ringing(attempt.agent, attempt.leg)

    def ring_no_more(self, idle: Set[tuple[str, str]], at_ms: int) -> None:
        """A snapshot shows these (agent, phone) idle: attempts from before it have ended unheard."""
        agents = {agent for agent, _ in idle}
        for visit in self.contacts.waiting():
            for attempt in list(visit.attempts.values()):
                is_at_any = attempt.interface is None and attempt.agent in agents
                if is_at_any or (attempt.agent, attempt.interface) in idle:
                    self._end_offer(visit, attempt, at_ms, reason=OfferEnd.CANCELLED)

    # --- leaving a queue ---

    def left(self, frame: Frame, at_ms: int) -> bool:
        visit = self._visit(frame, at_ms)
        if visit is None:
            return False
        if visit.is_waiting and visit.leave_ms is None:
            self._before_anything_else(visit)
            visit.leave_ms = at_ms
            self._look(visit)
            self._timers.at(at_ms + GRACE_MS, partial(self._decide, visit))
        return True

    def abandoned(self, frame: Frame, at_ms: int) -> bool:
        """Sent on time-out, leave-when-empty and withdraw too: the outcome is told with Leave."""
        visit = self._visit(frame, at_ms)
        if visit is None:
            return False
        if visit.is_waiting and visit.abandon_ms is None:
            self._infer_entered(visit, at_ms, whole(frame, "HoldTime"))
            visit.abandon_ms = at_ms
            self._timers.at(at_ms + GRACE_MS, partial(self._decide, visit))
        return True

    def _look(self, visit: Visit) -> None:
        contact = self.contacts.open(visit.channel)
        if contact.hung_ms is not None and visit.leave_ms is not None and visit.abandon_ms is not None:
            self._settle(visit, Outcome.ABANDONED)

    def _decide(self, visit: Visit, now_ms: int) -> None:
        """`GRACE_MS` after Leave: who lives was not abandoned. A leg still up may yet be connected."""
        held_ms = visit.leave_ms if visit.leave_ms is not None else visit.abandon_ms
        if not visit.is_waiting or held_ms is None or now_ms < held_ms + GRACE_MS:
            return
        is_hung_up = self.contacts.open(visit.channel).hung_ms is not None
        if is_hung_up or (visit.is_cut_off and visit.abandon_ms is not None):
            self._settle(visit, Outcome.ABANDONED)
        elif visit.is_cut_off:
            self._settle(visit, Outcome.UNKNOWN)
        elif visit.abandon_ms is not None:
            self._settle(visit, Outcome.TIMEOUT)
        elif now_ms >= held_ms + CONNECTING_MS or all(
            attempt.gone_ms is not None for attempt in visit.attempts.values()
        ):
            self._settle(visit, Outcome.KEY)
        else:
            self._timers.at(held_ms + CONNECTING_MS, partial(self._decide, visit))

    def _settle(self, visit: Visit, outcome: Outcome) -> None:
        at_ms = visit.leave_ms if visit.leave_ms is not None else visit.abandon_ms
        assert at_ms is not None
        self._before_anything_else(visit)
        visit.outcome = outcome
        self._facts.left(
            visit, at_ms, outcome=outcome, agent=visit.agent, inferred=outcome is Outcome.UNKNOWN
        )
        reason = OfferEnd.CALLER_LEFT if outcome is Outcome.ABANDONED else OfferEnd.CANCELLED
        for attempt in list(visit.attempts.values()):
            self._end_offer(visit, attempt, at_ms, reason=reason)

    def cut_off(self) -> None:
        """The line was lost: that no Hangup was heard proves nothing for what is held."""
        self.contacts.forget_channels()
        for visit in self.contacts.waiting():
            visit.is_cut_off = visit.leave_ms is not None or visit.abandon_ms is not None

    def lose(self, visit: Visit, at_ms: int) -> None:
        """Absent from a snapshot: unknown, unless a frame tells more later. SOURCES.md §1.4."""
        if (
            not visit.is_waiting
            or visit.is_lost
            or visit.leave_ms is not None
            or visit.abandon_ms is not None
        ):
            return
        visit.is_lost = True
        self.tell(visit)
        self._facts.left(visit, at_ms, outcome=Outcome.UNKNOWN, agent=visit.agent, inferred=True)
        for attempt in list(visit.attempts.values()):
            self._end_offer(visit, attempt, at_ms, reason=OfferEnd.CANCELLED)
        self.contacts.end(self.contacts.open(visit.channel))

    # --- talking ---

    def connected(self, frame: Frame, at_ms: int) -> bool:
        visit, member = self._visit(frame, at_ms), member_of(frame)
        if visit is None or member is None:
            return False
        if visit.accepted_ms is None:
            self._infer_entered(visit, at_ms, whole(frame, "HoldTime", "Holdtime"))
            self._accept(visit, at_ms, agent=member.name, interface=member.interface, inferred=False)
        return True

    def _accept(self, visit: Visit, at_ms: int, *, agent: str, interface: str, inferred: bool) -> None:
        self._before_anything_else(visit)
        visit.accepted_ms, visit.agent, visit.interface = at_ms, agent, interface
        visit.outcome = Outcome.ANSWERED
        left_ms = visit.leave_ms if visit.leave_ms is not None else at_ms
        self._facts.left(visit, left_ms, outcome=Outcome.ANSWERED, agent=agent, inferred=inferred)
        self._facts.accepted(visit, at_ms, agent=agent, inferred=inferred)
        self.talks.begin(visit, at_ms, agent=agent)
        for attempt in list(visit.attempts.values()):
            if attempt.agent == agent:
                self._close(visit, attempt)
            else:
                self._end_offer(visit, attempt, at_ms, reason=OfferEnd.LOST_RACE)

    def completed(self, frame: Frame, at_ms: int) -> bool:
        """May come without any channel, or with another one than Connect: the member's open call counts."""
        member = member_of(frame)
        if member is None:
            return False
        by = _BY.get(frame.get("Reason"))
        channel = name_of(frame, "Uniqueid")
        open_calls = [
            visit for visit in self.talks.of(member.name, member.interface) if visit.raw_queue == member.queue
        ]
        if open_calls:
            talked_ms = (whole(frame, "TalkTime") or 0) * 1000
            best = min(open_calls, key=lambda v: (v.channel != channel, abs(_talked(v, at_ms) - talked_ms)))
            best.interface = member.interface
            self.talks.end(best, at_ms, by=by)
            return True
        return self._completed_unseen(frame, at_ms, by=by)

    def _completed_unseen(self, frame: Frame, at_ms: int, *, by: EndedBy | None) -> bool:
        """The end of a call whose Connect was not heard: all of it, from the durations told."""
        visit, member = self._visit(frame, at_ms), member_of(frame)
        talk_s = whole(frame, "TalkTime")
        if member is None or talk_s is None:
            return False
        if visit is None or visit.accepted_ms is not None:
            return True  # told before, or a call that nothing names
        accepted_ms = max(0, at_ms - talk_s * 1000)
        self._infer_entered(visit, accepted_ms, whole(frame, "HoldTime"))
        if visit.entered_ms is not None:
            accepted_ms = max(accepted_ms, visit.entered_ms)
        self._accept(visit, accepted_ms, agent=member.name, interface=member.interface, inferred=True)
        self.talks.end(visit, at_ms, by=by)
        return True

    # --- channels ---

    def channel_seen(self, frame: Frame, _at_ms: int) -> bool:
        channel = name_of(frame, "Uniqueid")
        self._link(channel, name_of(frame, "Linkedid"))
        return bool(channel)

    def hangup_requested(self, frame: Frame, at_ms: int) -> bool:
        """A channel that was asked to hang up does not live on, however long its last steps take."""
        contact = self.contacts.get(name_of(frame, "Uniqueid"))
        if contact is not None and contact.hung_ms is None:
            contact.hung_ms = at_ms
            for visit in contact.visits:
                if visit.is_waiting:
                    self._look(visit)
        return True

    def hung_up(self, frame: Frame, at_ms: int) -> bool:
        channel = name_of(frame, "Uniqueid")
        if not channel:
            return False
        contact = self.contacts.get(channel)
        if contact is not None:
            self._hung_up_in_queue(contact, at_ms)
        visit = self.contacts.visit_of_leg(channel)
        if visit is not None:
            self._leg_is_gone(visit, channel, at_ms)
        for over in self.contacts.remove_channel(channel, name_of(frame, "Linkedid")):
            self.end(over, at_ms)
        return True

    def _hung_up_in_queue(self, contact: Contact, at_ms: int) -> None:
        contact.hung_ms = contact.hung_ms if contact.hung_ms is not None else at_ms
        for visit in contact.visits:
            if not visit.is_waiting or visit.is_lost:
                continue
            if visit.leave_ms is None and visit.abandon_ms is None:
                visit.leave_ms = at_ms
                self._settle(visit, Outcome.UNKNOWN)
            else:
                self._settle(visit, Outcome.ABANDONED)

    def _leg_is_gone(self, visit: Visit, leg: str, at_ms: int) -> None:
        """The phone rings no more; why, a frame within `GRACE_MS` says, or nobody."""
        attempt = visit.attempts.get(leg)
        if attempt is None:
            return
        attempt.gone_ms = at_ms
        self._agents.stop_ringing(attempt.agent, leg)
        self._timers.at(at_ms + GRACE_MS, partial(self._give_up, visit, attempt))

    def _give_up(self, visit: Visit, attempt: Attempt, now_ms: int) -> None:
        if attempt.leg in visit.attempts:
            self._end_offer(visit, attempt, now_ms, reason=OfferEnd.CANCELLED)
        self._decide(visit, now_ms)

    def end(self, contact: Contact, at_ms: int, *, inferred: bool = False) -> None:
        """The contact is over. A talk that nobody ends within `LATE_COMPLETE_MS` ended with it."""
        if contact.is_ended:
            return
        contact.is_ended = True
        self._facts.ended(contact.name, at_ms, inferred=inferred)
        self.contacts.end(contact)
        for visit in contact.visits:
            if visit.is_talking:
                self.end_late(visit, at_ms)

    def end_late(self, visit: Visit, ended_ms: int) -> None:
        """A talk whose contact is over ended with it, unless its AgentComplete still comes."""
        self._timers.at(ended_ms + LATE_COMPLETE_MS, partial(self._end_untold, visit, ended_ms))

    def _end_untold(self, visit: Visit, ended_ms: int, _now_ms: int) -> None:
        self.talks.end(visit, ended_ms, by=None, inferred=True)

    def lose_before(self, boot_ms: int) -> None:
        """Asterisk started at `boot_ms`: calls from before it ended with it, nobody knows how."""
        for contact in self.contacts.all():
            starts = [visit.entered_ms or visit.accepted_ms or 0 for visit in contact.visits]
            if contact.is_ended or not starts or max(starts) >= boot_ms:
                continue
            for visit in contact.visits:
                self.lose(visit, boot_ms)
                self.talks.end(visit, max(boot_ms, visit.accepted_ms or 0), by=None, inferred=True)
            self.end(contact, boot_ms, inferred=True)

    # --- finding out what a frame is about ---

    def _contact(self, frame: Frame) -> Contact | None:
        """The contact of a queue's event; None when caller or queue is not named."""
        channel = name_of(frame, "Uniqueid")
        if not channel or not name_of(frame, "Queue"):
            return None
        contact = self.contacts.open(channel)
        number = caller_number(frame)
        if contact.customer is None and number is not None:
            contact.customer = self._pseudonyms.of(number)
        self._link(channel, name_of(frame, "Linkedid"))
        return contact

    def _visit(self, frame: Frame, at_ms: int) -> Visit | None:
        """The contact's visit to the queue at that instant; one without a known start when none was seen."""
        contact, raw_queue = self._contact(frame), name_of(frame, "Queue")
        if contact is None:
            return None
        visit = self.contacts.visit_at(contact.channel, raw_queue, at_ms)
        return visit or self.contacts.add_visit(contact, raw_queue, self.ours(raw_queue))

    def _link(self, channel: str, linked: str) -> None:
        contact = self.contacts.get(channel)
        if not channel or not linked or (contact is not None and contact.is_gone):
            return
        self.contacts.add_channel(channel, linked)
        if contact is not None:
            self.contacts.link(contact, linked)

    def _infer_entered(self, visit: Visit, at_ms: int, hold_s: int | None) -> None:
        if visit.entered_ms is None and hold_s is not None:
            visit.entered_ms, visit.is_inferred = max(0, at_ms - hold_s * 1000), True
        self.tell(visit)

    def _before_anything_else(self, visit: Visit) -> None:
        """A start that a snapshot showed is told before what follows it."""
        visit.is_lost = False
        self.tell(visit)


def _is_same_join(visit: Visit, raw_queue: str, at_ms: int) -> bool:
    """Told before by a frame, or by a snapshot whose `Wait` was cut to whole seconds.

    Who had left by then has come back, however soon.
    """
    if visit.raw_queue != raw_queue or visit.entered_ms is None or not visit.is_told:
        return False
    left = (visit.leave_ms, visit.abandon_ms, visit.accepted_ms)
    if visit.entered_ms < at_ms and any(each is not None and each <= at_ms for each in left):
        return False
    return abs(visit.entered_ms - at_ms) < (3 * SAME_INSTANT_MS if visit.is_inferred else SAME_INSTANT_MS)


def _talked(visit: Visit, at_ms: int) -> int:
    return at_ms - (visit.accepted_ms or 0)


def _leg(frame: Frame, interface: str, at_ms: int) -> str:
    """The agent's leg names an attempt; without one, phone and second do."""
    return (
        name_of(frame, "DestUniqueid", "DestChannel", "DestinationChannel") or f"{interface}@{at_ms // 1000}"
    )


def _of_agent(visit: Visit, agent: str, interface: str) -> list[Attempt]:
    return [each for each in visit.attempts.values() if _is_of(each, agent, interface)]


def _is_of(attempt: Attempt, agent: str, interface: str) -> bool:
    return attempt.agent == agent and attempt.interface in (interface, None)
