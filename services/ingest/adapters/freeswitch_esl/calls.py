"""The state machine of members: what each event of mod_callcenter means for the visit it is about. Pure.

Rules and traps: SOURCES.md §4, and mod_callcenter.c. Every handler takes the event and its instant, does
nothing on a repeat, and answers whether the event could be used.

A plain hang-up ends as BREAK_OUT, as a break by the dialplan does: that is held until the channel hangs up,
for `GRACE_MS` at most. What agents do is in `answers.py` and `offers.py`.
"""

from functools import partial

from schemas.config import SourceConfig
from schemas.vocabulary import Outcome
from services.ingest.adapters.freeswitch_esl.agents import Agents
from services.ingest.adapters.freeswitch_esl.answers import Answers
from services.ingest.adapters.freeswitch_esl.entries import Entries
from services.ingest.adapters.freeswitch_esl.offers import Offers
from services.ingest.adapters.freeswitch_esl.talks import Talks
from services.ingest.adapters.freeswitch_esl.visits import Contact, Visit
from services.ingest.adapters.freeswitch_esl.wire import Event, name_of, seconds_ms, whole
from services.ingest.facts import Facts
from services.ingest.timers import Timers
from services.ingest.translated import Pseudonyms

GRACE_MS = 1_000
"""A caller whose channel lives this long after BREAK_OUT has not hung up; events are not later than that."""
LATE_END_MS = 5_000
"""bridge-agent-end follows the caller's hang-up within 0.1 s."""

CANCELLED = {
    "TIMEOUT": Outcome.TIMEOUT,
    "NO_AGENT_TIMEOUT": Outcome.EMPTY,
    "EXIT_WITH_KEY": Outcome.KEY,
}
"""CC-Cancel-Reason → ours; the others (BREAK_OUT, NONE) need the channel."""


class Calls:
    """All members of one source."""

    def __init__(
        self, source: SourceConfig, pseudonyms: Pseudonyms, *, facts: Facts, timers: Timers, agents: Agents
    ) -> None:
        self._facts = facts
        self._timers = timers
        self.entries = Entries(source, pseudonyms, facts)
        self.contacts = self.entries.contacts
        self.offers = Offers(facts=facts, timers=timers)
        self.talks = Talks(source, self.contacts, facts=facts, timers=timers, agents=agents)
        self.answers = Answers(self.entries, offers=self.offers, talks=self.talks, facts=facts, timers=timers)

    # --- entering a queue ---

    def started(self, event: Event, at_ms: int) -> bool:
        """member-queue-start, and -resume: who came back to the place that he had."""
        visit = self.entries.visit(event)
        if visit is None:
            return False
        contact = self.contacts.open(visit.channel)
        if visit.over_ms is not None and at_ms > visit.over_ms:
            visit = self.contacts.add_visit(contact, visit.raw_queue, visit.member)
        if not visit.is_told:
            self._leave_behind(contact, visit, at_ms)
            visit.entered_ms, visit.is_inferred = at_ms, False
            self.entries.tell(visit)
        return True

    def _leave_behind(self, contact: Contact, entered: Visit, at_ms: int) -> None:
        """Who enters a queue lives, and has left every other: for this one, if he was just let go there."""
        for visit in contact.visits:
            if visit is entered or not visit.is_waiting:
                continue
            is_moved = visit.leave_ms is not None and not visit.is_cut_off
            self.settle(visit, Outcome.TRANSFERRED if is_moved else Outcome.UNKNOWN, at_ms)

    # --- ringing ---

    def offered(self, event: Event, at_ms: int) -> bool:
        """May come before the start of the visit."""
        visit, agent = self.entries.visit(event), name_of(event, "CC-Agent")
        if visit is None or not agent:
            return False
        if visit.is_unbridged:
            visit = self.answers.wait_again(visit, at_ms)
        self.entries.tell(visit)
        self.offers.begin(visit, agent, at_ms)
        return True

    def not_bridged(self, event: Event, at_ms: int) -> bool:
        """bridge-agent-fail: the agent's phone rang in vain."""
        visit, agent = self.entries.visit(event), name_of(event, "CC-Agent")
        if visit is None or not agent:
            return False
        self.entries.infer_entered(visit, seconds_ms(event, "CC-Member-Joined-Time"))
        called_ms = seconds_ms(event, "CC-Agent-Called-Time")
        self.offers.fail(visit, agent, at_ms, cause=event.get("CC-Hangup-Cause"), called_ms=called_ms)
        return True

    # --- leaving a queue ---

    def ended(self, event: Event, at_ms: int) -> bool:
        """member-queue-end: Terminated, the agent's part is over; Cancel, with a reason."""
        visit, cause, agent = self.entries.visit(event), event.get("CC-Cause"), name_of(event, "CC-Agent")
        if visit is None or cause not in ("Terminated", "Cancel"):
            return False
        if cause == "Terminated":
            if agent:
                self.answers.accept_unseen(visit, agent, event, at_ms)
            if visit.answer is not None:
                self.answers.accept(visit, visit.answer)
            self.talks.end(visit, at_ms, by=None)
        elif visit.is_waiting and visit.leave_ms is None:
            self._cancel(visit, event, at_ms)
        return True

    def _cancel(self, visit: Visit, event: Event, at_ms: int) -> None:
        visit.answer, visit.is_lost = None, False
        self.entries.infer_entered(visit, seconds_ms(event, "CC-Member-Joined-Time"))
        outcome = CANCELLED.get(event.get("CC-Cancel-Reason"))
        contact = self.contacts.open(visit.channel)
        if outcome is None and (event.get("Answer-State") == "hangup" or contact.hung_ms is not None):
            outcome = Outcome.ABANDONED
        if outcome is not None:
            self.settle(visit, outcome, at_ms)
            return
        visit.leave_ms = at_ms
        self._timers.at(at_ms + GRACE_MS, partial(self._decide, visit))

    def _decide(self, visit: Visit, _now_ms: int) -> None:
        """`GRACE_MS` after BREAK_OUT: who lives was not abandoned."""
        if visit.is_waiting and visit.leave_ms is not None:
            self.settle(visit, Outcome.UNKNOWN if visit.is_cut_off else Outcome.WITHDRAWN, visit.leave_ms)

    def settle(self, visit: Visit, outcome: Outcome, at_ms: int) -> None:
        """The visit is over, so; since it left, where that was heard."""
        left_ms = visit.leave_ms if visit.leave_ms is not None else at_ms
        self.entries.tell(visit)
        visit.answer, visit.outcome, visit.over_ms = None, outcome, left_ms
        self._facts.left(visit, left_ms, outcome=outcome, inferred=outcome is Outcome.UNKNOWN)
        self.offers.settled(visit, left_ms)

    def cut_off(self) -> None:
        """The line was lost: that no hang-up was heard proves nothing for what is held."""
        for visit in self.contacts.waiting():
            visit.is_cut_off = visit.leave_ms is not None

    def lose(self, visit: Visit, at_ms: int) -> None:
        """Absent from a snapshot: unknown, unless an event tells more later. SOURCES.md §1.4."""
        if not visit.is_waiting or visit.is_lost or visit.leave_ms is not None:
            return
        visit.is_lost, visit.answer = True, None
        self.entries.tell(visit)
        if visit.is_told:
            self._facts.left(visit, at_ms, outcome=Outcome.UNKNOWN, inferred=True)
        self.offers.drop(visit, at_ms)

    # --- channels ---

    def hung_up(self, event: Event, at_ms: int) -> bool:
        """CHANNEL_HANGUP_COMPLETE: of a contact's channel, its end."""
        channel = name_of(event, "Unique-ID")
        if not channel:
            return False
        contact = self.contacts.get(channel)
        if contact is None or contact.is_ended:
            return True
        told_us = whole(event, "Caller-Channel-Hangup-Time")
        hung_ms = min(told_us // 1000, at_ms) if told_us else at_ms
        contact.hung_ms = hung_ms
        contact.is_by_customer = event.get("variable_sip_hangup_disposition") == "recv_bye"
        for visit in contact.visits:
            if visit.is_waiting and visit.leave_ms is not None:
                self.settle(visit, Outcome.ABANDONED, hung_ms)
            elif visit.is_waiting:
                self._timers.at(at_ms + GRACE_MS, partial(self._vanish, visit, hung_ms))
        self.end(contact, max(hung_ms, *(visit.over_ms or 0 for visit in contact.visits), 0))
        return True

    def _vanish(self, visit: Visit, hung_ms: int, _now_ms: int) -> None:
        """Hung up, and nobody said why it left the queue: that was missed."""
        if visit.answer is not None:
            self.answers.accept(visit, visit.answer)
        elif visit.is_waiting and not visit.is_lost:
            self.settle(visit, Outcome.UNKNOWN, hung_ms)

    def end(self, contact: Contact, at_ms: int, *, inferred: bool = False) -> None:
        """The contact is over. A talk that nobody ends within `LATE_END_MS` ended with it."""
        if contact.is_ended:
            return
        contact.is_ended = True
        contact.hung_ms = contact.hung_ms if contact.hung_ms is not None else at_ms
        self._facts.ended(contact.name, at_ms, inferred=inferred)
        self.contacts.end(contact)
        for visit in contact.visits:
            self.end_late(visit, at_ms)

    def end_late(self, visit: Visit, ended_ms: int) -> None:
        """A talk whose contact is over ended with it, unless its bridge-agent-end still comes."""
        if visit.is_talking:
            self._timers.at(ended_ms + LATE_END_MS, partial(self._end_untold, visit, ended_ms))

    def _end_untold(self, visit: Visit, ended_ms: int, _now_ms: int) -> None:
        self.talks.end(visit, max(ended_ms, visit.accepted_ms or 0), by=None, inferred=True)

    def lose_before(self, boot_ms: int) -> None:
        """FreeSWITCH started at `boot_ms`: calls from before it ended with it, nobody knows how."""
        for contact in self.contacts.all():
            starts = [visit.accepted_ms or visit.entered_ms or 0 for visit in contact.visits]
            if contact.is_ended or not starts or max(starts) >= boot_ms:
                continue
            for visit in contact.visits:
                visit.leave_ms = None
                self.lose(visit, boot_ms)
                self.talks.end(visit, boot_ms, by=None, inferred=True, has_wrap_up=False)
            self.end(contact, boot_ms, inferred=True)
