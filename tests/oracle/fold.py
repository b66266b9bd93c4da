"""Every figure of every queue at one instant, from a whole history in any order.

SEMANTICS.md §3 (windows, attribution, trend), §4 (service level, abandonment), §5 (occupancy).
`late`, `duplicates` and `since_ms` are left at 0: they tell about the way, not about the facts.
A source's clock that is off moves waits in progress and nothing else (§2).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.board import Backlog, Ratio, SiteWindow, StateCounts, Trend, Window
from schemas.config import Config, QueueConfig
from schemas.events import EVERY_SITE, AnyEvent
from schemas.vocabulary import LIVE_CHANNELS, Channel, Outcome, WindowName
from tests.oracle.agents import Span, agents, occupancy, state_counts
from tests.oracle.facts import distinct
from tests.oracle.items import backlog_of, cleared, decisions
from tests.oracle.service_level import (
    abandonment_of,
    attributed,
    has_left_otherwise,
    parts_of,
    service_level_of,
)
from tests.oracle.silence import without_silent
from tests.oracle.slots import Slots, slot_occupancy, slots
from tests.oracle.visits import Visit, channels_seen, visits

BUCKET_MS = 10_000
MINUTE_MS = 60_000
POINTS = 60
LENGTH_MS = {
    WindowName.M5: 5 * MINUTE_MS,
    WindowName.M15: 15 * MINUTE_MS,
    WindowName.M30: 30 * MINUTE_MS,
    WindowName.M60: 60 * MINUTE_MS,
}


class Figures(Struct, frozen=True, kw_only=True):
    """One queue, by the names of `schemas.board.QueueRow`."""

    channel: Channel
    windows: dict[WindowName, Window]
    waiting: int
    oldest_entered_ms: int | None
    agents: StateCounts
    trend: Trend
    backlog: Backlog | None


class SiteFigures(Struct, frozen=True, kw_only=True):
    """A site's agents, each once, by the names of `schemas.board.SiteRow`."""

    agents: StateCounts
    windows: dict[WindowName, SiteWindow]


def figures(events: Iterable[AnyEvent], config: Config, *, now_ms: int) -> dict[tuple[str, str], Figures]:
    """Each queue's figures by (site, queue): the configured ones and those that were entered."""
    known = distinct(events)
    channels = channels_seen(known)
    all_visits = visits(known, config, now_ms=now_ms)
    uncut = agents(known, config)
    lives = without_silent(uncut, known, config, now_ms=now_ms)
    all_slots = slots(lives, uncut, known, config)
    keys = {(q.site, q.id) for q in config.queues} | {(v.site, v.queue) for v in all_visits}
    found = {}
    for site, queue in sorted(keys):
        settings = config.queue(site, queue, channels.get((site, queue)))
        own = [v for v in all_visits if (v.site, v.queue) == (site, queue)]
        at_site = [life for (where, _), life in lives.items() if where == site]
        of_site = [agent for (where, _), agent in all_slots.items() if where == site]
        zone = ZoneInfo(config.site(site).time_zone)
        found[site, queue] = _queue_figures(own, at_site, of_site, settings, zone=zone, now_ms=now_ms)
    return found


def site_figures(events: Iterable[AnyEvent], config: Config, *, now_ms: int) -> dict[str, SiteFigures]:
    """Each site's agents by state and their occupancy, over all sites named anywhere."""
    known = distinct(events)
    lives = without_silent(agents(known, config), known, config, now_ms=now_ms)
    sites = {s.id for s in config.sites} | {e.site for e in known} - {EVERY_SITE}
    found = {}
    for site in sorted(sites):
        zone = ZoneInfo(config.site(site).time_zone)
        own = [life for (where, _), life in lives.items() if where == site]
        found[site] = SiteFigures(
            agents=state_counts(own, now_ms, queue=None),
            windows={
                name: SiteWindow(
                    occupancy=occupancy(own, window_from_ms(name, now_ms, zone), now_ms, queue=None)
                )
                for name in WindowName
            },
        )
    return found


def window_from_ms(name: WindowName, now_ms: int, zone: ZoneInfo) -> int:
    """The first instant of the window: floor(now, 10 s) + 10 s − W, or of the local date."""
    if name is WindowName.TODAY:
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
        return round(datetime(local.year, local.month, local.day, tzinfo=zone).timestamp() * 1000)
    return now_ms // BUCKET_MS * BUCKET_MS + BUCKET_MS - LENGTH_MS[name]


def _queue_figures(
    own: Sequence[Visit],
    at_site: Sequence[Sequence[Span]],
    of_site: Sequence[Slots],
    settings: QueueConfig,
    *,
    zone: ZoneInfo,
    now_ms: int,
) -> Figures:
    still = [v.since_ms for v in own if v.outcome is None]
    return Figures(
        channel=settings.channel,
        windows={
            name: _window(name, own, at_site, of_site, settings=settings, zone=zone, now_ms=now_ms)
            for name in WindowName
        },
        waiting=len(still),
        oldest_entered_ms=min(still, default=None),
        agents=state_counts(at_site, now_ms, queue=settings.id),
        trend=_trend(own, settings, now_ms=now_ms),
        backlog=backlog_of(own, settings, zone=zone, now_ms=now_ms),
    )


def _window(
    name: WindowName,
    own: Sequence[Visit],
    at_site: Sequence[Sequence[Span]],
    of_site: Sequence[Slots],
    *,
    settings: QueueConfig,
    zone: ZoneInfo,
    now_ms: int,
) -> Window:
    from_ms = window_from_ms(name, now_ms, zone)

    def is_of_the_day(visit: Visit) -> bool:
        if name is not WindowName.TODAY:
            return True
        return window_from_ms(WindowName.TODAY, visit.entered_ms, zone) == from_ms

    entered = [v for v in own if v.entered_ms >= from_ms and is_of_the_day(v)]
    decided = attributed(own, settings, now_ms=now_ms)
    judged = [v for v, at_ms in decided if at_ms >= from_ms and is_of_the_day(v)]
    handled = [
        v for v in own if v.talk_ended_ms is not None and v.talk_ended_ms >= from_ms and is_of_the_day(v)
    ]
    parts = parts_of(judged, settings, now_ms=now_ms)
    answer_waits = sorted(v.wait_ms(now_ms) for v in judged if v.outcome is Outcome.ANSWERED)
    return Window(
        from_ms=from_ms,
        to_ms=now_ms,
        offered=len(entered),
        answered=_count(entered, Outcome.ANSWERED),
        abandoned=_count(entered, Outcome.ABANDONED),
        short_abandoned=parts_of(entered, settings, now_ms=now_ms).s,
        left=_left(entered),
        waiting=sum(1 for v in entered if v.outcome is None),
        waiting_past_threshold=parts.d_waiting,
        left_past_threshold=parts.d_left,
        late=0,
        duplicates=0,
        service_level=service_level_of(parts, settings),
        abandonment=abandonment_of(entered, settings, now_ms=now_ms),
        asa_s=_mean_s(answer_waits),
        aht_s=_mean_s([v.handled_ms for v in handled if v.handled_ms is not None]),
        wait_p50_s=_order_statistic_s(answer_waits, 50),
        wait_p90_s=_order_statistic_s(answer_waits, 90),
        longest_wait_s=max((v.wait_ms(now_ms) / 1000 for v in entered), default=None),
        occupancy=occupancy(at_site, from_ms, now_ms, queue=settings.id),
        cleared=_cleared(own, settings, from_ms, zone=zone, now_ms=now_ms, by_hours=False),
        cleared_business=_cleared(own, settings, from_ms, zone=zone, now_ms=now_ms, by_hours=True),
        slots=slot_occupancy(of_site, settings.channel, from_ms, now_ms, queue=settings.id),
    )


def _cleared(
    own: Sequence[Visit], settings: QueueConfig, from_ms: int, *, zone: ZoneInfo, now_ms: int, by_hours: bool
) -> Ratio | None:
    """Of all items decided since then, whenever they entered; null on phone and chat."""
    if settings.channel in LIVE_CHANNELS:
        return None
    return cleared(decisions(own, settings, zone=zone, now_ms=now_ms, by_hours=by_hours), from_ms)


def _count(cohort: Sequence[Visit], outcome: Outcome) -> int:
    return sum(1 for v in cohort if v.outcome is outcome)


def _left(cohort: Sequence[Visit]) -> dict[str, int]:
    left: dict[str, int] = {}
    for visit in cohort:
        if visit.outcome is not None and has_left_otherwise(visit):
            left[visit.outcome.value] = left.get(visit.outcome.value, 0) + 1
    return left


def _mean_s(durations_ms: Sequence[int]) -> Ratio:
    total_s = sum(durations_ms) / 1000
    value = total_s / len(durations_ms) if durations_ms else None
    return Ratio(value=value, numerator=total_s, denominator=len(durations_ms))


def _order_statistic_s(sorted_ms: Sequence[int], percent: int) -> float | None:
    """The exact order statistic of rank floor(q · (n − 1))."""
    if not sorted_ms:
        return None
    return sorted_ms[percent * (len(sorted_ms) - 1) // 100] / 1000


def _trend(own: Sequence[Visit], settings: QueueConfig, *, now_ms: int) -> Trend:
    first_ms = now_ms // MINUTE_MS * MINUTE_MS - (POINTS - 1) * MINUTE_MS
    minutes = [(start, start + MINUTE_MS) for start in range(first_ms, now_ms + 1, MINUTE_MS)]
    cohorts = [[v for v in own if a <= v.entered_ms < b] for a, b in minutes]
    decided = attributed(own, settings, now_ms=now_ms)
    judged = [[v for v, at_ms in decided if a <= at_ms < b] for a, b in minutes]
    levels = [service_level_of(parts_of(c, settings, now_ms=now_ms), settings).value for c in judged]
    return Trend(
        step_s=60,
        from_ms=first_ms,
        offered=[len(cohort) for cohort in cohorts],
        abandoned=[_count(cohort, Outcome.ABANDONED) for cohort in cohorts],
        service_level=levels,
        longest_wait_s=[_longest_in_minute_s(own, a, b, now_ms=now_ms) for a, b in minutes],
    )


def _longest_in_minute_s(own: Sequence[Visit], start_ms: int, end_ms: int, *, now_ms: int) -> float | None:
    """Longest of min(left, end of minute, now) − entered over those waiting in [start_ms, end_ms)."""
    waits_s = []
    for visit in own:
        until_ms = visit.since_ms + visit.wait_ms(now_ms)
        entered_in_it = start_ms <= visit.since_ms < end_ms
        waits_still = visit.outcome is None and start_ms <= now_ms
        if entered_in_it or (visit.since_ms < start_ms and (start_ms < until_ms or waits_still)):
            waits_s.append(max(0, min(until_ms, end_ms, now_ms) - visit.since_ms) / 1000)
    return max(waits_s, default=None)
