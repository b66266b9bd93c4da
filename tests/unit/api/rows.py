"""Example rows: one call gives a whole row; whatever matters to a test is named."""

from typing import Any

from schemas.board import (
    AgentRow,
    Alert,
    Backlog,
    Limits,
    QueueRow,
    Ratio,
    ServiceLevel,
    SiteRow,
    SiteWindow,
    SourceRow,
    StateCounts,
    Trend,
    Window,
)
from schemas.vocabulary import (
    AgentState,
    AlertState,
    Attribution,
    Channel,
    Freshness,
    ServiceLevelDefinition,
    Severity,
    WindowName,
)
from services.api.board import Key

NOW = 1_795_321_254_000
"""Some instant, in epoch ms."""

_LENGTH_MS = {
    WindowName.M5: 300_000,
    WindowName.M15: 900_000,
    WindowName.M30: 1_800_000,
    WindowName.M60: 3_600_000,
    WindowName.TODAY: 28_800_000,
}


def ratio(numerator: float, denominator: float) -> Ratio:
    value = numerator / denominator if denominator else None
    return Ratio(value=value, numerator=numerator, denominator=denominator)


def window(now_ms: int = NOW, *, length_ms: int = 900_000, **changed: Any) -> Window:
    """72 offered: 60 answered (52 in time), 9 abandoned, 1 transferred, 2 waiting."""
    values: dict[str, Any] = {
        "from_ms": now_ms - length_ms,
        "to_ms": now_ms,
        "offered": 72,
        "answered": 60,
        "abandoned": 9,
        "short_abandoned": 1,
        "left": {"timeout": 0, "transferred": 1},
        "waiting": 2,
        "waiting_past_threshold": 1,
        "left_past_threshold": 0,
        "late": 0,
        "duplicates": 3,
        "service_level": ServiceLevel(
            value=52 / 70,
            numerator=52,
            denominator=70,
            threshold_s=20,
            definition=ServiceLevelDefinition.ALL_ABANDONS_COUNT_AGAINST,
            since_ms=NOW - 86_400_000,
            attribution=Attribution.OFFER,
        ),
        "abandonment": ratio(9, 72),
        "asa_s": ratio(852.0, 60),
        "aht_s": ratio(12_050.0, 50),
        "wait_p50_s": 11.0,
        "wait_p90_s": 38.0,
        "longest_wait_s": 131.0,
        "occupancy": ratio(2808.0, 3600.0),
    }
    return Window(**{**values, **changed})


def empty_window(now_ms: int = NOW, *, length_ms: int = 900_000) -> Window:
    """Nothing happened: counts are 0, ratios have no value."""
    level = window().service_level
    return window(
        now_ms,
        length_ms=length_ms,
        offered=0,
        answered=0,
        abandoned=0,
        short_abandoned=0,
        left={},
        waiting=0,
        waiting_past_threshold=0,
        duplicates=0,
        service_level=ServiceLevel(
            threshold_s=20,
            definition=level.definition,
            since_ms=level.since_ms,
            attribution=level.attribution,
        ),
        abandonment=Ratio(),
        asa_s=Ratio(),
        aht_s=Ratio(),
        wait_p50_s=None,
        wait_p90_s=None,
        longest_wait_s=None,
        occupancy=Ratio(),
    )


def trend(now_ms: int = NOW) -> Trend:
    return Trend(
        from_ms=now_ms // 60_000 * 60_000 - 59 * 60_000,
        offered=[5] * 60,
        abandoned=[1] * 60,
        service_level=[0.8] * 59 + [None],
        longest_wait_s=[20.0 + minute for minute in range(60)],
    )


BACKLOG = Backlog(
    open=7, oldest_ms=NOW - 90_000_000, oldest_s=90_000, oldest_business_s=36_000, promise_s=172_800
)
"""Of a mail queue: the oldest came in yesterday, 25 hours ago, 10 of them in its hours."""


def queue_row(queue: str = "support", *, now_ms: int = NOW, entered_ms: Any = (), **changed: Any) -> QueueRow:
    """A live queue; those who wait are given by the instants they entered, oldest first."""
    entered = list(entered_ms)
    values: dict[str, Any] = {
        "site": "paris",
        "queue": queue,
        "label": queue.title(),
        "short": queue.title()[:17],
        "channel": Channel.PHONE,
        "team": "n1",
        "sources": ["pbx1"],
        "as_of_ms": now_ms,
        "heard_ms": now_ms - 120,
        "stale_at_ms": now_ms + 15_000,
        "behind_s": 0.0,
        "open": True,
        "changes_ms": None,
        "limits": Limits(wait_s=120, service_level=0.8),
        "freshness": Freshness.LIVE,
        "age_ms": None,
        "waiting": len(entered),
        "oldest_entered_ms": entered[0] if entered else None,
        "longest_wait_s": None,
        "pre_breach": None,
        "agents": StateCounts(available=2, in_contact=5, wrap_up=1, paused=1, offline=4),
        "windows": {name: window(now_ms, length_ms=length) for name, length in _LENGTH_MS.items()},
        "trend": trend(now_ms),
        "entered_ms": entered,
    }
    return QueueRow(**{**values, **changed})


def source_row(source: str = "pbx1", *, now_ms: int = NOW, **changed: Any) -> SourceRow:
    values: dict[str, Any] = {
        "source": source,
        "kind": "asterisk_ami",
        "freshness": Freshness.LIVE,
        "age_ms": None,
        "heard_ms": now_ms - 90,
        "stale_at_ms": now_ms + 15_000,
    }
    return SourceRow(**{**values, **changed})


def site_row(site: str = "paris", *, now_ms: int = NOW, **changed: Any) -> SiteRow:
    """A live site with one source and no alerts."""
    values: dict[str, Any] = {
        "site": site,
        "time_zone": "Europe/Paris",
        "as_of_ms": now_ms,
        "freshness": Freshness.LIVE,
        "age_ms": None,
        "heard_ms": now_ms - 90,
        "stale_at_ms": now_ms + 15_000,
        "behind_s": 0.0,
        "sources": [source_row(now_ms=now_ms)],
        "agents": StateCounts(available=4, in_contact=9, offline=4),
        "windows": {name: SiteWindow(occupancy=ratio(2808.0, 3600.0)) for name in WindowName},
    }
    return SiteRow(**{**values, **changed})


def agent_row(agent: str = "lea", *, now_ms: int = NOW, **changed: Any) -> AgentRow:
    values: dict[str, Any] = {
        "site": "paris",
        "agent": agent,
        "state": AgentState.AVAILABLE,
        "since_ms": now_ms - 60_000,
        "reason": None,
        "queues": ["support"],
        "as_of_ms": now_ms,
    }
    return AgentRow(**{**values, **changed})


def alert(alert_id: str = "00000000000000a1", *, now_ms: int = NOW, **changed: Any) -> Alert:
    """Firing since a second ago: somebody waits longer than two minutes."""
    values: dict[str, Any] = {
        "alert_id": alert_id,
        "rule": "wait_over_two_minutes",
        "severity": Severity.CRITICAL,
        "site": "paris",
        "queue": "support",
        "channel": Channel.PHONE,
        "team": "n1",
        "state": AlertState.FIRING,
        "metric": "longest_wait_s",
        "value": 120.0,
        "threshold": 120.0,
        "crossed_ms": now_ms - 1000,
        "fired_ms": now_ms - 1000,
        "clear": 90.0,
        "updated_ms": now_ms - 1000,
    }
    return Alert(**{**values, **changed})


def key_of(row: QueueRow | AgentRow | SiteRow) -> Key:
    """The key under which the row travels."""
    if isinstance(row, QueueRow):
        return ("queue", row.site, row.queue)
    return ("agent", row.site, row.agent) if isinstance(row, AgentRow) else ("site", row.site)
