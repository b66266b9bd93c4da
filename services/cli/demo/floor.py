"""The people of the simulated centre: who is free, on a break, at work; each change said as `agent.state`.

A person's state follows from what they have in hand (in contact beats wrap-up beats ringing), so it
cannot contradict the facts of the contacts. Who gets which contact is `simulation.py`.
"""

from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from random import Random

from msgspec import Struct, field

from schemas.vocabulary import AgentState, Channel
from services.cli.demo.profile import (
    BY_ID,
    QUEUES,
    Person,
    QueueProfile,
    around_ms,
    between_ms,
    hour_factor,
    people_wanted,
)
from services.cli.demo.timeline import Timeline

CHATS_AT_ONCE = 2
CHATS_AT_MOST = 3
"""The third only for somebody who has waited a while."""
_ROTA_MS = 600_000
_REASONS = ("Pause", "Pause", "Pause", "Brief d'équipe", "Formation")


class Stage(Enum):
    """Where a visit to a queue stands."""

    WAITING = auto()
    RINGING = auto()
    TALKING = auto()
    WRAPPING = auto()
    GONE = auto()


class Contact(Struct, eq=False):
    """One contact and its present visit; by `visit` and `offers`, counted up, a timer sees it is too late."""

    id: str
    queue: QueueProfile
    entered_ms: int
    visit: int = 1
    offers: int = 0
    stage: Stage = Stage.WAITING
    agent: "Agent | None" = None
    is_hard: bool = False

    @property
    def segment(self) -> str:
        return f"{self.id}/{self.queue.id}/{self.visit}"


class Agent(Struct, eq=False):
    """Somebody at work. `home`: the queue they serve first; `stint` counts their states up.

    `wish`: the state, and its reason, that they take once nothing is in hand.
    """

    id: str
    home: str
    queues: tuple[str, ...]
    state: AgentState = AgentState.OFFLINE
    reason: str | None = None
    since_ms: int = 0
    stint: int = 0
    hands: list[Contact] = field(default_factory=list)
    wish: tuple[AgentState, str | None] | None = None

    @property
    def is_ringing(self) -> bool:
        return any(contact.stage is Stage.RINGING for contact in self.hands)

    def can_take(self, channel: Channel, chats: int = CHATS_AT_ONCE) -> bool:
        """Whether a contact of this channel may be offered now: one call or mail, or some chats."""
        if self.state is AgentState.AVAILABLE:
            return True
        if channel is not Channel.CHAT or not self.hands or self.wish or self.is_ringing:
            return False
        return len(self.hands) < chats and all(c.queue.channel is Channel.CHAT for c in self.hands)


class Floor:
    """Everybody on the roster. `on_free` is called when somebody could take a contact."""

    def __init__(
        self,
        timeline: Timeline,
        random: Random,
        *,
        people: list[Person],
        rate: float,
        on_free: Callable[[Agent], None],
    ) -> None:
        self.agents = [Agent(id=p.id, home=p.queues[0], queues=p.queues) for p in people]
        self._time = timeline
        self._random = random
        self._rate = rate
        self._on_free = on_free
        self._kept_in: str | None = None

    def open(self, instant_ms: int) -> None:
        """Has people come to work at `instant_ms`, and the rota looked at every ten minutes from then on."""
        self._time.at(instant_ms, self._follow_rota)

    def keep_in(self, queue: str | None) -> None:
        """Nobody who serves `queue` first goes on a break, until called with None."""
        self._kept_in = queue

    def team(self, queue: str) -> list[Agent]:
        return [agent for agent in self.agents if agent.home == queue]

    def share_free(self, queue: str) -> float:
        """Share of the team at work that has nothing in hand; 0 without a team."""
        at_work = [a for a in self.team(queue) if a.hands or a.state is AgentState.AVAILABLE]
        return sum(not a.hands for a in at_work) / len(at_work) if at_work else 0.0

    def pick(self, queue: QueueProfile, *, only_home: bool, chats: int = CHATS_AT_ONCE) -> Agent | None:
        """Whom to offer a contact of `queue`: own people first, a chat beside a chat, then longest free."""
        able = [
            agent
            for agent in self.agents
            if (agent.home == queue.id or (not only_home and queue.id in agent.queues))
            and agent.can_take(queue.channel, chats)
        ]
        return min(able, key=lambda a: (a.home != queue.id, _chat_order(a), a.since_ms, a.id), default=None)

    def refresh(self, agent: Agent) -> None:
        """Says the agent's state when what they have in hand has changed it."""
        stages = {contact.stage for contact in agent.hands}
        if Stage.TALKING in stages:
            self.turn(agent, AgentState.IN_CONTACT)
        elif Stage.WRAPPING in stages:
            self.turn(agent, AgentState.WRAP_UP)
        elif Stage.RINGING in stages:
            self.turn(agent, AgentState.RINGING)
        else:
            self.turn(agent, AgentState.AVAILABLE)

    def release(self, agent: Agent) -> None:
        """The agent has put something down: they leave if they wished to, else look for the next contact."""
        if agent.hands or agent.wish is None:
            self._on_free(agent)
            self.refresh(agent)
            return
        state, reason = agent.wish
        agent.wish = None
        self.turn(agent, state, reason=reason)
        if state is AgentState.PAUSED:
            self._return_after(agent, around_ms(self._random, 420, spread=0.35))

    def turn(self, agent: Agent, state: AgentState, *, reason: str | None = None) -> None:
        """Puts the agent in `state`, saying so if it is another one."""
        if agent.state is state:
            return
        agent.state, agent.reason, agent.since_ms = state, reason, self._time.now_ms
        agent.stint += 1
        self._time.say("agent.state", agent=agent.id, state=state.value, reason=reason)

    def leave(self, agent: Agent, state: AgentState, reason: str | None) -> None:
        """The agent takes `state` now if nothing is in hand, else once it is put down."""
        if agent.state is AgentState.OFFLINE:
            return
        agent.wish = (state, reason)
        if agent.state is AgentState.AVAILABLE:
            self.release(agent)

    def pause(self, agent: Agent, reason: str, *, for_ms: int) -> None:
        """A pause of known length, for somebody with nothing in hand."""
        self.turn(agent, AgentState.PAUSED, reason=reason)
        self._return_after(agent, for_ms)

    def come_back(self, agent: Agent) -> None:
        """Ends a pause, or the wish for one."""
        agent.wish = None
        if agent.state in (AgentState.PAUSED, AgentState.UNREACHABLE):
            self.release(agent)

    def serve(self, agent: Agent, home: str, queues: tuple[str, ...]) -> None:
        """Gives the agent another set of queues, `home` first."""
        agent.home, agent.queues = home, queues
        if agent.state is AgentState.OFFLINE:
            return  # said when they log in
        self._time.say(
            "agent.state", agent=agent.id, state=agent.state.value, reason=agent.reason, queues=list(queues)
        )
        if agent.state is AgentState.AVAILABLE:
            self.release(agent)

    def _return_after(self, agent: Agent, delay_ms: int) -> None:
        stint = agent.stint
        self._time.after(delay_ms, lambda: self.come_back(agent) if agent.stint == stint else None)

    def _follow_rota(self) -> None:
        factor = hour_factor(self._time.now_ms)
        for queue in QUEUES:
            team = self.team(queue.id)
            at_work = [a for a in team if a.state is not AgentState.OFFLINE and not _is_leaving(a)]
            missing = people_wanted(queue, self._rate, factor=factor) - len(at_work)
            away = [a for a in team if a.state is AgentState.OFFLINE]
            for agent in away[: max(0, missing)]:
                self._log_in(agent)
            for agent in at_work[len(at_work) + min(0, missing) :]:
                self.leave(agent, AgentState.OFFLINE, None)
        self._time.after(_ROTA_MS, self._follow_rota)
        self._time.after(between_ms(self._random, 60, 500), self._lose_a_phone)

    def _log_in(self, agent: Agent) -> None:
        agent.state, agent.since_ms = AgentState.AVAILABLE, self._time.now_ms
        agent.stint += 1
        channels = {BY_ID[queue].channel for queue in agent.queues}
        capacity = {c.value: CHATS_AT_MOST if c is Channel.CHAT else 1 for c in sorted(channels)}
        self._time.say(
            "agent.state",
            agent=agent.id,
            state=agent.state.value,
            queues=list(agent.queues),
            capacity=capacity,
        )
        self._on_free(agent)
        self.refresh(agent)
        self._time.after(between_ms(self._random, 120, 4200), partial(self._take_break, agent))

    def _take_break(self, agent: Agent) -> None:
        """A break every hour or so, put off while many of the team are away already."""
        team = self.team(agent.home)
        away = sum(1 for a in team if a.state is AgentState.PAUSED or a.wish)
        if agent.state is AgentState.OFFLINE:
            return
        if away > 0.15 * len(team) or agent.home == self._kept_in:
            self._time.after(between_ms(self._random, 90, 300), partial(self._take_break, agent))
            return
        self.leave(agent, AgentState.PAUSED, self._random.choice(_REASONS))
        self._time.after(between_ms(self._random, 3600, 5400), partial(self._take_break, agent))

    def _lose_a_phone(self) -> None:
        """Now and then a soft phone drops off the network for a minute."""
        free = [a for a in self.agents if a.state is AgentState.AVAILABLE]
        if free:
            agent = self._random.choice(free)
            self.turn(agent, AgentState.UNREACHABLE)
            self._return_after(agent, between_ms(self._random, 20, 70))


def _is_leaving(agent: Agent) -> bool:
    return agent.wish is not None and agent.wish[0] is AgentState.OFFLINE


def _chat_order(agent: Agent) -> int:
    """A second chat before a first one (people fill up, others stay free), a third last."""
    return (1, 0, 2)[min(len(agent.hands), 2)]
