"""The published and computed figures of `vectors/` as histories: one case per row that is a live figure.

A case says which events to fold at which instant, and which figure must come out. The same cases
run through the oracle and through the real fold. Rows that are no live figure stand in `NOT_LIVE`
with the reason. Columns and sources: the CSV files beside this module.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.board import StateCounts, Trend, Window
from schemas.config import Config, QueueConfig, ServiceLevelConfig, SiteConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentStateChanged,
    AnyEvent,
    HoldEnd,
    HoldStart,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import AgentState, Outcome, ServiceLevelDefinition, WindowName
from tests.oracle.telling import Log

VECTORS = Path(__file__).parent / "vectors"
SITE = "vectors"
QUEUE = "support"
SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
DAY_MS = 24 * 60 * MINUTE_MS
MIDNIGHT_MS = 20_411 * DAY_MS
"""00:00 UTC of an ordinary day, on which times of day without a date are laid."""

NOT_LIVE = {
    "handle_and_time.csv": {
        "w09": "effective AHT of concurrent chats: a staffing figure, not on the board",
        "w12": "conformance compares with a schedule, which no event carries",
        "w14": "shrinkage: staffing",
        "w16": "shrinkage: staffing",
        "w18": "first contact resolution: a report over linked requests",
    },
    "interval_attribution.csv": {
        "t10": "answered by the instant of the answer; ours is the cohort of offer (attribution: offer)",
    },
    "erlang_a.csv": {"*": "staffing"},
    "erlang_b.csv": {"*": "staffing"},
    "erlang_c.csv": {"*": "staffing"},
    "ewt.csv": {"*": "expected wait: a forecast, not on the board"},
    "norm_boundaries.csv": {"*": "verdicts against norms: not a figure"},
    "surveys.csv": {"*": "satisfaction: a report, not on the board"},
}
"""Rows that concern no live figure: file, row ("*": all), reason."""


class Row(Protocol):
    """What a case looks at: the oracle's `Figures` and `schemas.board.QueueRow` both have it."""

    @property
    def windows(self) -> dict[WindowName, Window]: ...
    @property
    def agents(self) -> StateCounts: ...
    @property
    def trend(self) -> Trend: ...


class Case(Struct, frozen=True, kw_only=True):
    """`figure` of the row of (SITE, QUEUE), folded at `now_ms`, is `expected` within `tolerance`."""

    name: str
    events: list[AnyEvent]
    config: Config
    now_ms: int
    figure: Callable[[Row], float | None]
    expected: float
    tolerance: float


def cases() -> list[Case]:
    """Every case of every file."""
    return [
        *service_levels(),
        *abandonments(),
        *handle_times(),
        *attributions(),
        *calendar(),
    ]


def rows(name: str) -> list[dict[str, str]]:
    """The rows of one file of `vectors/`."""
    with (VECTORS / name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _contact(log: Log, contact: str, entered_ms: int, *, wait_ms: int, outcome: Outcome) -> None:
    """A contact that entered and left; answered means accepted by an agent of its own."""
    named = {"contact": contact, "queue": QUEUE, "segment": f"{contact}/1"}
    log.add(QueueEntered, entered_ms, **named)
    if outcome is Outcome.ANSWERED:
        log.add(AgentAccepted, entered_ms + wait_ms, agent=f"agent of {contact}", **named)
    else:
        log.add(QueueLeft, entered_ms + wait_ms, outcome=outcome, **named)


def _config(level: ServiceLevelConfig | None = None, *, zone: str = "UTC") -> Config:
    return Config(
        sites=[SiteConfig(id=SITE, time_zone=zone)],
        queues=[QueueConfig(id=QUEUE, site=SITE, service_level=level or ServiceLevelConfig())],
        from_file=True,
    )


def _cohort(waits: list[tuple[int, Outcome]], now_ms: int) -> list[AnyEvent]:
    """One contact per (wait, outcome), entered evenly over the 45 minutes that ended 10 minutes ago."""
    log = Log(SITE)
    for n, (wait_ms, outcome) in enumerate(waits):
        entered_ms = now_ms - 55 * MINUTE_MS + n * 45 * MINUTE_MS // len(waits)
        _contact(log, f"c{n}", entered_ms, wait_ms=wait_ms, outcome=outcome)
    return log.in_order()


def _waits(
    *,
    answered: int,
    answered_in_t: int,
    abandoned: int,
    abandoned_in_t: int,
    short: int,
    t_ms: int,
    short_ms: int,
) -> list[tuple[int, Outcome]]:
    """Waits that give these counts, as near their limits as they may be."""
    late_abandons = abandoned - abandoned_in_t
    return [
        *[(t_ms - (t_ms if n % 2 else 0), Outcome.ANSWERED) for n in range(answered_in_t)],
        *[(t_ms + (1 if n % 2 else 80_000), Outcome.ANSWERED) for n in range(answered - answered_in_t)],
        *[(short_ms - 1, Outcome.ABANDONED)] * short,
        *[(t_ms if n % 2 else short_ms, Outcome.ABANDONED) for n in range(abandoned_in_t - short)],
        *[(t_ms + (1 if n % 2 else 100_000), Outcome.ABANDONED) for n in range(late_abandons)],
    ]


def service_levels() -> Iterator[Case]:
    """service_level.csv, whole: the configured definition of the queue is the row's variant."""
    now_ms = MIDNIGHT_MS + 10 * 60 * MINUTE_MS + 123
    for row in rows("service_level.csv"):
        t_s, short_s = float(row["t_s"]), float(row["short_s"] or 0)
        waits = _waits(
            answered=int(row["answered"]),
            answered_in_t=int(row["answered_within_t"]),
            abandoned=int(row["abandoned"]),
            abandoned_in_t=int(row["abandoned_within_t"]),
            short=int(row["abandoned_short"]),
            t_ms=round(t_s * 1000),
            short_ms=round(short_s * 1000),
        )
        definition = ServiceLevelDefinition(row["variant"])
        level = ServiceLevelConfig(threshold_s=t_s, short_abandon_s=short_s, definition=definition)
        yield from _percentages(
            f"service_level {row['id']} {definition}", row, _cohort(waits, now_ms), _config(level),
            now_ms=now_ms, figure=lambda r: r.windows[WindowName.M60].service_level.value,
        )  # fmt: skip


def abandonments() -> Iterator[Case]:
    """abandon_rate.csv, whole; `short_abandons_excluded` is the queue's definition of that name."""
    now_ms = MIDNIGHT_MS + 10 * 60 * MINUTE_MS + 123
    for row in rows("abandon_rate.csv"):
        short = int(row["abandoned_short"] or 0)
        waits = _waits(
            answered=int(row["handled"]),
            answered_in_t=int(row["handled"]),
            abandoned=int(row["abandoned"]),
            abandoned_in_t=int(row["abandoned"]),
            short=short,
            t_ms=20 * SECOND_MS,
            short_ms=5 * SECOND_MS,
        )
        assert len(waits) == int(row["offered"])
        excluded = row["variant"] == "short_abandons_excluded"
        definition = ServiceLevelDefinition.SHORT_ABANDONS_EXCLUDED
        level = ServiceLevelConfig(definition=definition) if excluded else ServiceLevelConfig()
        yield from _percentages(
            f"abandon_rate {row['id']} {row['variant']}", row, _cohort(waits, now_ms), _config(level),
            now_ms=now_ms, figure=_abandonment,
        )  # fmt: skip


def _abandonment(row: Row) -> float | None:
    ratio = row.windows[WindowName.M60].abandonment
    return ratio.value if ratio else None


def _percentages(
    name: str,
    row: Mapping[str, str],
    events: list[AnyEvent],
    config: Config,
    *,
    now_ms: int,
    figure: Callable[[Row], float | None],
) -> Iterator[Case]:
    """The exact figure to its six printed digits, and the published one within its own tolerance."""
    wanted = (("expected_exact_pct", 1e-6), ("expected_published_pct", float(row["abs_tol"])))
    for column, tolerance_pct in wanted:
        if row[column]:
            yield Case(
                name=f"{name} {column.split('_')[1]}",
                events=events,
                config=config,
                now_ms=now_ms,
                figure=figure,
                expected=float(row[column]) / 100,
                tolerance=tolerance_pct / 100 + 1e-12,
            )


def handle_times() -> Iterator[Case]:
    """handle_and_time.csv: occupancy and AHT, over the first hours of a day, so that the time is whole."""
    builders = {"w01": _occupancy_busy_of_present, "w03": _occupancy_without_pause}
    builders |= {"w05": _occupancy_of_short_calls, "w08": _handling}
    for row in rows("handle_and_time.csv"):
        if row["id"] in NOT_LIVE["handle_and_time.csv"]:
            continue
        events, now_ms = builders[row["id"]](row)
        is_aht = row["metric"] == "aht"
        yield Case(
            name=f"handle_and_time {row['id']} {row['metric']}",
            events=events,
            config=_config(),
            now_ms=now_ms,
            figure=_aht if is_aht else _occupancy_today,
            expected=float(row["expected_exact"]) / (1 if is_aht else 100),
            tolerance=float(row["abs_tol"]) + 1e-12,
        )


def _aht(row: Row) -> float | None:
    return row.windows[WindowName.TODAY].aht_s.value


def _occupancy_today(row: Row) -> float | None:
    return row.windows[WindowName.TODAY].occupancy.value


def _states(*states: tuple[int, AgentState]) -> list[AnyEvent]:
    """One agent that says its states, at minutes of the day."""
    log = Log(SITE)
    for minute, state in states:
        log.add(
            AgentStateChanged, MIDNIGHT_MS + minute * MINUTE_MS, agent="lea", state=state, queues=(QUEUE,)
        )
    return log.events


def _occupancy_busy_of_present(row: Mapping[str, str]) -> tuple[list[AnyEvent], int]:
    busy, present = int(row["input_a"]), int(row["input_b"])
    wrap = (0, AgentState.WRAP_UP), (5, AgentState.IN_CONTACT)
    return (_states(*wrap, (busy, AgentState.AVAILABLE)), MIDNIGHT_MS + present * MINUTE_MS)


def _occupancy_without_pause(row: Mapping[str, str]) -> tuple[list[AnyEvent], int]:
    busy, present = int(row["input_a"]), int(row["input_b"])
    pause = (busy, AgentState.PAUSED), (busy + 20, AgentState.AVAILABLE)
    return (_states((0, AgentState.IN_CONTACT), *pause), MIDNIGHT_MS + (present + 20) * MINUTE_MS)


def _occupancy_of_short_calls(row: Mapping[str, str]) -> tuple[list[AnyEvent], int]:
    """Agents known by their contacts only: first seen at midnight, then calls without wrap-up."""
    calls, aht_s, agents = int(row["input_a"]), int(row["input_b"]), int(row["input_c"])
    log = Log(SITE)
    for n in range(agents):
        named = {"contact": f"missed {n}", "queue": QUEUE, "agent": f"agent {n}"}
        log.add(AgentOffered, MIDNIGHT_MS, **named)
        log.add(AgentNoAnswer, MIDNIGHT_MS, **named)
    each_ms = 60 * MINUTE_MS * agents // calls
    for n in range(calls):
        start_ms = MIDNIGHT_MS + n // agents * each_ms
        _call(log, f"c{n}", f"agent {n % agents}", start_ms, talk_s=aht_s, hold_s=0, wrap_s=0)
    return (log.in_order(), MIDNIGHT_MS + 60 * MINUTE_MS)


def _handling(row: Mapping[str, str]) -> tuple[list[AnyEvent], int]:
    talk_s, hold_s, wrap_s, handled = (int(row[f"input_{x}"]) for x in "abcd")
    log = Log(SITE)
    for n in range(handled):
        start_ms = MIDNIGHT_MS + n * 5 * MINUTE_MS
        share = {"talk_s": talk_s // handled, "hold_s": hold_s // handled, "wrap_s": wrap_s // handled}
        _call(log, f"c{n}", "lea", start_ms, **share)
    return (log.in_order(), MIDNIGHT_MS + 60 * MINUTE_MS)


def _call(log: Log, contact: str, agent: str, at_ms: int, *, talk_s: int, hold_s: int, wrap_s: int) -> None:
    """Answered at once; hold lies inside the time from accept to the end of the talk."""
    named = {"contact": contact, "agent": agent, "segment": f"{contact}/1"}
    ended_ms = at_ms + (talk_s + hold_s) * SECOND_MS
    log.add(QueueEntered, at_ms, contact=contact, queue=QUEUE, segment=f"{contact}/1")
    log.add(AgentAccepted, at_ms, queue=QUEUE, **named)
    if hold_s:
        log.add(HoldStart, at_ms + SECOND_MS, **named)
        log.add(HoldEnd, at_ms + (1 + hold_s) * SECOND_MS, **named)
    log.add(TalkEnded, ended_ms, queue=QUEUE, **named)
    log.add(WrapEnd, ended_ms + wrap_s * SECOND_MS, **named)


def attributions() -> Iterator[Case]:
    """interval_attribution.csv: each interval is a rolling window in its last millisecond.

    A window cannot end on the edge itself (the next bucket has begun then), so times clipped to it
    are 1 ms short.
    """
    for row in rows("interval_attribution.csv"):
        if row["id"] in NOT_LIVE["interval_attribution.csv"]:
            continue
        build, figure = _ATTRIBUTIONS[row["rule"]]
        length_min = int(row["interval_len_min"] or 15)
        now_ms = _time_of_day_ms(row["interval_start"] or row["event_start"]) + length_min * MINUTE_MS - 1
        window = {15: WindowName.M15, 30: WindowName.M30}[length_min]
        events = build(_time_of_day_ms(row["event_start"]), _time_of_day_ms(row["event_end"]))
        yield Case(
            name=f"interval_attribution {row['id']} {row['rule']}",
            events=[e for e in events if e.occurred_ms <= now_ms],
            config=_config(),
            now_ms=now_ms,
            figure=_over(window, figure),
            expected=float(row["expected"]),
            tolerance=1 / MINUTE_MS + 1e-12,
        )


def _over(window: WindowName, figure: Callable[[Row, WindowName], float]) -> Callable[[Row], float]:
    return lambda row: figure(row, window)


def _handled_contact(start_ms: int, end_ms: int) -> list[AnyEvent]:
    log = Log(SITE)
    _call(log, "c", "lea", start_ms, talk_s=(end_ms - start_ms) // SECOND_MS, hold_s=0, wrap_s=0)
    return log.events


def _waiting_contact(start_ms: int, end_ms: int) -> list[AnyEvent]:
    log = Log(SITE)
    _contact(log, "c", start_ms, wait_ms=end_ms - start_ms, outcome=Outcome.ANSWERED)
    return log.events


def _called_back(start_ms: int, end_ms: int) -> list[AnyEvent]:
    log = Log(SITE)
    _contact(log, "c", start_ms, wait_ms=end_ms - start_ms, outcome=Outcome.CALLBACK)
    return log.events


_ATTRIBUTIONS: dict[str, tuple[Callable[[int, int], list[AnyEvent]], Callable[[Row, WindowName], float]]] = {
    "completed_contact_to_interval_of_end": (
        _handled_contact,
        lambda row, window: row.windows[window].aht_s.numerator / 60,
    ),
    "agent_time_split_over_intervals": (
        _handled_contact,
        lambda row, window: row.windows[window].occupancy.numerator / 60,
    ),
    "offered_in_interval_of_queue_entry": (
        _waiting_contact,
        lambda row, window: row.windows[window].offered,
    ),
    "queue_time_clipped_per_interval": (
        _waiting_contact,
        lambda row, window: (row.trend.longest_wait_s[-1] or 0) / 60,
    ),
    "queued_callback_first_leg": (
        _called_back,
        lambda row, window: row.windows[window].abandoned,
    ),
}


def calendar() -> Iterator[Case]:
    """calendar_paris.csv: `today` begins with the local date, holds all of it, and nothing else.

    ISO weeks are a matter of reports; of the rows that print them, the local date is used.
    """
    for row in rows("calendar_paris.csv"):
        zone = ZoneInfo(row["timezone"])
        if row["kind"] == "business_day":
            yield from _business_day(row)
        else:
            instant_ms = _ms(datetime.fromisoformat(row["input"]))
            start_ms = _midnight_ms(date.fromisoformat(row["local_date"]), zone)
            name = f"calendar_paris {row['id']} {row['local_date']}"
            yield _quarters(name, row, instant_ms, instant_ms + 1, now_ms=instant_ms, offered=1)
            yield _today_from(name, row, now_ms=instant_ms, from_ms=start_ms)
            yield _quarters(
                f"{name} the day before", row, start_ms - 1, start_ms, now_ms=instant_ms, offered=0
            )


def _business_day(row: Mapping[str, str]) -> Iterator[Case]:
    start_ms = _ms(datetime.fromisoformat(row["utc_start"]))
    end_ms = _ms(datetime.fromisoformat(row["utc_end"]))
    name = f"calendar_paris {row['id']} {row['hours']} h"
    last_ms, quarters = end_ms - 1, int(row["quarter_hours"])
    yield _today_from(f"{name} last instant", row, now_ms=last_ms, from_ms=start_ms)
    yield _today_from(f"{name} next day", row, now_ms=end_ms, from_ms=end_ms)
    yield _quarters(f"{name} quarters", row, start_ms, end_ms, now_ms=last_ms, offered=quarters)
    around_ms = (start_ms - DAY_MS, end_ms)
    yield _quarters(f"{name} after another", row, *around_ms, now_ms=last_ms, offered=quarters)


def _quarters(
    name: str, row: Mapping[str, str], start_ms: int, end_ms: int, *, now_ms: int, offered: int
) -> Case:
    """A contact each quarter of an hour of [start, end): so many of them are `today`'s."""
    log = Log(SITE)
    for n, entered_ms in enumerate(range(start_ms, end_ms, 15 * MINUTE_MS)):
        _contact(log, f"c{n}", entered_ms, wait_ms=0, outcome=Outcome.ABANDONED)
    return Case(
        name=f"{name} offered",
        events=log.in_order(),
        config=_config(zone=row["timezone"]),
        now_ms=now_ms,
        figure=lambda r: r.windows[WindowName.TODAY].offered,
        expected=offered,
        tolerance=0,
    )


def _today_from(name: str, row: Mapping[str, str], *, now_ms: int, from_ms: int) -> Case:
    return Case(
        name=f"{name} from",
        events=[],
        config=_config(zone=row["timezone"]),
        now_ms=now_ms,
        figure=lambda r: r.windows[WindowName.TODAY].from_ms,
        expected=from_ms,
        tolerance=0,
    )


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return _ms(datetime(day.year, day.month, day.day, tzinfo=zone))


def _time_of_day_ms(text: str) -> int:
    parts = [int(part) for part in text.split(":")]
    hours, minutes = parts[0], parts[1]
    return MIDNIGHT_MS + round(timedelta(hours=hours, minutes=minutes) / timedelta(milliseconds=1))


def _ms(at: datetime) -> int:
    return round(at.astimezone(UTC).timestamp() * 1000)
