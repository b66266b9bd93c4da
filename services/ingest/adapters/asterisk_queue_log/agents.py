"""How agents stand, as far as the log tells: the union over the queues of each. Pure.

The log says what changed, never how things stand: an agent is known from the first line that names him,
and belongs to each queue that a line tied him to, until REMOVEMEMBER. In contact goes before wrap-up,
wrap-up before paused; paused is who is so in every queue (SEMANTICS.md §5). Ringing is told afterwards,
from the duration that the end of it names. `PAUSEALL` is not looked at: a line for each queue follows.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from schemas.vocabulary import AgentState
from services.ingest.facts import Facts

Standing = tuple[AgentState, str | None, tuple[str, ...]]
"""State, reason, queues."""

MAX_AGENTS = 20_000
SAME_SECOND_US = 1_000_000
_RUNG = frozenset({AgentState.AVAILABLE, AgentState.OFFLINE, AgentState.UNREACHABLE})
"""Who was said to be so may have been ringing."""


class Membership(Struct):
    is_paused: bool = False
    reason: str = ""


class Agent(Struct, eq=False, kw_only=True):
    """`memberships` by our name of the queue. `calls`, `wraps`: segments in hand. `is_lost`: Asterisk has
    started anew, and no line has named him since. `said_us`: of what was `said` last.
    """

    name: str
    memberships: dict[str, Membership] = {}
    calls: list[str] = []
    wraps: list[str] = []
    is_logged_in: bool | None = None
    is_lost: bool = False
    said: Standing | None = None
    said_us: int = 0


class Agents:
    """All agents of one Asterisk, by name; tells what changed. `states`: their pause reason → our state."""

    def __init__(
        self,
        facts: Facts,
        *,
        states: Mapping[str, AgentState],
        ours: Callable[[str], str],
        known: dict[str, Agent] | None = None,
    ) -> None:
        self.known = known if known is not None else {}
        self._facts = facts
        self._states = states
        self._ours = ours
        self._touched: dict[str, Agent] = {}

    # --- what lines say ---

    def member(self, name: str, queue: str) -> Membership:
        """The agent belongs to the queue."""
        memberships = self._touch(name).memberships
        return memberships.setdefault(self._ours(queue), Membership())

    def add(self, name: str, queue: str, *, is_paused: bool) -> None:
        self._touch(name).memberships[self._ours(queue)] = Membership(is_paused)

    def remove(self, name: str, queue: str) -> None:
        self._touch(name).memberships.pop(self._ours(queue), None)

    def pause(self, name: str, queue: str, reason: str | None) -> None:
        """`reason` None: the pause is over."""
        membership = self.member(name, queue)
        membership.is_paused, membership.reason = reason is not None, reason or ""

    def log_in(self, name: str, *, is_in: bool) -> None:
        """By app_agent_pool, which calls them by number."""
        names = (name, f"Agent/{name}", f"Agent:{name}", name.removeprefix("Agent/"))
        known = next((each for each in names if each in self.known), name)
        self._touch(known).is_logged_in = is_in

    def begin(self, name: str, segment: str) -> None:
        self._touch(name).calls.append(segment)

    def end(self, name: str, segment: str) -> None:
        agent = self._touch(name)
        agent.calls = [each for each in agent.calls if each != segment]

    def wrap(self, name: str, segment: str) -> None:
        self._touch(name).wraps.append(segment)

    def unwrap(self, name: str, segment: str) -> None:
        agent = self._touch(name, is_heard=False)
        agent.wraps = [each for each in agent.wraps if each != segment]

    def lose(self) -> None:
        """Asterisk has started anew: nobody knows who is there. Who was a member is so again, unpaused."""
        for agent in self.known.values():
            agent.calls, agent.wraps, agent.is_lost, agent.is_logged_in = [], [], True, None
            for membership in agent.memberships.values():
                membership.is_paused, membership.reason = False, ""
            self._touched[agent.name] = agent

    # --- what is told ---

    def rang(self, name: str, at_ms: int, ring_ms: int) -> None:
        """The agent was ringing until `at_ms`, if he was free: told when it is over."""
        agent = self._touch(name)
        start_us = max((at_ms - ring_ms) * 1000, agent.said_us + 1)
        is_free = agent.said is None or agent.said[0] in _RUNG
        if ring_ms > 0 and is_free and not agent.calls and start_us < at_ms * 1000:
            self._say(agent, (AgentState.RINGING, None, _queues(agent)), start_us, inferred=True)

    def tell(self, at_ms: int, *, inferred: bool = False) -> None:
        """Says of the agents that lines have touched what is new."""
        touched, self._touched = self._touched, {}
        for agent in touched.values():
            now = self._standing(agent)
            if now != agent.said:
                self._say(agent, now, at_ms * 1000, inferred=inferred)

    def _say(self, agent: Agent, now: Standing, at_us: int, *, inferred: bool) -> None:
        """In one second many things happen: microseconds keep them in the order of the lines."""
        if agent.said_us - SAME_SECOND_US < at_us <= agent.said_us:
            at_us = agent.said_us + 1
        agent.said, agent.said_us = now, at_us
        state, reason, queues = now
        self._facts.agent_state(agent.name, state, at_us, reason=reason, queues=queues, inferred=inferred)

    def _standing(self, agent: Agent) -> Standing:
        state, reason = self._state(agent)
        return state, reason, _queues(agent)

    def _state(self, agent: Agent) -> tuple[AgentState, str | None]:
        if agent.is_lost:
            return AgentState.OFFLINE, None
        if agent.calls:
            return AgentState.IN_CONTACT, None
        if agent.wraps:
            return AgentState.WRAP_UP, None
        if agent.is_logged_in is False or (agent.is_logged_in is None and not agent.memberships):
            return AgentState.OFFLINE, None
        paused = [each for each in agent.memberships.values() if each.is_paused]
        if paused and len(paused) == len(agent.memberships):
            reason = next((each.reason for each in paused if each.reason), None)
            return self._states.get(reason or "", AgentState.PAUSED), reason
        return AgentState.AVAILABLE, None

    def _touch(self, name: str, *, is_heard: bool = True) -> Agent:
        agent = self.known.get(name)
        if agent is None:
            agent = self.known[name] = Agent(name=name)
            if len(self.known) > MAX_AGENTS:
                del self.known[next(iter(self.known))]
        agent.is_lost = agent.is_lost and not is_heard
        self._touched[name] = agent
        return agent


def _queues(agent: Agent) -> tuple[str, ...]:
    return tuple(sorted(agent.memberships))
