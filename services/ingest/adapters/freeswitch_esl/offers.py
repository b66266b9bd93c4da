"""Agents rung for a visit: how each attempt began and ended. Pure.

An attempt is called by agent and instant of its agent-offering, so that whoever hears it calls it the same.
ORIGINATOR_CANCEL is what a caller who hangs up leaves, but also a time-out, or an agent who logs out: it is
held until the visit's own end is known. Who answers second gets no event at all: his attempt ends with his
state.
"""

from functools import partial

from schemas.vocabulary import OfferEnd, Outcome
from services.ingest.adapters.freeswitch_esl.visits import Attempt, Visit
from services.ingest.facts import Facts
from services.ingest.timers import Timers

HELD_MS = 2_000
"""How long the end of an attempt waits for that of its visit, which itself may be held for a second."""
UNSAID_MS = 5_000
"""How long after the end of a visit its attempts may still be told to have ended."""


class Offers:
    """All attempts of one source."""

    def __init__(self, *, facts: Facts, timers: Timers) -> None:
        self._facts = facts
        self._timers = timers
        self._by_agent: dict[str, list[tuple[Visit, Attempt]]] = {}

    def begin(self, visit: Visit, agent: str, at_ms: int, *, is_told: bool = False) -> None:
        """The agent's phone rings for the visit. `is_told`: the log has it from before we started."""
        key = f"{agent}@{at_ms}"
        if key in visit.attempts or visit.closed.get(agent, -1) >= at_ms:
            return
        attempt = visit.attempts[key] = Attempt(key, agent, at_ms)
        self._by_agent.setdefault(agent, []).append((visit, attempt))
        if not is_told:
            self._facts.offered(visit, at_ms, agent=agent, attempt=key)

    def fail(self, visit: Visit, agent: str, at_ms: int, *, cause: str, called_ms: int | None) -> None:
        """The attempt has ended, with that hang-up cause; one that was not heard of is told by its end."""
        attempt = self._open(visit, agent) or self._unseen(visit, agent, at_ms, called_ms)
        if attempt is None or attempt.gone_ms is not None:
            return
        if cause == "LOSE_RACE":
            self._end(visit, attempt, at_ms, reason=OfferEnd.LOST_RACE)
        elif cause == "ORIGINATOR_CANCEL":
            self._hold(visit, attempt, at_ms)
        else:
            self._close(visit, attempt)
            self._facts.no_answer(visit, at_ms, agent=agent, attempt=attempt.key)

    def give_up(self, visit: Visit, agent: str, at_ms: int) -> None:
        """The agent answered and was not bridged."""
        attempt = self._open(visit, agent)
        if attempt is not None and attempt.gone_ms is None:
            self._hold(visit, attempt, at_ms)

    def stopped(self, agent: str, at_ms: int, *, held_ms: int) -> None:
        """The agent is free again: attempts from before are over, unless their end is said by then."""
        for visit, attempt in self._by_agent.get(agent, ()):
            if attempt.gone_ms is None and attempt.at_ms <= at_ms:
                self._timers.at(at_ms + held_ms, partial(self._end_unsaid, visit, attempt, at_ms))

    def settled(self, visit: Visit, at_ms: int) -> None:
        """The visit is over: that is why attempts ended which have, and the others will."""
        for attempt in list(visit.attempts.values()):
            if visit.accepted_ms is not None and attempt.agent == visit.agent:
                self._close(visit, attempt)
            elif attempt.gone_ms is not None:
                self._end(visit, attempt, attempt.gone_ms, reason=_reason(visit))
            else:
                self._timers.at(at_ms + UNSAID_MS, partial(self._end_unsaid, visit, attempt, at_ms))

    def drop(self, visit: Visit, at_ms: int) -> None:
        """The visit is lost, its attempts with it."""
        for attempt in list(visit.attempts.values()):
            self._end(visit, attempt, max(at_ms, attempt.at_ms), reason=OfferEnd.CANCELLED, inferred=True)

    def close_told(self, visit: Visit, key: str) -> None:
        """The log has the end of this attempt from before we started."""
        agent, _, at_ms = key.rpartition("@")
        if at_ms.isascii() and at_ms.isdigit():
            self._close(visit, visit.attempts.get(key) or Attempt(key, agent, int(at_ms[:16])))

    def _open(self, visit: Visit, agent: str) -> Attempt | None:
        return next((each for each in reversed(visit.attempts.values()) if each.agent == agent), None)

    def _unseen(self, visit: Visit, agent: str, at_ms: int, called_ms: int | None) -> Attempt | None:
        """One whose beginning was missed; None where its end was told before. Seconds are cut down."""
        began_ms = called_ms if called_ms is not None else at_ms
        if visit.closed.get(agent, -1) >= began_ms - 1000:
            return None
        return Attempt(f"{agent}@{began_ms}", agent, began_ms)

    def _hold(self, visit: Visit, attempt: Attempt, at_ms: int) -> None:
        if visit.outcome is not None:
            self._end(visit, attempt, at_ms, reason=_reason(visit))
            return
        attempt.gone_ms = at_ms
        visit.attempts[attempt.key] = attempt
        self._timers.at(at_ms + HELD_MS, partial(self._end_held, visit, attempt))

    def _end_held(self, visit: Visit, attempt: Attempt, _now_ms: int) -> None:
        if attempt.key in visit.attempts and attempt.gone_ms is not None:
            self._end(visit, attempt, attempt.gone_ms, reason=_reason(visit))

    def _end_unsaid(self, visit: Visit, attempt: Attempt, ended_ms: int, _now_ms: int) -> None:
        if attempt.key in visit.attempts and attempt.gone_ms is None and visit.answer is None:
            self._end(visit, attempt, max(ended_ms, attempt.at_ms), reason=_reason(visit), inferred=True)

    def _end(
        self, visit: Visit, attempt: Attempt, at_ms: int, *, reason: OfferEnd, inferred: bool = False
    ) -> None:
        self._close(visit, attempt)
        self._facts.offer_ended(
            visit, at_ms, agent=attempt.agent, attempt=attempt.key, reason=reason, inferred=inferred
        )

    def _close(self, visit: Visit, attempt: Attempt) -> None:
        visit.attempts.pop(attempt.key, None)
        visit.closed[attempt.agent] = max(visit.closed.get(attempt.agent, -1), attempt.at_ms)
        left = [each for each in self._by_agent.get(attempt.agent, ()) if each[1].key != attempt.key]
        self._by_agent[attempt.agent] = left
        if not left:
            del self._by_agent[attempt.agent]


def _reason(visit: Visit) -> OfferEnd:
    """Why the attempts of a visit ended, by how it did."""
    if visit.accepted_ms is not None:
        return OfferEnd.LOST_RACE
    return OfferEnd.CALLER_LEFT if visit.outcome is Outcome.ABANDONED else OfferEnd.CANCELLED
