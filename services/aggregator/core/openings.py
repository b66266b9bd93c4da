"""When the queues of a site are open. SEMANTICS.md §12."""

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.config import QueueConfig
from schemas.hours import Hours, is_open, next_change


class Openings:
    """Opening hours in one time zone; an answer is kept until it changes."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._known: dict[str, tuple[bool, int | None]] = {}

    def of(self, queue: QueueConfig, now_ms: int) -> tuple[bool, int | None]:
        """Whether the queue is open now, and when that changes; without hours it always is."""
        if queue.hours is None:
            return True, None
        known = self._known.get(queue.id)
        if known is None or (known[1] is not None and now_ms >= known[1]):
            hours = Hours.parse(queue.hours)
            local = datetime.fromtimestamp(now_ms / 1000, self._zone)
            known = is_open(hours, local), next_change(hours, now_ms, self._zone)
            self._known[queue.id] = known
        return known
