"""Rows, alerts and scenes from a few words each: what a worker would publish at an instant."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from schemas.board import (
    Alert,
    Backlog,
    Limits,
    QueueRow,
    Ratio,
    ServiceLevel,
    SiteRow,
    SourceRow,
    StateCounts,
    Trend,
)
from schemas.vocabulary import LIVE_CHANNELS, AlertState, Attribution, Channel, Freshness, Severity
from tests.unit.api import rows

START_MS = 1_795_181_527_000
"""2026-11-20 14:32:07 in Paris: the instant of the reference pictures' clock."""

SINCE_MS = 1_790_805_600_000
"""2026-10-01 00:00 in Paris: definitions in force since then."""

Row = QueueRow | SiteRow


@dataclass(frozen=True)
class Queue:
    """What a scene says of a queue; waits are seconds at START_MS.

    `items`: open ones of a deferred channel, the age of the oldest by the calendar and by the hours.
    `cleared`: (in time, decided), by the calendar and by the hours.
    """

    id: str
    name: str
    channel: Channel = Channel.PHONE
    wait_s: float | None = None
    waiting: int = 0
    asa_s: float | None = None
    service: tuple[int, int] = (0, 0)
    threshold_s: float = 20
    abandoned: tuple[int, int] | None = None
    occupancy: float | None = None
    slots: float | None = None
    agents: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    limit_s: float = 120
    level: float = 0.4
    heard_ago_s: float = 1
    offered: int | None = None
    items: tuple[int, float, float] | None = None
    cleared: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    changed: dict[str, Any] = field(default_factory=dict)


def queue_row(queue: Queue, now_ms: int) -> QueueRow:
    """The row a worker would write at `now_ms`."""
    entered = [] if queue.wait_s is None else [START_MS - round(queue.wait_s * 1000)]
    soon = queue.changed.get("entered_ms", entered)
    heard_ms = now_ms - round(queue.heard_ago_s * 1000)
    available, contact, wrap, paused, offline = queue.agents
    values: dict[str, Any] = {
        "now_ms": now_ms,
        "label": queue.name,
        "short": queue.name,
        "channel": queue.channel,
        "sources": [source_of(queue.channel)],
        "heard_ms": heard_ms,
        "stale_at_ms": heard_ms + 15_000,
        "limits": Limits(wait_s=queue.limit_s, service_level=0.8),
        "agents": StateCounts(
            available=available, in_contact=contact, wrap_up=wrap, paused=paused, offline=offline
        ),
        "windows": {name: window(queue, now_ms) for name in ("5m", "15m", "30m", "60m", "today")},
        "trend": trend(queue, now_ms),
        "entered_ms": soon,
        "backlog": backlog(queue, now_ms),
    }
    values |= queue.changed
    row = rows.queue_row(queue.id, **values)
    return replace(row, waiting=queue.changed.get("waiting", queue.waiting))


def backlog(queue: Queue, now_ms: int) -> Backlog | None:
    """Of a deferred channel, at `now_ms`; in a scene a queue is always within its hours."""
    if queue.channel in LIVE_CHANNELS:
        return None
    if queue.items is None:
        return Backlog(open=0, promise_s=queue.limit_s)
    open_, oldest_s, business_s = queue.items
    later_s = (now_ms - START_MS) / 1000
    return Backlog(
        open=open_,
        oldest_ms=START_MS - round(oldest_s * 1000),
        oldest_s=oldest_s + later_s,
        oldest_business_s=business_s + later_s,
        promise_s=queue.limit_s,
    )


def window(queue: Queue, now_ms: int) -> Any:
    met, counted = queue.service
    offered = counted if queue.offered is None else queue.offered
    level = rows.window().service_level
    service = ServiceLevel(
        value=met / counted if counted else None,
        numerator=met,
        denominator=counted,
        threshold_s=queue.threshold_s,
        definition=level.definition,
        since_ms=SINCE_MS,
        attribution=Attribution.OFFER,
    )
    is_deferred = queue.channel not in LIVE_CHANNELS
    by_calendar, by_hours = queue.cleared
    lost = queue.abandoned or (0, 0)
    seconds = 0 if queue.occupancy is None else 3600
    return rows.window(
        now_ms,
        offered=offered,
        answered=met,
        abandoned=lost[0],
        left={},
        service_level=service,
        abandonment=None if is_deferred else rows.ratio(*lost),
        asa_s=Ratio(
            value=queue.asa_s, numerator=(queue.asa_s or 0) * 10, denominator=0 if queue.asa_s is None else 10
        ),
        occupancy=rows.ratio((queue.occupancy or 0) * seconds, seconds),
        slots=None if queue.slots is None else rows.ratio(queue.slots * 7200, 7200),
        cleared=rows.ratio(*by_calendar) if is_deferred else None,
        cleared_business=rows.ratio(*by_hours) if is_deferred else None,
    )


def trend(queue: Queue, now_ms: int) -> Trend:
    """A line that wanders around `level` of the limit and ends at the wait of now."""
    wander = [0, 2, 1, 3, 1, 0, -2, -1, 0, -1, 1, 2, 0, 1, -1]
    points: list[float | None] = [queue.limit_s * (queue.level + 0.03 * wander[m % 15]) for m in range(60)]
    wait_s = queue.changed.get("trend_end_s", queue.wait_s)
    if wait_s is None:
        points[-18:] = [None] * 18
    else:
        start = points[50] or 0
        points[50:] = [start + (wait_s - start) * step / 9 for step in range(10)]
    return Trend(from_ms=now_ms // 60_000 * 60_000 - 59 * 60_000, longest_wait_s=points)


SOURCES = {
    Channel.PHONE: "pbx1",
    Channel.CHAT: "chat1",
    Channel.SOCIAL: "hub",
    Channel.EMAIL: "mail",
    Channel.LETTER: "post",
}
LABELS = {"pbx1": "Asterisk Lyon", "hub": "Hub social"}


def source_of(channel: Channel) -> str:
    return SOURCES.get(channel, "pbx1")


def site_row(
    queues: tuple[Queue, ...], now_ms: int, *, alerts: tuple[Alert, ...] = (), **changed: Any
) -> SiteRow:
    """A site whose sources were heard as long ago as their queues say."""
    heard = {source_of(q.channel): q for q in queues}
    sources = []
    for source, queue in heard.items():
        stale = queue.changed.get("freshness") is Freshness.STALE
        never = queue.changed.get("heard_ms", 0) is None
        heard_ms = None if never else queue.changed.get("heard_ms", now_ms - round(queue.heard_ago_s * 1000))
        sources.append(
            SourceRow(
                source=source,
                kind="http",
                label=LABELS.get(source),
                freshness=Freshness.UNKNOWN if never else Freshness.STALE if stale else Freshness.LIVE,
                age_ms=None,
                heard_ms=heard_ms,
                stale_at_ms=None if heard_ms is None else heard_ms + 15_000,
            )
        )
    row = rows.site_row(now_ms=now_ms, alerts=list(alerts), **changed)
    return replace(row, sources=sources, label="Relation client · Lyon", time_zone="Europe/Paris")


def alert(queue: Queue, *, crossed_ago_s: float, **changed: Any) -> Alert:
    """An alert of the wait rule, crossed that long before START_MS."""
    crossed_ms = START_MS - round(crossed_ago_s * 1000)
    values: dict[str, Any] = {
        "alert_id": f"alert-{queue.id}",
        "rule": "wait_over_two_minutes",
        "severity": Severity.CRITICAL,
        "site": "paris",
        "queue": queue.id,
        "channel": queue.channel,
        "team": "n1",
        "state": AlertState.FIRING,
        "metric": "longest_wait_s",
        "value": 120.0,
        "threshold": 120.0,
        "clear": 90.0,
        "crossed_ms": crossed_ms,
        "fired_ms": crossed_ms,
    }
    return Alert(**(values | changed))


@dataclass(frozen=True)
class Scene:
    """Queues and alerts. `rows(now_ms)` are what a worker publishes each second."""

    queues: tuple[Queue, ...]
    alerts: tuple[Alert, ...] = ()
    site: dict[str, Any] = field(default_factory=dict)

    def rows(self, now_ms: int) -> list[Row]:
        site = site_row(self.queues, now_ms, alerts=self.alerts, **self.site)
        return [site, *(queue_row(queue, now_ms) for queue in self.queues)]


def changed(queue: Queue, **values: Any) -> Queue:
    return dataclasses.replace(queue, **values)
