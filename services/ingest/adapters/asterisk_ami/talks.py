"""Talks of agents and the wrap-up behind them, which Asterisk has no event for. Pure.

Wrap-up runs by a timer from AgentComplete: `wrap_up_s` of the source (SOURCES.md §2).
"""

from functools import partial

from schemas.config import SourceConfig
from schemas.vocabulary import EndedBy
from services.ingest.adapters.asterisk_ami.agents import Agent, Agents
from services.ingest.adapters.asterisk_ami.visits import Visit
from services.ingest.facts import Facts
from services.ingest.timers import Timers


class Talks:
    """Open talks and wrap-ups of one source, by agent."""

    def __init__(self, source: SourceConfig, *, facts: Facts, timers: Timers, agents: Agents) -> None:
        self._source = source
        self._facts = facts
        self._timers = timers
        self._agents = agents
        self._talks: dict[str, list[Visit]] = {}

    def end(self, visit: Visit, at_ms: int, *, by: EndedBy | None, inferred: bool = False) -> None:
        """The talk is over; the wrap-up of its queue begins, and ends by a timer."""
        if not visit.is_talking or visit.agent is None:
            return
        agent = self._agents.get(visit.agent)
        visit.talk_ended_ms = at_ms
        agent.calls.discard(visit.segment)
        agent.in_call.discard((visit.raw_queue, visit.interface or ""))
        self._facts.talk_ended(visit, at_ms, agent=visit.agent, by=by, inferred=inferred)
        wrap_ms = self._wrap_up_ms(visit)
        if wrap_ms <= 0:
            self._talks[visit.agent].remove(visit)
            return
        self._facts.wrap_start(visit, at_ms, agent=visit.agent)
        self._wrap_until(visit, at_ms + wrap_ms, agent)

    def go_on(self, visit: Visit) -> None:
        """A talk that began before we did, or the wrap-up behind it, goes on: its end will be told.

        A wrap-up that only the member's own setting measures has none here, and ends as it began.
        """
        if visit.agent is None or not (visit.is_talking or visit.wrap_ends_ms is not None):
            return
        agent = self._agents.get(visit.agent)
        self._talks.setdefault(visit.agent, []).append(visit)
        if visit.wrap_ends_ms is None:
            agent.calls.add(visit.segment)
        else:
            self._wrap_until(visit, visit.wrap_ends_ms + self._wrap_up_ms(visit), agent)

    def of(self, agent: str, interface: str) -> list[Visit]:
        """The open calls of an agent at one phone, and those whose phone was not told."""
        return [
            visit
            for visit in self._talks.get(agent, ())
            if visit.is_talking and visit.interface in (interface, None)
        ]

    def all(self) -> list[Visit]:
        """Every open call."""
        return [visit for talks in self._talks.values() for visit in talks if visit.is_talking]

    def begin(self, visit: Visit, at_ms: int, *, agent: str) -> None:
        """The agent has taken the visit; a wrap-up of his ends with that."""
        for other in self._wrapping(agent):
            self._end_wrap(other, at_ms)
        self._talks.setdefault(agent, []).append(visit)
        self._agents.get(agent).calls.add(visit.segment)

    def _wrap_until(self, visit: Visit, ends_ms: int, agent: Agent) -> None:
        visit.wrap_ends_ms = ends_ms
        agent.wraps.add(visit.segment)
        self._timers.at(ends_ms, partial(self._wrap_is_over, visit))

    def _wrapping(self, agent: str) -> list[Visit]:
        return [visit for visit in self._talks.get(agent, ()) if visit.wrap_ends_ms is not None]

    def _wrap_is_over(self, visit: Visit, now_ms: int) -> None:
        if visit.wrap_ends_ms == now_ms:
            self._end_wrap(visit, now_ms)

    def _end_wrap(self, visit: Visit, at_ms: int) -> None:
        """Ends by its timer, or when the agent takes the next contact."""
        assert visit.agent is not None
        visit.wrap_ends_ms = None
        self._facts.wrap_end(visit, at_ms, agent=visit.agent)
        self._talks[visit.agent].remove(visit)
        self._agents.get(visit.agent).wraps.discard(visit.segment)

    def _wrap_up_ms(self, visit: Visit) -> int:
        return round(self._wrap_up_s(visit) * 1000)

    def _wrap_up_s(self, visit: Visit) -> float:
        """As configured for the queue; the member's own override where nothing is."""
        setting = self._source.wrap_up_s
        if isinstance(setting, dict):
            return setting.get(visit.queue, setting.get(visit.raw_queue, 0.0))
        if setting is not None:
            return setting
        memberships = self._agents.get(visit.agent or "").memberships or {}
        membership = memberships.get((visit.raw_queue, visit.interface or ""))
        return membership.wrap_up_s if membership is not None else 0.0
