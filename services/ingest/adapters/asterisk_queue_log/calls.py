"""What each line means for the call that it is about. Pure.

Rules and traps: SOURCES.md §3. Every handler does nothing on a repeat, and answers what is wrong with the
line, or None. A line of a call whose beginning was not seen tells the beginning too, from the durations
that it names, as inferred.
"""

from functools import partial

from schemas.config import SourceConfig
from schemas.vocabulary import Channel, EndedBy, OfferEnd, Outcome, TransferKind
from services.ingest.adapters.asterisk_queue_log.agents import Agents
from services.ingest.adapters.asterisk_queue_log.lines import Line
from services.ingest.adapters.asterisk_queue_log.visits import Known, Visit, Visits
from services.ingest.facts import Facts, Spot
from services.ingest.names import fit
from services.ingest.timers import Timers
from services.ingest.translated import Pseudonyms

NO_NUMBER = frozenset({"", "<unknown>", "unknown", "anonymous"})
ENTER_PARAMETERS = (3, 4)
"""Url, number, position, and the caller's name where `log-caller-id-name` is set. With a bar in the url the
position is elsewhere, and then nobody knows which is the number."""
MAX_POSITION = 9_999


class Calls:
    """All calls of one source. `agents` None: another source tells how they stand, and who rings."""

    def __init__(
        self,
        source: SourceConfig,
        pseudonyms: Pseudonyms,
        *,
        facts: Facts,
        timers: Timers,
        agents: Agents | None,
        known: Known | None = None,
    ) -> None:
        self.visits = Visits(source.system, known)
        self._source = source
        self._pseudonyms = pseudonyms
        self._facts = facts
        self._timers = timers
        self._agents = agents
        for visit in self.visits.all():
            if visit.wrap_ends_ms is not None:
                self._timers.at(visit.wrap_ends_ms, partial(self._wrap_is_over, visit))

    # --- entering a queue ---

    def entered(self, line: Line) -> str | None:
        if not line.callid or not line.queue:
            return "callid or queue is missing"
        waiting = [visit for visit in self.visits.of(line.callid) if visit.is_waiting]
        if any(visit.raw_queue == line.queue and visit.entered_ms == line.at_ms for visit in waiting):
            return None
        for visit in waiting:  # who enters a queue has left every other
            self._leave(visit, line.at_ms, Outcome.UNKNOWN)
        self._enter(line, line.at_ms)
        return None

    def refused(self, line: Line, outcome: Outcome) -> str | None:
        """The call was not let into the queue: a visit of no length, once, however often it was tried."""
        if not line.callid or not line.queue:
            return "callid or queue is missing"
        if self.visits.has_joined(line.callid, line.queue):
            return None  # it was in the queue, and its end is told by another line
        contact = self.visits.contact(line.callid)
        place = Spot(contact, fit(f"{contact}/{line.queue}/{line.event}"), self._ours(line.queue))
        self._facts.created(contact, line.at_ms, channel=Channel.PHONE)
        self._facts.entered(place, line.at_ms)
        self._facts.left(place, line.at_ms, outcome=outcome)
        return None

    def _enter(self, line: Line, at_ms: int | None, *, inferred: bool = False) -> Visit:
        """Another visit, told once it is known since when. `at_ms` None: it is not."""
        is_first = not self.visits.is_known(line.callid)
        visit = self.visits.add(line.callid, line.queue, self._ours(line.queue), line.at_ms)
        visit.entered_ms = at_ms
        if at_ms is None:
            return visit
        if is_first:
            self._facts.created(
                visit.contact,
                at_ms,
                channel=Channel.PHONE,
                customer=None if inferred else self._customer(line),
                inferred=inferred,
            )
        self._facts.entered(visit, at_ms, inferred=inferred)
        return visit

    def _customer(self, line: Line) -> str | None:
        number = line.text(1).strip()
        is_whole = len(line.parameters) in ENTER_PARAMETERS and 0 <= (line.whole(2) or -1) <= MAX_POSITION
        return self._pseudonyms.of(number) if is_whole and number.lower() not in NO_NUMBER else None

    # --- ringing ---

    def not_answered(self, line: Line) -> str | None:
        return self._rung(line, None)

    def canceled(self, line: Line) -> str | None:
        """The caller hung up, or pressed a key to leave."""
        return self._rung(line, OfferEnd.CALLER_LEFT)

    def dumped(self, line: Line) -> str | None:
        """The agent hung up before he spoke, or both cannot hear each other: it was not answered."""
        return self._rung(line, OfferEnd.CANCELLED)

    def _rung(self, line: Line, reason: OfferEnd | None) -> str | None:
        """An attempt is over; `reason` None: nobody answered. It is told whole, with its beginning."""
        if not line.callid or not line.queue or not line.agent:
            return "callid, queue or agent is missing"
        if self._agents is None:
            return None
        ring_ms = line.whole(0)
        visit = self._waiting(line)
        if visit is not None:
            attempt = f"{line.agent}@{line.at_ms // 1000}"
            self._offer(visit, line, ring_ms, attempt)
            if reason is None:
                self._facts.no_answer(visit, line.at_ms, agent=line.agent, attempt=attempt)
            else:
                self._facts.offer_ended(visit, line.at_ms, agent=line.agent, attempt=attempt, reason=reason)
        self._agents.member(line.agent, line.queue)
        self._agents.rang(line.agent, line.at_ms, ring_ms or 0)
        return None

    def _offer(self, visit: Visit, line: Line, ring_ms: int | None, attempt: str) -> None:
        if ring_ms is not None:
            start_ms = max(line.at_ms - ring_ms, min(visit.entered_ms or 0, line.at_ms))
            self._facts.offered(visit, start_ms, agent=line.agent, attempt=attempt, inferred=True)

    # --- leaving a queue ---

    def left(self, line: Line, outcome: Outcome, wait_at: int) -> str | None:
        """`wait_at`: which parameter is the wait in seconds."""
        if not line.callid or not line.queue:
            return "callid or queue is missing"
        visit = self._waiting(line)
        if visit is None and not self.visits.has_joined(line.callid, line.queue):
            visit = self._enter(line, _before(line.at_ms, line.whole(wait_at)), inferred=True)
        if visit is not None:
            self._leave(visit, line.at_ms, outcome)
        return None

    def _leave(self, visit: Visit, at_ms: int, outcome: Outcome) -> None:
        self._facts.left(visit, at_ms, outcome=outcome, inferred=outcome is Outcome.UNKNOWN)
        self.visits.close(visit, at_ms)

    def restarted(self, at_ms: int) -> None:
        """Asterisk started: whatever was in hand before is over, in a way nobody knows."""
        for visit in self.visits.all():
            if visit.is_waiting:
                self._leave(visit, at_ms, Outcome.UNKNOWN)
            elif visit.is_talking:
                visit.talk_ended_ms = at_ms
                self._facts.talk_ended(visit, at_ms, agent=visit.agent, inferred=True)
                self.visits.close(visit, at_ms)
            else:
                self._end_wrap(visit, at_ms)

    # --- talking ---

    def connected(self, line: Line) -> str | None:
        if not line.callid or not line.queue or not line.agent:
            return "callid, queue or agent is missing"
        visit = self._waiting(line)
        if visit is None:
            if self.visits.has_joined(line.callid, line.queue):
                return None
            visit = self._enter(line, _before(line.at_ms, line.whole(0)), inferred=True)
        ring_s = line.whole(2)
        if self._agents is not None:
            ring_ms = ring_s * 1000 if ring_s is not None else None
            self._offer(visit, line, ring_ms, f"{line.agent}@{line.at_ms // 1000}")
            self._agents.member(line.agent, line.queue)
            self._agents.rang(line.agent, line.at_ms, ring_ms or 0)
        self._accept(visit, line.at_ms, line.agent, inferred=False)
        return None

    def _accept(self, visit: Visit, at_ms: int, agent: str, *, inferred: bool) -> None:
        for other in self.visits.all():  # who takes the next call wraps up no more
            if other.agent == agent and other.wrap_ends_ms is not None:
                self._end_wrap(other, at_ms)
        visit.accepted_ms, visit.agent = at_ms, agent
        self._facts.left(visit, at_ms, outcome=Outcome.ANSWERED, agent=agent, inferred=inferred)
        self._facts.accepted(visit, at_ms, agent=agent, inferred=inferred)
        if self._agents is not None:
            self._agents.begin(agent, visit.segment)

    def completed(self, line: Line, by: EndedBy) -> str | None:
        return self._ended(line, by, hold_at=0, talk_at=1)

    def transferred(self, line: Line, kind: TransferKind) -> str | None:
        """The agent's part ends. ATTENDEDTRANSFER has one more parameter where channels are linked."""
        hold_at, talk_at = (2, 3) if kind is TransferKind.BLIND else (-3, -2)
        return self._ended(line, EndedBy.TRANSFER, hold_at=hold_at, talk_at=talk_at, kind=kind)

    def _ended(
        self, line: Line, by: EndedBy, *, hold_at: int, talk_at: int, kind: TransferKind | None = None
    ) -> str | None:
        if not line.callid or not line.queue or not line.agent:
            return "callid, queue or agent is missing"
        visit = self._talking(line) or self._unseen(line, line.whole(hold_at), line.whole(talk_at))
        if visit is None:
            return None  # told before
        if kind is not None:
            self._facts.transfer(visit.contact, line.at_ms, kind=kind, from_queue=visit.queue)
        self._end_talk(visit, line.at_ms, by)
        return None

    def _unseen(self, line: Line, hold_s: int | None, talk_s: int | None) -> Visit | None:
        """The whole call, from its durations; None when it was told."""
        if talk_s is None or self.visits.has_joined(line.callid, line.queue):
            return None
        accepted_ms = max(0, line.at_ms - talk_s * 1000)
        visit = self._enter(line, _before(accepted_ms, hold_s), inferred=True)
        self._accept(visit, accepted_ms, line.agent, inferred=True)
        return visit

    def _end_talk(self, visit: Visit, at_ms: int, by: EndedBy) -> None:
        visit.talk_ended_ms = at_ms
        agent = visit.agent or ""
        self._facts.talk_ended(visit, at_ms, agent=agent, by=by)
        if self._agents is not None:
            self._agents.end(agent, visit.segment)
        wrap_ms = round(self._wrap_up_s(visit) * 1000)
        if wrap_ms <= 0:
            self.visits.close(visit, at_ms)
            return
        self._facts.wrap_start(visit, at_ms, agent=agent)
        visit.wrap_ends_ms = at_ms + wrap_ms
        self._timers.at(visit.wrap_ends_ms, partial(self._wrap_is_over, visit))
        if self._agents is not None:
            self._agents.wrap(agent, visit.segment)

    def _wrap_is_over(self, visit: Visit, now_ms: int) -> None:
        if visit.wrap_ends_ms == now_ms:
            self._end_wrap(visit, now_ms)

    def _end_wrap(self, visit: Visit, at_ms: int) -> None:
        """By its timer, or because the agent takes the next call."""
        visit.wrap_ends_ms = None
        self._facts.wrap_end(visit, at_ms, agent=visit.agent)
        self.visits.close(visit, at_ms)
        if self._agents is not None:
            self._agents.unwrap(visit.agent or "", visit.segment)

    def _wrap_up_s(self, visit: Visit) -> float:
        setting = self._source.wrap_up_s
        if isinstance(setting, dict):
            return setting.get(visit.queue, setting.get(visit.raw_queue, 0.0))
        return setting or 0.0

    # --- finding out what a line is about ---

    def _ours(self, raw_queue: str) -> str:
        return self._source.map.get(raw_queue, raw_queue)

    def _waiting(self, line: Line) -> Visit | None:
        """The call's visit to the queue in which it waits."""
        visits = (visit for visit in reversed(self.visits.of(line.callid)) if visit.is_waiting)
        return next((visit for visit in visits if visit.raw_queue == line.queue), None)

    def _talking(self, line: Line) -> Visit | None:
        """The open talk that the line ends: of its call, else of its agent, because after an attended
        transfer the end may name another channel (SOURCES.md §2).
        """
        own = (v for v in self.visits.of(line.callid) if v.is_talking and v.raw_queue == line.queue)
        of_call = next(own, None)
        if of_call is not None or self.visits.has_joined(line.callid, line.queue):
            return of_call
        talks = [v for v in self.visits.all() if v.is_talking and v.agent == line.agent]
        of_agent = [visit for visit in talks if visit.raw_queue == line.queue]
        return of_agent[0] if len(of_agent) == 1 else None


def _before(at_ms: int, seconds: int | None) -> int | None:
    return max(0, at_ms - seconds * 1000) if seconds is not None else None
