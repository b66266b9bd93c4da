"""Agent events → states of agents, and what they do with contacts. Each event is a snapshot of one agent.

What became different is told at the event's own instants: by what the event itself shows before and after,
so that it says the same whenever it comes and comes again, and by what we knew of the agent, so that lost
events are made good (`inferred`). An event older than the newest of its agent tells only the former.

Instants of contacts have a lower rank than those of contact events, which are more exact, and ids of their
own (`stream`): where both are told, contact events count, whichever came first.
"""

from collections.abc import Mapping

from msgspec import Struct, structs

from schemas.config import SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    AnyEvent,
    HandlingEvent,
    HoldEnd,
    HoldStart,
    TalkEnded,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import AgentState
from services.ingest.adapters.amazon_connect import snapshot
from services.ingest.adapters.amazon_connect.contact_event import number_of
from services.ingest.adapters.amazon_connect.hands import Hands
from services.ingest.adapters.amazon_connect.snapshot import HELD, MAX_IN_HAND, Held, Snapshot, Standing
from services.ingest.adapters.amazon_connect.wire import Fields, Unreadable, is_cut, last_part, second_of
from services.ingest.facts import Facts, Spot
from services.ingest.names import fit

TYPES = frozenset({"LOGIN", "LOGOUT", "STATE_CHANGE", "HEART_BEAT"})
MAX_AGENTS = 20_000
"""Beyond, the one heard least recently is forgotten: the next event tells his state anew."""

SILENT_S = 300
"""Connect says something of each agent every 120 s: who is not heard for so long was cut off."""
SILENT_SHARED_S = 1_800
"""The same where each ingest process hears only a part of the events: 15 of them went to others."""

_OUT = Standing(AgentState.OFFLINE, None, None, None)


class Known(Struct, frozen=True):
    """What we know of an agent. `at_ms`: his newest event. `out_ms`: he logged out then, and is out still.

    `told_us`: the instant of the last word, made to follow the one before where both have the same
    millisecond: old instances count whole seconds. `before`: what was known before the event `event_id`,
    which may come again.
    """

    standing: Standing | None = None
    at_ms: int = 0
    told_us: int = 0
    heard_ms: int = 0
    contacts: Mapping[str, Held] = {}
    out_ms: int | None = None
    event_id: str = ""
    before: "Known | None" = None


class Agents:
    """`facts` and `coarse` write with the lower rank, the latter what is known to the second. `is_stream`:
    every event of the instance is heard here.
    """

    def __init__(self, source: SourceConfig, *, facts: Facts, coarse: Facts, is_stream: bool) -> None:
        self._source = source
        self._exact = facts
        self._coarse = coarse
        self._facts = facts
        self._is_stream = is_stream
        self._silent_ms = round((SILENT_S if is_stream else SILENT_SHARED_S) * 1000)
        self._known: dict[str, Known] = {}
        self._watched: dict[str, str] = {}  # ours → theirs, the one heard least recently first

    def take(self, event: Fields, now_ms: int) -> None:
        """Raises `Unreadable` before anything of it is told or remembered."""
        agent = last_part(event.text("AgentARN"))
        at_ms = event.instant("EventTimestamp")
        if not agent or at_ms is None:
            raise Unreadable(f"{'EventTimestamp' if agent else 'AgentARN'}: missing")
        kind = event.word("EventType")
        if kind != "LOGOUT" and "CurrentAgentSnapshot" not in event:
            raise Unreadable("CurrentAgentSnapshot: missing")
        is_coarse, at_ms = is_cut(at_ms), second_of(at_ms)
        now, previous = self._seen(event, "Current", at_ms, is_coarse), None
        if kind == "STATE_CHANGE" and "PreviousAgentSnapshot" in event:
            previous = self._seen(event, "Previous", at_ms, is_coarse)
        self._facts = self._coarse if is_coarse else self._exact
        known = self._before(agent, event.text("EventId"))
        if known.at_ms > at_ms:
            self._tell_alone(agent, kind, at_ms, now, previous)
            return
        standing, out_ms = _standing(kind, at_ms, now, known)
        is_told = previous is not None and previous.standing != now.standing
        told_us = known.told_us
        if is_told or standing != known.standing or kind in ("LOGIN", "LOGOUT"):
            told_us = told_us + 1 if told_us // 1000 == at_ms else at_ms * 1000
            self._tell(agent, standing, told_us, inferred=kind == "HEART_BEAT")
        shown = previous.contacts if previous is not None else None
        Hands(self._facts).differ(agent, now.contacts, shown, known.contacts, at_ms)
        news = Known(
            standing=standing,
            at_ms=at_ms,
            told_us=told_us,
            heard_ms=now_ms,
            contacts=now.contacts,
            out_ms=out_ms,
            event_id=event.text("EventId"),
            before=structs.replace(known, before=None),
        )
        self._keep(agent, news)

    def due(self, now_ms: int) -> None:
        """Who was not heard for too long is offline, from when that is sure by the clock of his last event;
        by ours, where that was heard before we started: heartbeats that changed nothing are not in the log.
        """
        self._facts = self._exact
        while self._watched:
            ours, agent = next(iter(self._watched.items()))
            known = self._known[ours]
            if known.heard_ms + self._silent_ms > now_ms:
                return
            del self._watched[ours]
            last_ms = known.at_ms if known.event_id else known.heard_ms
            self._tell(agent, _OUT, (last_ms + self._silent_ms) * 1000, inferred=True)
            self._known[ours] = structs.replace(known, standing=_OUT, before=None)

    def next_due_ms(self) -> int | None:
        first = next(iter(self._watched), None)
        return self._known[first].heard_ms + self._silent_ms if first is not None else None

    # --- what was told before ---

    def recall(self, event: AnyEvent) -> None:
        if isinstance(event, AgentStateChanged):
            known = self._known.pop(event.agent, Known())
            is_out = event.state is AgentState.OFFLINE
            self._known[event.agent] = structs.replace(
                known,
                standing=Standing(event.state, event.reason, event.queues, event.capacity),
                at_ms=max(known.at_ms, event.occurred_ms),
                out_ms=event.occurred_ms if is_out and not event.inferred else None,
            )
            self._forget_beyond()
        elif isinstance(event, HandlingEvent) and event.agent is not None and event.segment is not None:
            self._recall_contact(event, event.agent, event.segment)

    def go_on(self, now_ms: int) -> None:
        """Whoever has no state of his own is none of the stream's; the others are watched from now on,
        where all of their events are heard.
        """
        self._known = {
            agent: structs.replace(known, heard_ms=now_ms)
            for agent, known in self._known.items()
            if known.standing is not None
        }
        if self._is_stream:
            for agent, known in self._known.items():
                self._watch(agent, agent, known)

    def _recall_contact(self, event: HandlingEvent, agent: str, segment: str) -> None:
        known = self._known.setdefault(agent, Known())
        contacts, number = dict(known.contacts), number_of(segment)
        contacts.pop(number, None)
        state = _STATE_AFTER[type(event)]
        if state:
            queue = getattr(event, "queue", None) or ""
            contacts[number] = Held(state, event.occurred_ms, Spot(event.contact, segment, queue))
        while len(contacts) > MAX_IN_HAND:
            del contacts[next(iter(contacts))]
        self._known[agent] = structs.replace(known, contacts=contacts)
        self._forget_beyond()

    # --- states ---

    def _seen(self, event: Fields, which: str, at_ms: int, is_coarse: bool) -> Snapshot:
        told = event.part(f"{which}AgentSnapshot")
        return snapshot.read(told, self._source, at_ms=at_ms, is_coarse=is_coarse)

    def _before(self, agent: str, event_id: str) -> Known:
        """What was known before this event, which may be the last one again."""
        known = self._known.get(self._ours(agent), Known())
        is_again = bool(event_id) and known.event_id == event_id
        return known.before or Known() if is_again else known

    def _tell_alone(
        self, agent: str, kind: str, at_ms: int, now: Snapshot, previous: Snapshot | None
    ) -> None:
        """What an event that comes late says by itself."""
        if kind == "LOGOUT":
            self._tell(agent, _OUT, at_ms * 1000)
        elif kind == "LOGIN" or (previous is not None and previous.standing != now.standing):
            self._tell(agent, now.standing, at_ms * 1000)
        if previous is not None:
            Hands(self._facts).differ(agent, now.contacts, previous.contacts, previous.contacts, at_ms)

    def _tell(self, agent: str, standing: Standing, at_us: int, *, inferred: bool = False) -> None:
        self._facts.agent_state(
            agent,
            standing.state,
            at_us,
            reason=standing.reason,
            queues=standing.queues,
            capacity=standing.capacity,
            inferred=inferred,
        )

    # --- what is remembered ---

    def _keep(self, agent: str, known: Known) -> None:
        ours = self._ours(agent)
        self._known.pop(ours, None)
        self._known[ours] = known
        self._watch(ours, agent, known)
        self._forget_beyond()

    def _watch(self, ours: str, agent: str, known: Known) -> None:
        self._watched.pop(ours, None)
        if known.standing is not None and known.standing.state is not AgentState.OFFLINE:
            self._watched[ours] = agent

    def _forget_beyond(self) -> None:
        while len(self._known) > MAX_AGENTS:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._watched.pop(oldest, None)

    def _ours(self, agent: str) -> str:
        return fit(self._source.agents.get(agent, agent))


def _standing(kind: str, at_ms: int, now: Snapshot, known: Known) -> tuple[Standing, int | None]:
    """How he stands, and since when he is logged out. Snapshots go on for an hour after a log-out, and the
    status in them may be the one that he had: it counts again once it, or a contact, is newer.
    """
    if kind == "LOGOUT":
        return _OUT, at_ms
    is_out = known.out_ms is not None and kind != "LOGIN"
    if is_out and not now.contacts and (now.status_ms or 0) <= (known.out_ms or 0):
        return known.standing or _OUT, known.out_ms
    return now.standing, None


_STATE_AFTER: Mapping[type, str] = {
    AgentOffered: "CONNECTING",
    AgentAccepted: "CONNECTED",
    HoldStart: HELD,
    HoldEnd: "CONNECTED",
    TalkEnded: snapshot.ENDED,
    WrapStart: snapshot.ENDED,
    AgentNoAnswer: "",
    AgentOfferEnded: "",
    WrapEnd: "",
}
"""The state of a contact after what was told of it; "": it is in hand no more."""
