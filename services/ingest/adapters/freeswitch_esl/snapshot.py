"""A snapshot against what is believed: what was missed is told as inferred. Pure.

FreeSWITCH writes events that happened before or during a snapshot behind its answers, so what it contradicts
is held for `GRACE_MS`.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from msgspec import Struct

from services.ingest.adapters.freeswitch_esl.agents import IN_CALL, RINGING, Agents, wrap_up_ends_ms
from services.ingest.adapters.freeswitch_esl.calls import GRACE_MS, Calls
from services.ingest.adapters.freeswitch_esl.survey import ABANDONED, ANSWERED, WAITING_STATES, Snapshot
from services.ingest.adapters.freeswitch_esl.visits import Answer, Contact, Visit
from services.ingest.adapters.freeswitch_esl.wire import Row, cell_ms
from services.ingest.names import fit
from services.ingest.timers import Timers

SETTLING_MS = 2_000
"""Longer than a member may be between his start and his row, or a row and its event."""


class Rest(Struct, frozen=True):
    """What a snapshot leaves: how many zombies wait, by queue; whether it came too soon to say all."""

    zombies: dict[str, int]
    is_unsettled: bool


def reconcile(snapshot: Snapshot, now_ms: int, *, calls: Calls, agents: Agents, timers: Timers) -> Rest:
    """Takes over agents and members as the snapshot shows them."""
    reconciling = _Reconciling(snapshot, now_ms, calls=calls, agents=agents, timers=timers)
    reconciling.run()
    dead = (
        queue
        for queue, row in snapshot.rows()
        if row.get("state") in WAITING_STATES and not _lives(snapshot, row)
    )
    return Rest(Counter(dead), reconciling.is_unsettled)


class _Reconciling:
    """One snapshot at work. `here`: the visits that it shows in a queue or a talk."""

    def __init__(
        self, snapshot: Snapshot, now_ms: int, *, calls: Calls, agents: Agents, timers: Timers
    ) -> None:
        self._snapshot = snapshot
        self._now_ms = now_ms
        self._calls = calls
        self._agents = agents
        self._timers = timers
        self._rows = {fit(row.get("name", "")): row for row in snapshot.agents or ()}
        self.is_unsettled = False
        self._here: set[int] = set()
        self._left_ms: dict[str, int] = {}

    def run(self) -> None:
        if self._snapshot.agents is not None:
            self._agents.replace(self._snapshot.agents, self._snapshot.tiers)
        for queue, row in self._snapshot.rows():
            self._member(fit(queue), row)
        for visit in self._doubtful():
            self._timers.at(self._now_ms + GRACE_MS, partial(self._is_gone, visit))
        for contact in self._calls.contacts.all():
            if not contact.is_ended and not self._snapshot.is_alive(contact.channel):
                self._timers.at(self._now_ms + GRACE_MS, partial(self._end, contact))
        for name, row in self._rows.items():
            self._agent(name, row)

    def _member(self, queue: str, row: Row) -> None:
        state, member = row.get("state", ""), fit(row.get("uuid", ""))
        if state == ABANDONED:
            self._left_ms[member] = cell_ms(row, "abandoned_epoch") or self._now_ms
        entered_ms = cell_ms(row, "rejoined_epoch") or cell_ms(row, "joined_epoch")
        channel = fit(row.get("session_uuid", ""))
        is_in = state in WAITING_STATES or state == ANSWERED
        if not (is_in and member and channel and entered_ms is not None and _lives(self._snapshot, row)):
            return
        visit = self._visit(queue, member, channel, min(entered_ms, self._now_ms))
        self._here.add(id(visit))
        self._calls.entries.learn_customer(self._calls.contacts.open(channel), row.get("cid_number", ""))
        if visit.is_waiting:
            self._timers.at(self._now_ms + GRACE_MS, partial(self._is_in, visit, row))

    def _visit(self, queue: str, member: str, channel: str, entered_ms: int) -> Visit:
        contacts = self._calls.contacts
        visit = contacts.of_member(member, channel)
        if visit is not None and not visit.is_waiting and entered_ms - (visit.over_ms or 0) > SETTLING_MS:
            visit = None  # left, and came back unseen
        if visit is None:
            visit = contacts.add_visit(contacts.open(channel), queue, member)
        if visit.entered_ms is None:
            visit.entered_ms, visit.is_inferred = entered_ms, True
        visit.is_lost = False
        return visit

    def _is_in(self, visit: Visit, row: Row, _now_ms: int) -> None:
        """No event has told it better meanwhile."""
        self._calls.entries.tell(visit)
        agent, bridged_ms = fit(row.get("serving_agent", "")), cell_ms(row, "bridge_epoch")
        if row.get("state") != ANSWERED or not visit.is_waiting or not agent or bridged_ms is None:
            return
        at_ms = min(max(bridged_ms, visit.entered_ms or 0), self._now_ms)
        leg = fit(self._rows.get(agent, {}).get("uuid", ""))
        self._calls.answers.accept(visit, visit.answer or Answer(agent, at_ms, leg, is_inferred=True))

    def _doubtful(self) -> Iterator[Visit]:
        """Believed to be in a queue or a talk, and not shown there."""
        for visit in [*self._calls.contacts.waiting(), *self._calls.talks.all()]:
            began_ms = visit.accepted_ms or visit.entered_ms or 0
            is_covered = self._snapshot.covers(visit.raw_queue)
            if not is_covered or id(visit) in self._here or visit.is_lost or visit.leave_ms is not None:
                continue
            if began_ms < self._now_ms - SETTLING_MS:
                yield visit
            else:
                self.is_unsettled = True

    def _is_gone(self, visit: Visit, _now_ms: int) -> None:
        if visit.is_talking:
            self._calls.talks.end(visit, self._talk_ended_ms(visit), by=None, inferred=True)
        elif visit.is_waiting:
            left_ms = self._left_ms.get(visit.member, self._now_ms)
            self._calls.lose(visit, min(max(left_ms, visit.entered_ms or 0), self._now_ms))

    def _talk_ended_ms(self, visit: Visit) -> int:
        """When the agent's last call ended, if this was it."""
        row = self._rows.get(visit.agent or "", {})
        ended_ms, accepted_ms = cell_ms(row, "last_bridge_end"), visit.accepted_ms or 0
        if row.get("state") != IN_CALL and ended_ms is not None and ended_ms >= accepted_ms - 999:
            return min(max(ended_ms, accepted_ms), self._now_ms)
        return max(self._now_ms, accepted_ms)

    def _end(self, contact: Contact, _now_ms: int) -> None:
        if not contact.is_ended:
            for visit in contact.visits:
                self._calls.lose(visit, self._now_ms)
            last_ms = max((visit.over_ms or 0 for visit in contact.visits), default=0)
            self._calls.end(contact, max(self._now_ms, last_ms), inferred=True)

    def _agent(self, name: str, row: Row) -> None:
        if row.get("state") not in RINGING and row.get("state") != IN_CALL:
            self._calls.offers.stopped(name, self._now_ms, held_ms=GRACE_MS)
        ends_ms = wrap_up_ends_ms(row)
        if ends_ms is not None:
            self._calls.talks.rest(name, self._now_ms, ends_ms)


def _lives(snapshot: Snapshot, row: Row) -> bool:
    return snapshot.is_alive(row.get("session_uuid", ""))
