"""Local dates of a site: which instants make up its `today`. SEMANTICS.md §3."""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Day(NamedTuple):
    """One local date as [start_ms, end_ms): 23, 24 or 25 hours. `number` is the date's ordinal."""

    number: int
    start_ms: int
    end_ms: int


class Calendar:
    """The dates of one time zone. Remembers the last few, so that a date costs two comparisons."""

    def __init__(self, time_zone: str) -> None:
        self.time_zone = time_zone
        self._zone = ZoneInfo(time_zone)
        self._days: list[Day] = []

    def day(self, at_ms: int) -> Day:
        """The local date that holds the instant."""
        for day in self._days:
            if day.start_ms <= at_ms < day.end_ms:
                return day
        day = self._compute(at_ms)
        self._days = [day, *self._days[:7]]
        return day

    def local(self, at_ms: int) -> datetime:
        """The instant on the site's wall clock."""
        return datetime.fromtimestamp(at_ms / 1000, self._zone)

    def _compute(self, at_ms: int) -> Day:
        local = self.local(at_ms).date()
        return Day(local.toordinal(), self._midnight(local), self._midnight(local + timedelta(days=1)))

    def _midnight(self, local: date) -> int:
        """The first instant of a local date; where midnight is skipped, the first that exists."""
        naive = datetime(local.year, local.month, local.day, tzinfo=self._zone)
        return int(naive.timestamp() * 1000)
