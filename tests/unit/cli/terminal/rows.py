"""A site with queues in every state, made by hand: what the rendering tests look at."""

from msgspec.structs import replace

from schemas.board import (
    Alert,
    Backlog,
    Limits,
    PreBreach,
    QueueRow,
    Ratio,
    ServiceLevel,
    SourceRow,
    StateCounts,
    Trend,
    Window,
)
from schemas.vocabulary import (
    AlertState,
    Attribution,
    Channel,
    Freshness,
    ServiceLevelDefinition,
    Severity,
    WindowName,
)
from services.cli.terminal.frames import Picture, SiteBoard

NOW_MS = 1_795_345_200_000
"""12:00:00 in Lyon."""


def window(*, met: int = 60, counted: int = 72, abandoned: int = 3, asa_s: float | None = 14.2) -> Window:
    return Window(
        from_ms=NOW_MS - 900_000,
        to_ms=NOW_MS,
        offered=counted,
        answered=counted - abandoned,
        abandoned=abandoned,
        short_abandoned=0,
        left={},
        waiting=0,
        waiting_past_threshold=0,
        left_past_threshold=0,
        late=0,
        duplicates=0,
        service_level=ServiceLevel(
            value=met / counted if counted else None,
            numerator=met,
            denominator=counted,
            threshold_s=20,
            definition=ServiceLevelDefinition.ALL_ABANDONS_COUNT_AGAINST,
            since_ms=0,
            attribution=Attribution.OFFER,
        ),
        abandonment=Ratio(
            value=abandoned / counted if counted else None, numerator=abandoned, denominator=counted
        ),
        asa_s=Ratio(value=asa_s),
        aht_s=Ratio(),
        wait_p50_s=None,
        wait_p90_s=None,
        longest_wait_s=None,
        occupancy=Ratio(),
    )


def queue(
    name: str,
    *,
    label: str,
    waiting: int = 2,
    waits_s: float | None = 48.0,
    freshness: Freshness = Freshness.LIVE,
    heard_ms: int | None = NOW_MS - 1000,
    soon: int = 0,
    seen: Window | None = None,
    is_open: bool = True,
    backlog: Backlog | None = None,
) -> QueueRow:
    return QueueRow(
        site="lyon",
        queue=name,
        label=label,
        short=label[:17],
        channel=Channel.PHONE,
        team=None,
        sources=["demo"],
        as_of_ms=NOW_MS,
        heard_ms=heard_ms,
        stale_at_ms=None,
        behind_s=0,
        open=is_open,
        changes_ms=None,
        limits=Limits(wait_s=120, service_level=0.8),
        freshness=freshness,
        age_ms=None if heard_ms is None else NOW_MS - heard_ms,
        waiting=waiting,
        oldest_entered_ms=None if waits_s is None else NOW_MS - round(waits_s * 1000),
        longest_wait_s=waits_s,
        pre_breach=PreBreach(threshold_s=120, within_s=30, count=soon),
        agents=StateCounts(available=4),
        windows={WindowName.M15: seen or window()},
        trend=Trend(),
        backlog=backlog,
    )


def alert(
    name: str, *, state: AlertState = AlertState.FIRING, severity: Severity = Severity.CRITICAL
) -> Alert:
    return Alert(
        alert_id=f"{name}-{state.value}",
        rule="wait_over_two_minutes",
        severity=severity,
        site="lyon",
        queue=name,
        channel=Channel.PHONE,
        team=None,
        state=state,
        metric="longest_wait_s",
        value=120.0,
        threshold=120.0,
        crossed_ms=NOW_MS - 12_000,
        fired_ms=NOW_MS - 12_000,
    )


def site(*queues: QueueRow) -> SiteBoard:
    return SiteBoard(
        site="lyon",
        time_zone="Europe/Paris",
        as_of_ms=NOW_MS,
        freshness=Freshness.LIVE,
        age_ms=1000,
        heard_ms=NOW_MS - 1000,
        stale_at_ms=None,
        behind_s=0,
        sources=[],
        agents=StateCounts(),
        windows={},
        queues=queues,
    )


def silent(place: SiteBoard) -> SiteBoard:
    source = SourceRow(
        source="hub",
        kind="http",
        label="Hub social",
        freshness=Freshness.STALE,
        age_ms=252_000,
        heard_ms=NOW_MS - 252_000,
    )
    return replace(place, sources=[source])


def picture(*queues: QueueRow, alerts: tuple[Alert, ...] = (), cut_ms: int | None = None) -> Picture:
    return Picture(epoch="e", seq=1, as_of_ms=NOW_MS, sites=(site(*queues),), alerts=alerts, cut_ms=cut_ms)
