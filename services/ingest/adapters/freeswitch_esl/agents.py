"""The state of agents: what mod_callcenter says of them, and the wrap-up it has no word for. Pure.

An agent has a status (what he wants) and a state (what he does); neither names a queue. Which queues are
his, tiers say, which have no events: snapshots tell (SOURCES.md §4).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.config import SourceConfig
from schemas.vocabulary import AgentState
from services.ingest.adapters.freeswitch_esl.wire import Row, cell_ms, number
from services.ingest.names import fit, our_queue

IN_CALL = "In a queue call"
WAITING = "Waiting"
IDLE = "Idle"
ON_BREAK = "On Break"
LOGGED_OUT = "Logged Out"
RINGING = ("Receiving", "Reserved")

MAX_WRAP_UP_S = 86_400

STATES: dict[str, AgentState] = {
    "Available": AgentState.AVAILABLE,
    "Available (On Demand)": AgentState.AVAILABLE,
    ON_BREAK: AgentState.PAUSED,
    LOGGED_OUT: AgentState.OFFLINE,
    WAITING: AgentState.AVAILABLE,
    IDLE: AgentState.PAUSED,
    "Receiving": AgentState.RINGING,
    "Reserved": AgentState.RINGING,
    IN_CALL: AgentState.IN_CONTACT,
}
"""Their words for statuses and states; `states` of the source says otherwise."""

Standing = tuple[AgentState, str | None, tuple[str, ...] | None]
"""State, reason, queues (None: never told)."""


@dataclass(slots=True, eq=False)
class Agent:
    """`status`, `state`: their words; None: never told. `calls`, `wraps`: segments in hand, in wrap-up."""

    name: str
    status: str | None = None
    state: str | None = None
    queues: tuple[str, ...] | None = None
    wrap_up_s: int = 0
    calls: set[str] = field(default_factory=set)
    wraps: set[str] = field(default_factory=set)
    said: Standing | None = None

    @property
    def is_known(self) -> bool:
        """Of an agent of whom only contacts tell, they tell enough."""
        return self.status is not None or self.state is not None


class Agents:
    """All agents by name, and which of them an event has touched."""

    def __init__(self, source: SourceConfig) -> None:
        self._source = source
        self._words: Mapping[str, AgentState] = {**STATES, **source.states}
        self._theirs = {ours: theirs for theirs, ours in source.agents.items()}
        self._all: dict[str, Agent] = {}
        self._touched: dict[str, Agent] = {}

    def get(self, name: str) -> Agent:
        """The agent of this name, made when new, and marked as touched."""
        agent = self._all.get(name)
        if agent is None:
            agent = self._all[name] = Agent(name)
        self._touched[name] = agent
        return agent

    def theirs(self, ours: str) -> str:
        """FreeSWITCH's name of an agent whom events call so (`agents` of the source)."""
        return self._theirs.get(ours, ours)

    def changed(self) -> list[tuple[Agent, Standing]]:
        """The touched agents that stand otherwise than was said last; marks them as said."""
        touched, self._touched = list(self._touched.values()), {}
        found = []
        for agent in touched:
            now = self._standing(agent)
            if agent.is_known and now != agent.said:
                agent.said = now
                found.append((agent, now))
        return found

    def recall(
        self, name: str, state: AgentState, reason: str | None, queues: tuple[str, ...] | None
    ) -> None:
        """What was said of the agent whom events call so. `queues` None: as said before that."""
        agent = self.get(self.theirs(name))
        agent.queues = queues if queues is not None else agent.queues
        agent.said = (state, reason, agent.queues)

    def take_as_said(self) -> None:
        """However the agents stand now: nothing of it is new."""
        self._touched.clear()

    def replace(self, rows: Iterable[Row], tiers: Iterable[Row] | None) -> None:
        """A snapshot: exactly these agents exist. Tiers None: nothing is known of them.

        Who is there no more was deleted, which no event tells.
        """
        queues = _queues_of(tiers) if tiers is not None else None
        here = {fit(row.get("name", "")): row for row in rows}
        for agent in list(self._all.values()):
            if agent.name not in here and (agent.is_known or agent.said is not None):
                gone = self.get(agent.name)
                gone.status, gone.state, gone.queues = LOGGED_OUT, None, ()
        for name, row in here.items():
            if not name:
                continue
            agent = self.get(name)
            agent.status, agent.state = row.get("status") or None, row.get("state") or None
            agent.wrap_up_s = _wrap_up_s(row)
            if queues is not None:
                ours = {our_queue(self._source, queue) for queue in queues.get(name, ())}
                agent.queues = tuple(sorted(ours))

    def _standing(self, agent: Agent) -> Standing:
        state, reason = self._state(agent)
        return state, reason, agent.queues

    def _state(self, agent: Agent) -> tuple[AgentState, str | None]:
        if agent.calls or agent.state == IN_CALL:
            return self._words[IN_CALL], None
        if agent.status == LOGGED_OUT:
            return self._words[LOGGED_OUT], None
        if agent.wraps:
            return AgentState.WRAP_UP, None
        if agent.state in RINGING:
            return self._words[agent.state], None
        if agent.status == ON_BREAK:
            return self._words[ON_BREAK], None
        if agent.state == IDLE:
            return self._words[IDLE], IDLE
        return self._words.get(agent.status or agent.state or WAITING, AgentState.AVAILABLE), None


def wrap_up_ends_ms(row: Row) -> int | None:
    """When the wrap-up of an agent's last call is over by mod_callcenter; None: there was none."""
    wrap_up_s, ended_ms = _wrap_up_s(row), cell_ms(row, "last_bridge_end")
    return ended_ms + wrap_up_s * 1000 if wrap_up_s and ended_ms is not None else None


def _wrap_up_s(row: Row) -> int:
    """None where it is longer than a day, which is a mistake."""
    seconds = number(row.get("wrap_up_time", "")) or 0
    return seconds if seconds <= MAX_WRAP_UP_S else 0


def _queues_of(tiers: Iterable[Row]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in tiers:
        if row.get("queue") and row.get("agent"):
            found.setdefault(fit(row["agent"]), set()).add(fit(row["queue"]))
    return found
