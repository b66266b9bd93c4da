"""Sources: heard when, how far off their clock is, fresh or not. SEMANTICS.md §2, §6."""

from statistics import median

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.events import AHEAD_MS
from schemas.vocabulary import LIVE_CHANNELS, Channel

STALE_AFTER_LIVE_MS = 15_000
STALE_AFTER_DEFERRED_MS = 300_000
LATENESS_MS = 60 * 60_000
_SKEW_SPAN_MS = 300_000
_SKEW_FLOOR_MS = 250
_BEHIND_MS = 24 * 60 * 60_000
"""A clock further behind is none that tells the time: one in seconds, one that starts at 0."""


class Source(Struct, array_like=True):
    """What is known of one source of a site.

    `newest_ms` is the latest instant it ever told, the mark that lateness is measured from.
    `clocks` are (received, received - clock) of its readings of the last 5 minutes of its clock.
    """

    name: str
    heard_ms: int | None = None
    own_heartbeat: bool = False
    newest_ms: int = 0
    clocks: list[tuple[int, int]] = []
    skew_ms: int = 0

    def hear(self, occurred_ms: int, received_ms: int) -> None:
        """Something came from it."""
        if self.heard_ms is None or received_ms > self.heard_ms:
            self.heard_ms = received_ms
        if occurred_ms > self.newest_ms:
            self.newest_ms = occurred_ms

    def beat(self, received_ms: int, clock_ms: int | None) -> None:
        """A heartbeat of its own; `clock_ms` where its clock can be asked.

        A reading that comes again is as old as its first receipt, and one of more than 5 minutes before
        the newest is news no more: so repeats and order change nothing.
        """
        self.own_heartbeat = True
        if clock_ms is None or not -AHEAD_MS <= received_ms - clock_ms <= _BEHIND_MS:
            return
        readings = {received - difference: received for received, difference in self.clocks}
        readings[clock_ms] = min(received_ms, readings.get(clock_ms, received_ms))
        since = max(readings) - _SKEW_SPAN_MS
        self.clocks = [(at, at - clock) for clock, at in sorted(readings.items()) if clock > since]
        skew = round(median(difference for _, difference in self.clocks))
        self.skew_ms = skew if abs(skew) > _SKEW_FLOOR_MS else 0

    def is_late(self, occurred_ms: int) -> bool:
        """Whether a fact comes beyond the lateness bound, behind the source's own newest instant."""
        return occurred_ms < self.newest_ms - LATENESS_MS


def stale_after_ms(config: SourceConfig | None, channel: Channel) -> int:
    """How long a source may be silent before a queue of this channel is stale."""
    if config is not None and config.stale_after_s is not None:
        return int(config.stale_after_s * 1000)
    return STALE_AFTER_LIVE_MS if channel in LIVE_CHANNELS else STALE_AFTER_DEFERRED_MS


class Heard(Struct, frozen=True):
    """When a queue, source or site was last heard, and from when on it is stale without more."""

    heard_ms: int | None
    stale_at_ms: int | None

    def later(self, ms: int) -> "Heard":
        """The same, stale so much later."""
        if not ms or self.stale_at_ms is None:
            return self
        return Heard(self.heard_ms, self.stale_at_ms + ms)

    def is_stale(self, now_ms: int) -> bool:
        return self.stale_at_ms is not None and now_ms >= self.stale_at_ms


NEVER = Heard(None, None)


def heard(source: Source, ingest_ms: int | None, limit_ms: int) -> Heard:
    """One source: by its own voice if it ever sent a heartbeat, else by ingest's (SEMANTICS.md §6)."""
    if source.own_heartbeat:
        return NEVER if source.heard_ms is None else Heard(source.heard_ms, source.heard_ms + limit_ms)
    if source.heard_ms is None:
        return NEVER
    at_ms = max(source.heard_ms, ingest_ms or 0)
    return Heard(at_ms, at_ms + STALE_AFTER_LIVE_MS)


def quietest(several: list[Heard]) -> Heard:
    """Of several sources, what holds for a figure made of all: the first to be stale decides."""
    known = [h for h in several if h.heard_ms is not None]
    if not known:
        return NEVER
    return min(known, key=lambda h: (h.stale_at_ms or 0, h.heard_ms or 0))
