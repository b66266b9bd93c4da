"""The state of agents, as the union over the queues and phones of each. Pure.

What the queue says of an agent's own contacts goes before what his phone says, because phones that
are Local channels or hints report late, wrongly or never (SOURCES.md §2): in contact, wrap-up,
ringing; then paused in every queue; then the phone's own state (calls beside the queue included).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.vocabulary import AgentState
from services.ingest.adapters.asterisk_ami.wire import Member

IN_USE = frozenset({2, 3, 7, 8})
RINGING = 6
OUT_OF_REACH = frozenset({4, 5})
NOT_IN_USE = 1

Standing = tuple[AgentState, str | None, tuple[str, ...] | None]
"""State, reason, queues (None: never told)."""


@dataclass(slots=True)
class Membership:
    """One agent in one queue by one phone."""

    queue: str
    is_paused: bool = False
    reason: str = ""
    wrap_up_s: int = 0


@dataclass(slots=True, eq=False)
class Agent:
    """`memberships` by (queue as Asterisk says, interface); None: no frame has told them yet.

    `calls` and `attempts` hold segments and legs in hand; `wraps` the segments in wrap-up.
    `of_attempt`: phones whose state was said while they rang for a queue, so it is the attempt's.
    `in_call`: (queue, interface) that a snapshot showed in a call of that queue; each queue of an agent
    says so of its own calls only.
    """

    name: str
    memberships: dict[tuple[str, str], Membership] | None = None
    phones: dict[str, int] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    attempts: set[str] = field(default_factory=set)
    wraps: set[str] = field(default_factory=set)
    of_attempt: set[str] = field(default_factory=set)
    in_call: set[tuple[str, str]] = field(default_factory=set)
    is_logged_in: bool | None = None
    said: Standing | None = None


def standing(agent: Agent) -> Standing:
    """What the agent is doing now; his queues, while no frame has told them, as they were said last."""
    state, reason = _state(agent)
    if agent.memberships is None:
        return state, reason, agent.said[2] if agent.said is not None else None
    return state, reason, tuple(sorted({each.queue for each in agent.memberships.values()}))


def _state(agent: Agent) -> tuple[AgentState, str | None]:
    if agent.calls or agent.in_call:
        return AgentState.IN_CONTACT, None
    if agent.wraps:
        return AgentState.WRAP_UP, None
    if agent.attempts:
        return AgentState.RINGING, None
    if agent.is_logged_in is False or (agent.memberships == {} and agent.is_logged_in is None):
        return AgentState.OFFLINE, None
    memberships = list((agent.memberships or {}).values())
    if memberships and all(each.is_paused for each in memberships):
        return AgentState.PAUSED, next((each.reason for each in memberships if each.reason), None)
    return _phone_state(agent.phones.values()), None


def _phone_state(statuses: Iterable[int]) -> AgentState:
    known = set(statuses)
    if known & IN_USE:
        return AgentState.IN_CONTACT
    if RINGING in known:
        return AgentState.RINGING
    if known and known <= OUT_OF_REACH:
        return AgentState.UNREACHABLE
    return AgentState.AVAILABLE


class Agents:
    """All agents by name, and which of them a frame has touched."""

    def __init__(self, ours: Callable[[str], str]) -> None:
        """`ours` maps Asterisk's name of a queue to ours."""
        self._ours = ours
        self._all: dict[str, Agent] = {}
        self._touched: dict[str, Agent] = {}

    def get(self, name: str) -> Agent:
        """The agent of this name, made when new, and marked as touched."""
        agent = self._all.get(name)
        if agent is None:
            agent = self._all[name] = Agent(name)
        self._touched[name] = agent
        return agent

    def all(self) -> list[Agent]:
        return list(self._all.values())

    def changed(self) -> list[tuple[Agent, Standing]]:
        """The touched agents that stand otherwise than was said last; marks them as said."""
        touched, self._touched = list(self._touched.values()), {}
        found = []
        for agent in touched:
            now = standing(agent)
            if now != agent.said:
                agent.said = now
                found.append((agent, now))
        return found

    def recall(
        self, name: str, state: AgentState, reason: str | None, queues: tuple[str, ...] | None
    ) -> None:
        """What was said of the agent before we started. `queues` None: as said before that."""
        agent = self.get(name)
        if queues is None and agent.said is not None:
            queues = agent.said[2]
        agent.said = (state, reason, queues)
        agent.memberships = {} if queues == () else None

    def take_as_said(self) -> None:
        """However the agents stand now: nothing of it is new."""
        self._touched.clear()

    def set_member(self, member: Member) -> Agent:
        """Takes over what a frame says of a member. A pause keeps its reason while none is given."""
        agent = self.get(member.name)
        memberships = agent.memberships if agent.memberships is not None else {}
        agent.memberships = memberships
        before = memberships.get((member.queue, member.interface))
        reason = member.reason or (before.reason if before is not None and before.is_paused else "")
        memberships[member.queue, member.interface] = Membership(
            queue=self._ours(member.queue),
            is_paused=member.is_paused,
            reason=reason if member.is_paused else "",
            wrap_up_s=member.wrap_up_s,
        )
        if member.status is not None:
            agent.phones[member.interface] = member.status
            agent.of_attempt.discard(member.interface)
            if agent.attempts and not agent.calls:
                agent.of_attempt.add(member.interface)
        if member.is_in_call is False:
            agent.in_call.discard((member.queue, member.interface))
        return agent

    def remove_member(self, member: Member) -> None:
        agent = self.get(member.name)
        memberships = agent.memberships if agent.memberships is not None else {}
        agent.memberships = memberships
        memberships.pop((member.queue, member.interface), None)
        agent.in_call.discard((member.queue, member.interface))
        if all(interface != member.interface for _, interface in memberships):
            agent.phones.pop(member.interface, None)

    def replace_members(
        self, members: list[Member], *, covers: Callable[[str], bool], is_whole: bool
    ) -> None:
        """A snapshot: in the queues that it covers, exactly these are members.

        `is_whole`: who was said to be in a queue, and is in none of its rows, is in none.
        """
        present = {(member.name, member.queue, member.interface) for member in members}
        names = {member.name for member in members}
        for agent in self._all.values() if is_whole else ():
            if agent.memberships is None and agent.said is not None and agent.name not in names:
                self.get(agent.name).memberships = {}
        for agent in self._all.values():
            for queue, interface in list(agent.memberships or ()):
                if covers(queue) and (agent.name, queue, interface) not in present:
                    self.remove_member(_absent(agent.name, queue, interface))
        for member in members:
            agent = self.set_member(member)
            agent.of_attempt.discard(member.interface)
            if member.is_in_call:
                agent.in_call.add((member.queue, member.interface))

    def ring(self, name: str, leg: str) -> None:
        self.get(name).attempts.add(leg)

    def stop_ringing(self, name: str, leg: str) -> None:
        """What a phone said only because it rang for the queue no longer holds once it does not."""
        agent = self.get(name)
        agent.attempts.discard(leg)
        if not agent.attempts and not agent.calls:
            for interface in agent.of_attempt:
                agent.phones[interface] = NOT_IN_USE
            agent.of_attempt.clear()

    def by_login(self, number: str) -> Agent:
        """Whom app_agent_pool calls `number`: the member of that name or phone, else an agent of his own."""
        names = {number, f"Agent/{number}", f"Agent:{number}"}
        for agent in self._all.values():
            phones = {interface.partition("@")[0] for _, interface in agent.memberships or ()}
            if agent.name in names or phones & names:
                return self.get(agent.name)
        return self.get(number)


def _absent(name: str, queue: str, interface: str) -> Member:
    return Member(
        queue=queue,
        name=name,
        interface=interface,
        status=None,
        is_paused=False,
        reason="",
        is_in_call=None,
        last_call_ms=None,
        wrap_up_s=0,
    )
