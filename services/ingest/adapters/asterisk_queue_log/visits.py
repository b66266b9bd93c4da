"""What is remembered of calls: who waits, who talks, and how often each entered which queue. Pure.

Names are those of AMI of the same Asterisk (asterisk_ami/visits.py): a contact is the channel's Uniqueid
behind the name of its system, a visit is contact/queue/n-th join. All of it can be written down, so that
a restart goes on exactly where the last line that the log has was read. Bounded: `MAX_OPEN`, `MAX_OVER`.
"""

from msgspec import Struct

from services.ingest.adapters.asterisk_ami.visits import contact_of
from services.ingest.names import fit

MAX_OPEN = 20_000
MAX_OVER = 2_000
OPEN_MS = 86_400_000
"""A call of which nothing was written for so long is forgotten."""
OVER_MS = 3_600_000
"""How long it is known of a call that is over which queues it has been in."""


class Visit(Struct, eq=False, kw_only=True):
    """One visit of one call to one queue. `entered_ms` None: it is not known."""

    callid: str
    contact: str
    raw_queue: str
    queue: str
    segment: str
    entered_ms: int | None = None
    agent: str | None = None
    accepted_ms: int | None = None
    talk_ended_ms: int | None = None
    wrap_ends_ms: int | None = None

    @property
    def is_waiting(self) -> bool:
        return self.accepted_ms is None

    @property
    def is_talking(self) -> bool:
        return self.accepted_ms is not None and self.talk_ended_ms is None


class Call(Struct, eq=False, kw_only=True):
    """`joins`: how often it entered each queue. `visits`: those that are not over; with a wrap-up to come
    they are not.
    """

    touched_ms: int
    joins: dict[str, int] = {}
    visits: list[Visit] = []


class Known(Struct, kw_only=True):
    """All calls by callid: those with a visit that goes on, and those without, each by last use."""

    open: dict[str, Call] = {}
    over: dict[str, Call] = {}


class Visits:
    """The calls of one Asterisk."""

    def __init__(self, system: str | None, known: Known | None = None) -> None:
        self.known = known or Known()
        self._system = system

    def contact(self, callid: str) -> str:
        return contact_of(callid, self._system)

    def all(self) -> list[Visit]:
        return [visit for call in self.known.open.values() for visit in call.visits]

    def of(self, callid: str) -> list[Visit]:
        """The visits of a call that are not over."""
        call = self.known.open.get(callid)
        return call.visits if call is not None else []

    def is_known(self, callid: str) -> bool:
        return callid in self.known.open or callid in self.known.over

    def has_joined(self, callid: str, raw_queue: str) -> bool:
        call = self.known.open.get(callid) or self.known.over.get(callid)
        return call is not None and raw_queue in call.joins

    def add(self, callid: str, raw_queue: str, queue: str, at_ms: int) -> Visit:
        """The call's next visit to the queue."""
        call = (
            self.known.open.pop(callid, None) or self.known.over.pop(callid, None) or Call(touched_ms=at_ms)
        )
        self.known.open[callid] = call
        call.touched_ms = at_ms
        number = call.joins[raw_queue] = call.joins.get(raw_queue, 0) + 1
        contact = self.contact(callid)
        segment = fit(f"{contact}/{raw_queue}/{number}")
        visit = Visit(callid=callid, contact=contact, raw_queue=raw_queue, queue=queue, segment=segment)
        call.visits.append(visit)
        _forget(self.known.open, at_ms - OPEN_MS, MAX_OPEN)
        return visit

    def close(self, visit: Visit, at_ms: int) -> None:
        """Nothing more is to come of the visit."""
        call = self.known.open.get(visit.callid)
        if call is None or visit not in call.visits:
            return  # it was forgotten
        call.visits.remove(visit)
        call.touched_ms = max(call.touched_ms, at_ms)
        if not call.visits:
            self.known.over[visit.callid] = self.known.open.pop(visit.callid)
        _forget(self.known.over, at_ms - OVER_MS, MAX_OVER)


def _forget(calls: dict[str, Call], before_ms: int, most: int) -> None:
    """The oldest go, above a number or an age."""
    while calls:
        callid, call = next(iter(calls.items()))
        if len(calls) <= most and call.touched_ms >= before_ms:
            return
        del calls[callid]
