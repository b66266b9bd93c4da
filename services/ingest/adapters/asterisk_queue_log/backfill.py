"""What of a log's past is told at the first start: what happened since an instant, and what still goes on.

Pure. The whole file is translated, because only so the n-th visit of a call is known as the n-th, and an
agent as a member; what was before the instant is held back, and told when the instant is reached for the
calls that are open then, and as the last word of each agent.
"""

from schemas.events import (
    AgentStateChanged,
    ContactCreated,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    SourceHeartbeat,
    TalkEnded,
)
from schemas.vocabulary import Outcome

OPEN_MS = 86_400_000
"""A call that nothing was written of for so long before the instant is not going on: its end was lost."""


class Backfill:
    """Holds back what is older than `since_ms`, until `finish`, or something that is not."""

    def __init__(self, since_ms: int) -> None:
        self.is_over = False
        self.since_ms = since_ms
        self._calls: dict[str, list[SourceEvent]] = {}
        self._visits: dict[str, int] = {}
        self._agents: dict[str, SourceEvent] = {}

    def take(self, events: list[SourceEvent]) -> list[SourceEvent]:
        """What is to be told now, of one line's events."""
        out: list[SourceEvent] = []
        for event in events:
            if not self.is_over and event.occurred_ms >= self.since_ms:
                out += self.finish()
            if self.is_over:
                out.append(event)
            else:
                self._hold(event)
        return out

    def finish(self) -> list[SourceEvent]:
        """What was held back and goes on, in the order of time: from here on everything is told."""
        self.is_over = True
        from_ms = self.since_ms - OPEN_MS
        calls = [held for held in self._calls.values() if held[-1].occurred_ms >= from_ms]
        found = [*self._agents.values(), *(event for held in calls for event in held)]
        self._calls, self._visits, self._agents = {}, {}, {}
        return sorted(found, key=lambda event: event.occurred_ms)

    def _hold(self, event: SourceEvent) -> None:
        if isinstance(event, AgentStateChanged):
            self._agents[event.agent] = event
            return
        if isinstance(event, SourceHeartbeat):
            return
        contact = event.contact
        if contact not in self._calls and not isinstance(event, ContactCreated | QueueEntered):
            return  # of a call that is over: its wrap-up
        self._visits[contact] = self._visits.get(contact, 0) + _opens(event)
        self._calls.setdefault(contact, []).append(event)
        if self._visits[contact] <= 0 and _opens(event) < 0:
            del self._calls[contact], self._visits[contact]


def _opens(event: SourceEvent) -> int:
    """How many visits more are open after the event."""
    if isinstance(event, QueueEntered):
        return 1
    is_over = isinstance(event, TalkEnded) or (
        isinstance(event, QueueLeft) and event.outcome is not Outcome.ANSWERED
    )
    return -1 if is_over else 0
