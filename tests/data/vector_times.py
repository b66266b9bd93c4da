"""Occupancy, handle time and the attribution to intervals of `vectors/`, as histories."""

from collections.abc import Callable, Iterator, Mapping

from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentStateChanged,
    AnyEvent,
    HoldEnd,
    HoldStart,
    QueueEntered,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import AgentState, Outcome, WindowName
from tests.data.vector_case import (
    MIDNIGHT_MS,
    MINUTE_MS,
    QUEUE,
    SECOND_MS,
    SITE,
    Case,
    Row,
    config_of,
    contact_told,
    rows,
)
from tests.oracle.telling import Log

NO_FIGURE_OF_TIME = {
    "w09": "effective AHT of concurrent chats: a staffing figure, not on the board",
    "w12": "conformance compares with a schedule, which no event carries",
    "w14": "shrinkage: staffing",
    "w16": "shrinkage: staffing",
    "w18": "first contact resolution: a report over linked requests",
}
"""Rows of handle_and_time.csv that are no live figure, with the reason."""

OTHER_ATTRIBUTION = {
    "t10": "answered by the instant of the answer; ours is the cohort of offer (attribution: offer)",
}
"""Rows of interval_attribution.csv whose rule is not ours, with the reason."""


def handle_times() -> Iterator[Case]:
    """handle_and_time.csv: occupancy and AHT, over the first hours of a day, so that the time is whole."""
    builders = {"w01": _occupancy_busy_of_present, "w03": _occupancy_without_pause}
    builders |= {"w05": _occupancy_of_short_calls, "w08": _handling}
    for row in rows("handle_and_time.csv"):
        if row["id"] in NO_FIGURE_OF_TIME:
            continue
        events, now_ms = builders[row["id"]](row)
        is_aht = row["metric"] == "aht"
        yield Case(
            name=f"handle_and_time {row['id']} {row['metric']}",
            events=events,
            config=config_of(),
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
        if row["id"] in OTHER_ATTRIBUTION:
            continue
        build, figure = _ATTRIBUTIONS[row["rule"]]
        length_min = int(row["interval_len_min"] or 15)
        now_ms = _time_of_day_ms(row["interval_start"] or row["event_start"]) + length_min * MINUTE_MS - 1
        window = {15: WindowName.M15, 30: WindowName.M30}[length_min]
        events = build(_time_of_day_ms(row["event_start"]), _time_of_day_ms(row["event_end"]))
        yield Case(
            name=f"interval_attribution {row['id']} {row['rule']}",
            events=[e for e in events if e.occurred_ms <= now_ms],
            config=config_of(),
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
    contact_told(log, "c", start_ms, wait_ms=end_ms - start_ms, outcome=Outcome.ANSWERED)
    return log.events


def _called_back(start_ms: int, end_ms: int) -> list[AnyEvent]:
    log = Log(SITE)
    contact_told(log, "c", start_ms, wait_ms=end_ms - start_ms, outcome=Outcome.CALLBACK)
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


def _time_of_day_ms(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":")[:2])
    return MIDNIGHT_MS + (hours * 60 + minutes) * MINUTE_MS
