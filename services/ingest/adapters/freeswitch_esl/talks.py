"""Talks of agents, hold, and the wrap-up behind them, which mod_callcenter has no event for. Pure.

Wrap-up runs by a timer from bridge-agent-end: `wrap_up_s` of the source, else the agent's own wrap_up_time.
Hold is told by channels: the leg that asks for it, mostly the agent's (switch_channel_mark_hold), or the one
that `uuid_hold` names.
"""

from functools import partial

from schemas.config import SourceConfig
from schemas.vocabulary import EndedBy
from services.ingest.adapters.freeswitch_esl.agents import IN_CALL, WAITING, Agents
from services.ingest.adapters.freeswitch_esl.visits import Contacts, Visit
from services.ingest.facts import Facts
from services.ingest.timers import Timers


class Talks:
    """Open talks and wrap-ups of one source, by agent."""

    def __init__(
        self, source: SourceConfig, contacts: Contacts, *, facts: Facts, timers: Timers, agents: Agents
    ) -> None:
        self._source = source
        self._contacts = contacts
        self._facts = facts
        self._timers = timers
        self._agents = agents
        self._talks: dict[str, list[Visit]] = {}

    def begin(self, visit: Visit) -> None:
        """The visit's agent has taken it; a wrap-up of his ends with that."""
        assert visit.agent is not None
        for other in [each for each in self._talks.get(visit.agent, ()) if each.wrap_ends_ms is not None]:
            self._end_wrap(other, max(visit.accepted_ms or 0, other.talk_ended_ms or 0))
        self._talks.setdefault(visit.agent, []).append(visit)
        self._agents.get(visit.agent).calls.add(visit.segment)
        self._contacts.add_leg(visit.leg, visit)

    def end(
        self,
        visit: Visit,
        at_ms: int,
        *,
        by: EndedBy | None,
        inferred: bool = False,
        has_wrap_up: bool = True,
    ) -> None:
        """The talk is over; the wrap-up begins, and ends by a timer."""
        if not visit.is_talking or visit.agent is None:
            return
        agent = self._agents.get(visit.agent)
        visit.talk_ended_ms = at_ms
        self._unhold(visit, at_ms)
        agent.calls.discard(visit.segment)
        if agent.state == IN_CALL and not agent.calls:
            agent.state = WAITING  # it says so itself, a moment later
        self._facts.talk_ended(visit, at_ms, agent=visit.agent, by=by, inferred=inferred)
        wrap_ms = self._wrap_up_ms(visit) if has_wrap_up else 0
        if wrap_ms <= 0:
            self._talks[visit.agent].remove(visit)
            return
        self._facts.wrap_start(visit, at_ms, agent=visit.agent, inferred=inferred)
        self._wrap_until(visit, at_ms + wrap_ms)

    def go_on(self, visit: Visit) -> None:
        """A talk that began before we did, or the wrap-up behind it, goes on: its end will be told.

        A wrap-up that only the agent's own setting measures has none here, and ends as it began.
        """
        if visit.agent is None or not (visit.is_talking or visit.wrap_ends_ms is not None):
            return
        self._talks.setdefault(visit.agent, []).append(visit)
        if visit.wrap_ends_ms is None:
            self._agents.get(visit.agent).calls.add(visit.segment)
        else:
            self._wrap_until(visit, visit.wrap_ends_ms + self._wrap_up_ms(visit))

    def all(self) -> list[Visit]:
        """Every open talk."""
        return [visit for talks in self._talks.values() for visit in talks if visit.is_talking]

    def hold(self, leg: str, at_ms: int, *, is_start: bool) -> None:
        """A leg of a talk holds it, or does no more; held is it while any does."""
        visit = self._contacts.talk_of(leg)
        if visit is None:
            return
        was_held = bool(visit.holding)
        (visit.holding.add if is_start else visit.holding.discard)(leg)
        if bool(visit.holding) is not was_held:
            self._facts.hold(visit, at_ms, agent=visit.agent, is_start=is_start)

    def rest(self, agent_name: str, now_ms: int, ends_ms: int) -> None:
        """An agent is in a wrap-up whose talk nobody told us of: until then, as mod_callcenter has it."""
        agent = self._agents.get(agent_name)
        if self._source.wrap_up_s is None and ends_ms > now_ms and not agent.wraps:
            agent.wraps.add("")
            self._timers.at(ends_ms, lambda _: self._agents.get(agent_name).wraps.discard(""))

    def _unhold(self, visit: Visit, at_ms: int) -> None:
        if visit.holding:
            visit.holding.clear()
            self._facts.hold(visit, at_ms, agent=visit.agent, is_start=False)

    def _wrap_until(self, visit: Visit, ends_ms: int) -> None:
        assert visit.agent is not None
        visit.wrap_ends_ms = ends_ms
        self._agents.get(visit.agent).wraps.add(visit.segment)
        self._timers.at(ends_ms, partial(self._wrap_is_over, visit))

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
        """As configured for the queue; the agent's own where nothing is."""
        setting = self._source.wrap_up_s
        if isinstance(setting, dict):
            return round(1000 * setting.get(visit.queue, setting.get(visit.raw_queue, 0.0)))
        if setting is not None:
            return round(1000 * setting)
        return 1000 * self._agents.get(visit.agent or "").wrap_up_s
