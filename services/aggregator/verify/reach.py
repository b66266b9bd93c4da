"""How far back the log still tells, and what of a row or an alert follows from it alone.

`vigie.events` keeps 7 days. What was told before lives on in the state only: who is agent and in
which state, who has been waiting for longer, how the sources stood, items that entered before.
"""

from msgspec import Struct

from schemas.board import AgentRow, Alert, QueueRow, SiteRow
from schemas.codec import Row

_DAY_MS = 86_400_000
_BEYOND_DAY_MS = 26 * 3_600_000
"""A day with a change of the clock, and the hour by which facts may come late."""
_STATE = ("agents", "sources", "heard_ms", "stale_at_ms", "freshness", "told_ms")
_TIMES = ("occupancy", "slots", "cleared")


class Reach(Struct, frozen=True):
    """`since_ms`: append time of the first event that is there; None: the log is whole."""

    since_ms: int | None = None

    WITHOUT = "agents, occupancy, slots, sources and items cleared, of which a part may be older than the log"

    @property
    def is_whole(self) -> bool:
        return self.since_ms is None

    def covers(self, row: Row) -> bool:
        """Whether the row's figures of contacts follow from what is left of the log."""
        if self.since_ms is None:
            return True
        if isinstance(row, AgentRow | SiteRow) or row.as_of_ms - self.since_ms < _BEYOND_DAY_MS:
            return False
        return self._is_young(row)

    def counts(self, line: str) -> bool:
        """Whether a line of difference is about something that follows from what is left of the log."""
        path = line.split(":", 1)[0]
        is_older = path.startswith(_STATE) or any(word in path for word in _TIMES)
        return self.since_ms is None or not is_older

    def includes(self, alert: Alert) -> bool:
        """Whether the waits that led to the alert are all in the log."""
        return self.since_ms is None or alert.crossed_ms - self.since_ms > _DAY_MS

    def _is_young(self, row: QueueRow) -> bool:
        items_ms = row.backlog.oldest_ms if row.backlog is not None else None
        oldest_ms = min(ms for ms in (row.oldest_entered_ms, items_ms, row.as_of_ms) if ms is not None)
        return oldest_ms > (self.since_ms or 0)
