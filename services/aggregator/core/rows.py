"""From the counts of a queue to its row. Shapes: INTERFACE.md §5; meanings: SEMANTICS.md §3 to §6.

Reads, never changes. Ratios stay numerator and denominator until here; without denominator there
is no value.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.board import Backlog, Limits, QueueRow, Ratio, ServiceLevel, StateCounts, Trend, Window
from schemas.vocabulary import AgentState, Attribution, Freshness, WindowName
from services.aggregator.core import cells as c
from services.aggregator.core.agents import Agent, counted_ahead, presence
from services.aggregator.core.queues import Queue
from services.aggregator.core.service_level import abandonment, fraction
from services.aggregator.core.sources import Heard
from services.aggregator.core.state_time import StateTime, Times
from services.aggregator.core.trend import MINUTE_MS, POINTS, ClosedTrend
from services.aggregator.core.windows import BUCKET_MS

MAX_ENTERED = 200
_EMPTY = [0] * c.SIZE
_NEVER_MS = 1 << 60
_STATES, _OFFLINE, _TODAY = tuple(AgentState), AgentState.OFFLINE, WindowName.TODAY


class Surroundings(NamedTuple):
    """What a queue's row needs from beyond the queue. `skews`: ms to add, by source, where not 0.

    `silent`: sources that nobody can speak for any more, and since when.
    """

    agents: list[Agent]
    sources: Iterable[str]
    heard: Heard
    skews: dict[str, int]
    silent: dict[str, int]
    behind_s: float
    is_catching_up: bool
    is_open: bool
    changes_ms: int | None
    now_ms: int


class Uncounted(NamedTuple):
    """State time that was counted and is not to be: of moments after now, and of agents gone silent.

    `silences`: [from, to) and how many agents were counted as busy and as staffed in it.
    """

    ahead: Times
    silences: dict[tuple[int, int], list[int]]

    def since(self, start_ms: int) -> Times:
        """All of it that falls into a window that starts then."""
        busy_ms, staffed_ms = self.ahead
        for (from_ms, to_ms), (busy, staffed) in self.silences.items():
            ms = max(0, to_ms - max(from_ms, start_ms))
            busy_ms += busy * ms
            staffed_ms += staffed * ms
        return Times(busy_ms, staffed_ms)


def queue_row(queue: Queue, around: Surroundings) -> QueueRow:
    """The whole row of a queue, as of now."""
    now_ms = around.now_ms
    config = queue.config
    since = queue.since_ms(around.skews)
    uncounted = uncounted_of(around.agents, now_ms, config.id, silent=around.silent)
    return QueueRow(
        site=config.site,
        queue=config.id,
        label=config.label_in_force,
        short=config.short_in_force,
        channel=config.channel,
        team=config.team,
        sources=sorted(around.sources),
        as_of_ms=now_ms,
        heard_ms=around.heard.heard_ms,
        stale_at_ms=around.heard.stale_at_ms,
        behind_s=around.behind_s,
        open=around.is_open,
        changes_ms=around.changes_ms,
        limits=Limits(
            wait_s=config.wait_limit_in_force_s,
            service_level=config.service_level.target,
            occupancy=config.occupancy,
        ),
        freshness=freshness(around.heard, now_ms, is_catching_up=around.is_catching_up),
        age_ms=None,
        waiting=len(since),
        oldest_entered_ms=since[0] if since else None,
        longest_wait_s=max(0, now_ms - since[0]) / 1000 if since else None,
        pre_breach=None,
        agents=state_counts(around.agents, now_ms, config.id, silent=around.silent),
        windows={name: _window(name, queue, uncounted, around) for name in WindowName},
        trend=_trend(queue, around),
        entered_ms=since[:MAX_ENTERED],
        position=queue.position,
        told_ms=queue.told_ms or None,
        backlog=backlog_of(queue, around.skews, now_ms),
    )


def backlog_of(queue: Queue, skews: dict[str, int], now_ms: int) -> Backlog | None:
    """The open items as of now; None on phone and chat."""
    items = queue.items
    if items is None:
        return None
    oldest_ms, terms = items.oldest_ms(skews), items.terms
    if oldest_ms is None:
        return Backlog(open=0, promise_s=terms.promise_ms / 1000)
    return Backlog(
        open=len(items),
        oldest_ms=oldest_ms,
        oldest_s=max(0, now_ms - oldest_ms) / 1000,
        oldest_business_s=terms.clock.elapsed_ms(oldest_ms, now_ms) / 1000,
        promise_s=terms.promise_ms / 1000,
    )


def freshness(heard: Heard, now_ms: int, *, is_catching_up: bool) -> Freshness:
    """SEMANTICS.md §6; stale and never heard come before catching up."""
    if heard.heard_ms is None:
        return Freshness.UNKNOWN
    if heard.is_stale(now_ms):
        return Freshness.STALE
    return Freshness.CATCHING_UP if is_catching_up else Freshness.LIVE


def state_counts(
    agents: Iterable[Agent], now_ms: int, queue: str | None, *, silent: Mapping[str, int]
) -> StateCounts:
    """Agents by state: those whose queues hold the queue now, or all of a site (None).

    Who belongs to a silent source is offline (SEMANTICS.md §5).
    """
    counts = dict.fromkeys(_STATES, 0)
    for agent in agents:
        moment = agent.now(now_ms)
        if moment is not None and (queue is None or queue in moment.queues):
            counts[_OFFLINE if silent and agent.source in silent else moment.state] += 1
    return StateCounts(**{state.value: n for state, n in counts.items()})


def ratio(numerator: float, denominator: float) -> Ratio:
    """A ratio with its parts; no value without denominator."""
    if not denominator:
        return Ratio(value=None, numerator=numerator, denominator=denominator)
    return Ratio(value=numerator / denominator, numerator=numerator, denominator=denominator)


def occupancy(
    state_time: StateTime, window: WindowName, uncounted: Uncounted, now_ms: int, midnight_ms: int
) -> Ratio:
    """(in contact + wrap-up) / (in contact + wrap-up + available + ringing), seconds of agents."""
    times = state_time.times(window, now_ms, midnight_ms)
    less = uncounted.since(state_time.start_ms(window, midnight_ms))
    return ratio((times.busy_ms - less.busy_ms) / 1000, (times.staffed_ms - less.staffed_ms) / 1000)


def slot_occupancy(queue: Queue, window: WindowName, around: Surroundings) -> Ratio | None:
    """Slots taken / slots there, seconds of slots of staffed agents; None where nobody told of slots."""
    slot_time, now_ms, midnight_ms = queue.slot_time, around.now_ms, queue.today.start_ms
    if slot_time is None or not slot_time.told:
        return None
    name, channel = queue.config.id, queue.channel
    start_ms = slot_time.start_ms(window, midnight_ms)
    taken_ms, there_ms = slot_time.times(window, now_ms, midnight_ms)
    for agent in around.agents:
        line = agent.slots
        if not line.moments:
            continue
        stale_at_ms = around.silent.get(agent.source or "")
        less = [line.ahead_ms(name, channel, now_ms)] if line.moments[-1].at_ms > now_ms else []
        if stale_at_ms is not None:
            less.append(line.ms(name, channel, max(stale_at_ms, start_ms), now_ms))
        for taken, there in less:
            taken_ms -= taken
            there_ms -= there
    return ratio(taken_ms / 1000, there_ms / 1000)


def uncounted_of(
    agents: Iterable[Agent], now_ms: int, queue: str | None, *, silent: Mapping[str, int]
) -> Uncounted:
    """What the state time of a queue, or of a site (None), counts too much, as of now."""
    busy_ms = staffed_ms = 0
    silences: dict[tuple[int, int], list[int]] = {}
    for agent in agents:
        if agent.timeline and agent.timeline[-1].at_ms > now_ms:
            busy, staffed = counted_ahead(agent, now_ms, queue)
            busy_ms += busy
            staffed_ms += staffed
        stale_at_ms = silent.get(agent.source or "") if silent else None
        if stale_at_ms is None:
            continue
        for start, end, moment in agent.stretches(stale_at_ms, now_ms):
            is_busy, is_staffed = presence(moment, queue)
            if is_staffed:
                agents_there = silences.setdefault((start, end), [0, 0])
                agents_there[0] += is_busy
                agents_there[1] += 1
    return Uncounted(Times(busy_ms, staffed_ms), silences)


def window_of(queue: Queue, name: WindowName, around: Surroundings) -> Window:
    """One window as its row shows it: what rules compare."""
    uncounted = uncounted_of(around.agents, around.now_ms, queue.config.id, silent=around.silent)
    return _window(name, queue, uncounted, around)


def _trend(queue: Queue, around: Surroundings) -> Trend:
    """60 minutes: contacts by minute of attribution, longest wait by presence (SEMANTICS.md §3)."""
    now_ms = around.now_ms
    last = now_ms // MINUTE_MS
    since = queue.since_ms(around.skews)
    oldest_ms = since[0] if since else None
    until = last if not since else min(last, queue.entered[0] // MINUTE_MS, since[0] // MINUTE_MS)
    closed = _closed_trend(queue, around, last - POINTS + 1, max(last - POINTS + 1, until))
    open_minutes = range(closed.until, last + 1)
    points = [_point(queue, around, minute) for minute in open_minutes]
    longest = queue.minutes.longest_of(open_minutes, oldest_waiting_ms=oldest_ms, now_ms=now_ms)
    return Trend(
        from_ms=closed.first * MINUTE_MS,
        offered=closed.offered + [p[0] for p in points],
        abandoned=closed.abandoned + [p[1] for p in points],
        service_level=closed.service_level + [p[2] for p in points],
        longest_wait_s=closed.longest_wait_s + [seconds(ms) for ms in longest],
    )


def _closed_trend(queue: Queue, around: Surroundings, first: int, until: int) -> ClosedTrend:
    """The minutes that time does not change any more, made anew only when a fact has changed one."""
    minutes, known = queue.minutes, queue.closed_trend
    changes = (queue.windows.forgotten, minutes.changes)
    if known is not None and (known.first, known.until, known.changes) == (first, until, changes):
        return known
    minutes.closed = until
    points = [_closed_point(queue, around, minute) for minute in range(first, until)]
    longest = minutes.longest_of(range(first, until), oldest_waiting_ms=None, now_ms=around.now_ms)
    queue.closed_trend = ClosedTrend(
        first,
        until,
        changes,
        offered=[p[0] for p in points],
        abandoned=[p[1] for p in points],
        service_level=[p[2] for p in points],
        longest_wait_s=[seconds(ms) for ms in longest],
    )
    return queue.closed_trend


def seconds(ms: int | None) -> float | None:
    """Milliseconds as rows show them."""
    return None if ms is None else ms / 1000


def _closed_point(queue: Queue, around: Surroundings, minute: int) -> tuple[int, int, float | None]:
    """The point of a minute that nobody waiting entered in or before: it changes with its cells only."""
    points = queue.windows.points
    point = points.get(minute)
    if point is None:
        point = points[minute] = _point(queue, around, minute)
    return point


def _point(queue: Queue, around: Surroundings, minute: int) -> tuple[int, int, float | None]:
    """Offered, abandoned and service level of one minute's cohort."""
    start, end = minute * MINUTE_MS, (minute + 1) * MINUTE_MS
    waiting = past = 0
    if queue.entered:
        waiting = bisect_left(queue.entered, end) - bisect_left(queue.entered, start)
        past = _waiting_past(queue, around, start, end, by_entry=not queue.terms.is_deferred)
    total = queue.windows.minute(minute)
    if total is None:
        if not (waiting or past):
            return 0, 0, None
        total = _EMPTY
    met, of = fraction(queue.terms.definition, c.parts(total, past))
    return _closed(total) + waiting, total[c.ABANDONED], met / of if of else None


def _closed(counts: list[int]) -> int:
    """Visits that have an outcome."""
    return sum(counts[c.CLOSED]) - counts[c.SHORT]


def _window(
    name: WindowName,
    queue: Queue,
    uncounted: Uncounted,
    around: Surroundings,
) -> Window:
    now_ms, midnight_ms = around.now_ms, queue.today.start_ms
    if name is _TODAY:
        day = queue.days.get(queue.today.number)
        start, counts = midnight_ms, day.cells if day else _EMPTY
        longest = queue.longest_today_ms()
        end = queue.today.end_ms
    else:
        total = queue.windows.totals[name]
        start, counts = total.first * BUCKET_MS, total.cells
        longest = queue.windows.longest_ms(total)
        end = _NEVER_MS
    waiting, oldest_ms = _waiting_of(queue, around.skews, start, end)
    if waiting:
        longest = max(longest or 0, now_ms - oldest_ms)
    by_entry = not queue.terms.is_deferred or name is _TODAY
    past = _waiting_past(queue, around, start, _NEVER_MS, by_entry=by_entry) if waiting or not by_entry else 0
    offered = _closed(counts) + waiting
    cleared, cleared_business = _cleared(queue, counts, start, around)
    p50, p90 = queue.middle_of(name)
    return Window(
        from_ms=start,
        to_ms=now_ms,
        offered=offered,
        answered=counts[c.ANSWERED],
        abandoned=counts[c.ABANDONED],
        short_abandoned=counts[c.SHORT],
        left={word: counts[cell] for word, cell in c.LEFT_CELLS},
        waiting=waiting,
        waiting_past_threshold=past,
        left_past_threshold=counts[c.SL_MISSED],
        late=counts[c.LATE],
        duplicates=counts[c.DUPLICATES],
        service_level=_service_level(queue, counts, past),
        abandonment=_abandonment(queue, counts, offered),
        asa_s=ratio(counts[c.WAIT_MS] / 1000, counts[c.SL_ANSWERED]),
        aht_s=ratio(counts[c.HANDLE_MS] / 1000, counts[c.HANDLED]),
        wait_p50_s=None if p50 is None else p50 / 1000,
        wait_p90_s=None if p90 is None else p90 / 1000,
        longest_wait_s=None if longest is None else max(0, longest) / 1000,
        occupancy=occupancy(queue.state_time, name, uncounted, now_ms, midnight_ms),
        cleared=cleared,
        cleared_business=cleared_business,
        slots=slot_occupancy(queue, name, around),
    )


def _cleared(
    queue: Queue, counts: list[int], start_ms: int, around: Surroundings
) -> tuple[Ratio, Ratio] | tuple[None, None]:
    """Shares of items cleared within the promise, by the calendar and by the hours (docs/decisions/0016)."""
    if queue.items is None:
        return None, None
    past = queue.items.past(start_ms, around.now_ms, around.skews)
    return (
        ratio(counts[c.CLEARED], counts[c.DECIDED] + past.calendar),
        ratio(counts[c.BUSINESS_CLEARED], counts[c.BUSINESS_DECIDED] + past.business),
    )


def _waiting_of(queue: Queue, skews: dict[str, int], start: int, end: int) -> tuple[int, int]:
    """How many of those waiting entered in [start, end), and when, on our clock, the oldest of them did."""
    place = bisect_left(queue.entered, start)
    waiting = bisect_left(queue.entered, end) - place
    if not waiting or not skews:
        return waiting, queue.entered[place] if waiting else _NEVER_MS
    own = (v for v in queue.waiting.values() if start <= v.entered_ms < end)
    return waiting, min(v.entered_ms + skews.get(v.source, 0) for v in own)


def _waiting_past(queue: Queue, around: Surroundings, start: int, end: int, *, by_entry: bool) -> int:
    """Those waiting beyond the threshold: entered in [start, end), or whose threshold fell in it."""
    threshold = queue.terms.threshold_ms
    if not by_entry:
        start, end = start - threshold, end - threshold
    if not around.skews:
        end = min(end, around.now_ms - threshold)
        return max(0, bisect_left(queue.entered, end) - bisect_left(queue.entered, start))
    latest = around.now_ms - threshold
    return sum(
        1
        for v in queue.waiting.values()
        if start <= v.entered_ms < end and v.entered_ms + around.skews.get(v.source, 0) < latest
    )


def _service_level(queue: Queue, counts: list[int], past: int) -> ServiceLevel:
    terms = queue.terms
    met, of = fraction(terms.definition, c.parts(counts, past))
    return ServiceLevel(
        value=met / of if of else None,
        numerator=met,
        denominator=of,
        threshold_s=terms.threshold_ms / 1000,
        definition=terms.definition,
        since_ms=terms.since_ms,
        attribution=Attribution.DECISION if terms.is_deferred else Attribution.OFFER,
    )


def _abandonment(queue: Queue, counts: list[int], offered: int) -> Ratio | None:
    """None on deferred channels, where nobody hangs up: it does not apply."""
    if queue.terms.is_deferred:
        return None
    numerator, denominator = abandonment(
        queue.terms.definition, abandoned=counts[c.ABANDONED], short=counts[c.SHORT], offered=offered
    )
    return ratio(numerator, denominator)
