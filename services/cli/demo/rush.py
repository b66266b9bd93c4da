"""The rush: one phone queue overruns two minutes, then recovers, whatever the seed.

What happens: many more callers come, the team has gone to a meeting, nobody else answers for it.
Half a minute after the longest wait has passed two minutes somebody notices: the team comes back
and a few colleagues help. So the crossing and the recovery follow from what is seen, not from luck.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial
from random import Random

from schemas.vocabulary import AgentState, Channel
from services.cli.demo.floor import Agent, Floor
from services.cli.demo.profile import BILLING, BY_ID, QUEUES, QueueProfile, between_ms
from services.cli.demo.timeline import Timeline

LIMIT_MS = 120_000
SHORT_MS = 20_000
STAY_MS = 180_000
"""Help goes home once it has stayed this long and nobody has waited longer than `SHORT_MS`."""
MORE_CALLERS = 4.0
ENOUGH_MS = 60_000
"""No more callers than usual once somebody has waited this long: the crossing is certain then."""
_LOOK_MS = 1000
_TURNS = tuple(q for q in QUEUES if q.channel is Channel.PHONE and q.max_wait_s and q.max_wait_s > 120)


class Phase(Enum):
    """Quiet → building (team away, callers come) → helping (team back) → quiet."""

    QUIET = "quiet"
    BUILDING = "building"
    HELPING = "helping"


class Rush:
    """The rushes of one simulation. `on_pace(queue)` is called when the pace of arrivals changes."""

    def __init__(
        self,
        timeline: Timeline,
        random: Random,
        *,
        floor: Floor,
        longest_wait_ms: Callable[[QueueProfile], int],
        on_pace: Callable[[QueueProfile], None],
    ) -> None:
        self.phase = Phase.QUIET
        self.queue = BILLING
        self.crossed_ms: int | None = None
        self.rounds = 0
        self._time = timeline
        self._random = random
        self._floor = floor
        self._longest_wait_ms = longest_wait_ms
        self._on_pace = on_pace
        self._help_ms: int | None = None
        self._is_surge = False
        self._stay_ms = 0
        self._away: list[Agent] = []
        self._lent: list[tuple[Agent, str, tuple[str, ...]]] = []
        self._withdrawn: list[tuple[Agent, str, tuple[str, ...]]] = []

    def plan(self, start_ms: int) -> None:
        """The first rush starts 60 to 90 s after `start_ms`, the next ones every 20 to 30 minutes."""
        self._time.at(start_ms + between_ms(self._random, 60, 90), self._begin)

    def pace(self, queue: QueueProfile) -> float:
        """Arrivals of a queue against the ordinary."""
        return MORE_CALLERS if self._is_surge and queue is self.queue else 1.0

    def only_home(self, queue: QueueProfile) -> bool:
        """While it builds up, no other team answers for the queue."""
        return self.phase is Phase.BUILDING and queue is self.queue

    def _begin(self) -> None:
        self.phase, self.crossed_ms, self._help_ms = Phase.BUILDING, None, None
        self.rounds += 1
        self._is_surge = True
        team = [a for a in self._floor.team(self.queue.id) if a.state is not AgentState.OFFLINE]
        self._random.shuffle(team)
        self._withdraw_others()
        self._away = team[max(1, len(team) // 8) :]
        for agent in self._away:
            self._time.after(between_ms(self._random, 0, 15), partial(self._call_away, agent))
        self._on_pace(self.queue)
        self._time.after(_LOOK_MS, self._look)

    def _withdraw_others(self) -> None:
        """The other teams keep to their own queues, so nobody shows as free for this one."""
        for agent in self._floor.agents:
            if agent.home != self.queue.id and self.queue.id in agent.queues:
                self._withdrawn.append((agent, agent.home, agent.queues))
                own = tuple(q for q in agent.queues if q != self.queue.id)
                self._floor.serve(agent, agent.home, own)

    def _call_away(self, agent: Agent) -> None:
        if self.phase is Phase.BUILDING:
            self._floor.leave(agent, AgentState.PAUSED, "Réunion")

    def _look(self) -> None:
        wait_ms = self._longest_wait_ms(self.queue)
        if self._is_surge and wait_ms >= ENOUGH_MS:
            self._is_surge = False
            self._on_pace(self.queue)
        if self.crossed_ms is None and wait_ms >= LIMIT_MS:
            self.crossed_ms = self._time.now_ms
            self._help_ms = self._time.now_ms + between_ms(self._random, 30, 45)
        if self.phase is Phase.BUILDING and self._help_ms is not None and self._time.now_ms >= self._help_ms:
            self._help()
        if self.phase is Phase.HELPING and wait_ms < SHORT_MS and self._time.now_ms >= self._stay_ms:
            self._end()
            return
        self._keep_away()
        self._time.after(_LOOK_MS, self._look)

    def _keep_away(self) -> None:
        """Nobody called to the meeting comes back before help is called."""
        if self.phase is Phase.BUILDING:
            for agent in self._away:
                if agent.state not in (AgentState.PAUSED, AgentState.OFFLINE) and agent.wish is None:
                    self._floor.leave(agent, AgentState.PAUSED, "Réunion")

    def _help(self) -> None:
        self.phase = Phase.HELPING
        self._stay_ms = self._time.now_ms + STAY_MS
        self._floor.keep_in(self.queue.id)
        for agent in self._away:
            self._time.after(between_ms(self._random, 1, 10), partial(self._floor.come_back, agent))
        for agent, home, queues in self._withdrawn:
            self._floor.serve(agent, home, queues)
        self._withdrawn = []
        for agent in self._lenders():
            self._lent.append((agent, agent.home, agent.queues))
            others = tuple(q for q in agent.queues if q != self.queue.id)
            self._floor.serve(agent, self.queue.id, (self.queue.id, *others))

    def _lenders(self) -> list[Agent]:
        """A few people of the other phone teams, never many of one, so that none suffers."""
        lenders: list[Agent] = []
        for queue in QUEUES:
            if queue.channel is Channel.PHONE and queue is not self.queue:
                team = [a for a in self._floor.team(queue.id) if a.hands or a.state is AgentState.AVAILABLE]
                lenders += team[: max(1, len(team) // 4)]
        return lenders

    def _end(self) -> None:
        self.phase = Phase.QUIET
        for agent, home, queues in self._lent:
            self._floor.serve(agent, home, queues)
        self._lent = []
        self._floor.keep_in(None)
        self._time.after(between_ms(self._random, 1200, 1800), self._next)

    def _next(self) -> None:
        self.queue = _TURNS[(_TURNS.index(BY_ID[self.queue.id]) + 1) % len(_TURNS)]
        self._begin()
