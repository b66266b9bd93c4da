"""Edges of windows, today, the trend, and: order and repeats change nothing."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.config import Config, QueueConfig, SiteConfig
from schemas.events import AgentAccepted, AnyEvent, QueueEntered, QueueLeft, TalkEnded
from schemas.vocabulary import Outcome, WindowName
from tests.oracle.compare import differences, site_differences
from tests.oracle.fold import Figures, figures, site_figures, window_from_ms
from tests.oracle.story import History
from tests.oracle.telling import Log
from tests.strategies import big_history, histories, shuffled

NOW_MS = 1_795_000_012_345
MINUTE_MS = 60_000
UTC = ZoneInfo("UTC")
PARIS = Config(
    sites=[SiteConfig(id="main", time_zone="Europe/Paris")], queues=[QueueConfig(id="q", site="main")]
)


def folded(log: Log, *, now_ms: int = NOW_MS, config: Config = PARIS) -> Figures:
    return figures(log.events, config, now_ms=now_ms)["main", "q"]


def offered(log: Log, *, now_ms: int = NOW_MS) -> dict[str, int]:
    return {name.value: w.offered for name, w in folded(log, now_ms=now_ms).windows.items()}


def abandoned_at(log: Log, entered_ms: int, wait_ms: int, contact: str = "c") -> None:
    log.add(QueueEntered, entered_ms, contact=contact, queue="q")
    log.add(QueueLeft, entered_ms + wait_ms, contact=contact, queue="q", outcome=Outcome.ABANDONED)


@pytest.mark.parametrize(
    ("now_ms", "from_ms"),
    [(600_000, 310_000), (609_999, 310_000), (610_000, 320_000), (600_001, 310_000)],
)
def test_a_window_begins_on_the_edge_of_a_bucket(now_ms: int, from_ms: int) -> None:
    assert window_from_ms(WindowName.M5, now_ms, UTC) == from_ms


@pytest.mark.parametrize(("offset_ms", "expected"), [(-1, 0), (0, 1), (1, 1)])
def test_a_contact_counts_from_the_first_instant_of_the_window(offset_ms: int, expected: int) -> None:
    log = Log("main")
    abandoned_at(log, window_from_ms(WindowName.M15, NOW_MS, UTC) + offset_ms, 1000)
    assert offered(log)["15m"] == expected
    assert offered(log)["30m"] == 1


def test_a_contact_that_waits_counts_at_once_even_when_it_lies_ahead() -> None:
    log = Log("main")
    log.add(QueueEntered, NOW_MS + 250_000, contact="c", queue="q")
    row = folded(log)
    assert (row.waiting, row.oldest_entered_ms) == (1, NOW_MS + 250_000)
    assert row.windows[WindowName.M5].longest_wait_s == 0


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2026-10-25", 25), ("2026-11-18", 24)])
def test_today_is_the_whole_local_date(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Paris")
    first = date.fromisoformat(day)
    start_ms = round(datetime.combine(first, time(), zone).timestamp() * 1000)
    end_ms = round(datetime.combine(first + timedelta(days=1), time(), zone).timestamp() * 1000)
    assert end_ms - start_ms == hours * 60 * MINUTE_MS
    log = Log("main")
    for n, entered_ms in enumerate((start_ms - 1, start_ms, end_ms - 1, end_ms)):
        abandoned_at(log, entered_ms, 0, f"c{n}")
    assert offered(log, now_ms=end_ms - 1)["today"] == 2
    assert offered(log, now_ms=end_ms)["today"] == 1


def test_handle_time_of_yesterdays_contact_is_not_todays() -> None:
    midnight_ms = window_from_ms(WindowName.TODAY, NOW_MS, ZoneInfo("Europe/Paris"))
    log = Log("main")
    log.add(QueueEntered, midnight_ms - 1, contact="c", queue="q")
    log.add(AgentAccepted, midnight_ms + 5, contact="c", queue="q", agent="lea")
    log.add(TalkEnded, midnight_ms + 9000, contact="c", queue="q", agent="lea")
    windows = folded(log, now_ms=midnight_ms + MINUTE_MS).windows
    assert windows[WindowName.TODAY].aht_s.denominator == 0
    assert windows[WindowName.M5].aht_s.numerator == 8.995


def test_handle_time_counts_where_the_talk_ended() -> None:
    log = Log("main")
    log.add(QueueEntered, NOW_MS - 50 * MINUTE_MS, contact="c", queue="q")
    log.add(AgentAccepted, NOW_MS - 49 * MINUTE_MS, contact="c", queue="q", agent="lea")
    log.add(TalkEnded, NOW_MS - MINUTE_MS, contact="c", queue="q", agent="lea")
    window = folded(log).windows[WindowName.M5]
    assert window.offered == 0
    assert (window.aht_s.value, window.aht_s.denominator) == (48 * 60, 1)


def test_trend_has_sixty_minutes_and_ends_with_the_running_one() -> None:
    log = Log("main")
    trend = folded(log).trend
    assert trend.from_ms == NOW_MS // MINUTE_MS * MINUTE_MS - 59 * MINUTE_MS
    assert trend.offered == [0] * 60
    assert trend.service_level == [None] * 60
    assert trend.longest_wait_s == [None] * 60


def test_trend_shows_the_longest_wait_of_each_minute_as_it_was() -> None:
    minute_ms = NOW_MS // MINUTE_MS * MINUTE_MS
    log = Log("main")
    abandoned_at(log, minute_ms - 90_000, 70_000)
    log.add(QueueEntered, minute_ms + 10_000, contact="waiting", queue="q")
    trend = folded(log, now_ms=minute_ms + 14_000).trend
    assert trend.longest_wait_s[-4:] == [None, 30.0, 70.0, 4.0]
    assert trend.offered[-4:] == [0, 1, 0, 1]
    assert trend.abandoned[-4:] == [0, 1, 0, 0]
    assert trend.service_level[-4:] == [None, 0.0, None, None]


def test_one_who_leaves_on_the_edge_of_a_minute_does_not_wait_in_the_next() -> None:
    minute_ms = NOW_MS // MINUTE_MS * MINUTE_MS
    log = Log("main")
    abandoned_at(log, minute_ms - 20_000, 20_000)
    assert folded(log, now_ms=minute_ms + 5).trend.longest_wait_s[-2:] == [20.0, None]


def test_offered_is_the_sum_of_what_became_of_it() -> None:
    history = big_history(7, 300)
    for row in figures(history.events, history.config, now_ms=history.now_ms).values():
        for w in row.windows.values():
            assert w.offered == w.answered + w.abandoned + sum(w.left.values()) + w.waiting


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_order_and_repeats_change_no_figure(data: st.DataObject) -> None:
    history = data.draw(histories())
    again = data.draw(shuffled(history))
    assert all_figures(history, history.events) == all_figures(history, again)


def all_figures(history: History, events: list[AnyEvent]) -> tuple[object, object]:
    return (
        figures(events, history.config, now_ms=history.now_ms),
        site_figures(events, history.config, now_ms=history.now_ms),
    )


def test_figures_have_no_difference_from_themselves() -> None:
    history = big_history(3, 50)
    for row in figures(history.events, history.config, now_ms=history.now_ms).values():
        assert differences(row, row) == []
    for site in site_figures(history.events, history.config, now_ms=history.now_ms).values():
        assert site_differences(site, site) == []
