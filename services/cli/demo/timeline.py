"""Simulated time: what is due when, and what has been said so far, as CloudEvents.

Ids count up, so two events of one instant keep their order by (instant, id). Same actions, same
events, to the byte; how the time is cut into steps changes nothing.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Action = Callable[[], None]


class CloudEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One event as `POST /v1/events` takes it (INTERFACE.md §4)."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: str
    site: str
    data: dict[str, object]


def timestamp(instant_ms: int) -> str:
    """RFC 3339 with milliseconds, without passing through a float."""
    return (_EPOCH + timedelta(milliseconds=instant_ms)).isoformat(timespec="milliseconds")


class Timeline:
    """The clock of the simulation and its diary. `now_ms` moves only inside `run`."""

    def __init__(self, run: str, *, source: str, site: str) -> None:
        self.now_ms = 0
        self._run = run
        self._source = source
        self._site = site
        self._due: list[tuple[int, int, Action]] = []
        self._armed = 0
        self._count = 0
        self._said: list[CloudEvent] = []

    def at(self, instant_ms: int, action: Action) -> None:
        """Has `action` done at `instant_ms`, or now if that is past."""
        self._armed += 1
        heapq.heappush(self._due, (max(instant_ms, self.now_ms), self._armed, action))

    def after(self, delay_ms: int, action: Action) -> None:
        self.at(self.now_ms + delay_ms, action)

    def say(self, name: str, **data: object) -> None:
        """Writes down `vigie.<name>.v1` at the present instant; None fields are left out."""
        self._count += 1
        event = CloudEvent(
            id=f"{self._run}-{self._count:09d}",
            source=self._source,
            type=f"vigie.{name}.v1",
            time=timestamp(self.now_ms),
            site=self._site,
            data={key: value for key, value in data.items() if value is not None},
        )
        self._said.append(event)

    def run(self, until_ms: int) -> list[CloudEvent]:
        """Does all that is due up to and including `until_ms`; returns what was said, in order."""
        while self._due and self._due[0][0] <= until_ms:
            self.now_ms, _, action = heapq.heappop(self._due)
            action()
        self.now_ms = max(self.now_ms, until_ms)
        said, self._said = self._said, []
        return said
