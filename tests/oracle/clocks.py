"""How far each source's clock is off, from all its readings at once. SEMANTICS.md §2."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from schemas.events import AnyEvent, SourceHeartbeat

AHEAD_MS, BEHIND_MS = 300_000, 86_400_000
"""A reading beyond is none."""
SPAN_MS = 300_000
FLOOR_MS = 250


def skews(events: Iterable[AnyEvent]) -> dict[tuple[str, str], int]:
    """Milliseconds to add to a source's instants, by (site, source), where its clock is off by more
    than 250 ms: the median of received − clock over the last 5 minutes of its clock."""
    readings: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for event in events:
        if isinstance(event, SourceHeartbeat) and event.clock_ms is not None:
            clock_ms, received_ms = event.clock_ms, event.received_ms
            if -AHEAD_MS <= received_ms - clock_ms <= BEHIND_MS:
                own = readings[event.site, event.source]
                own[clock_ms] = min(own.get(clock_ms, received_ms), received_ms)
    found = {}
    for key, own in readings.items():
        since_ms = max(own) - SPAN_MS
        skew_ms = round(median(received - clock for clock, received in own.items() if clock > since_ms))
        if abs(skew_ms) > FLOOR_MS:
            found[key] = skew_ms
    return found
