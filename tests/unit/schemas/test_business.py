"""Business time, by tables and by laws: on ordinary days and on those the clocks change."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.business import YEAR_MS, BusinessClock, business_clock
from schemas.hours import Hours, is_open

ZONE = "Europe/Paris"
OFFICE = "Mo-Fr 08:00-12:00,13:00-19:00; Sa 09:00-12:00"
WEEKDAYS = "Mo-Fr 08:00-19:00"
NIGHT = "Mo-Fr 22:00-06:00"
WEEKEND = "Sa 22:00-08:00; Su 22:00-02:00"
NEVER = "Mo-Su off"
HOUR_MS = 3_600_000
MINUTE_MS = 60_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "from_", "to", "business_h"),
    [
        (OFFICE, "2026-11-02T07:00+01:00", "2026-11-02T09:30+01:00", 1.5),
        (OFFICE, "2026-11-02T11:00+01:00", "2026-11-02T14:00+01:00", 2),  # lunch does not count
        (OFFICE, "2026-11-06T18:00+01:00", "2026-11-09T09:00+01:00", 1 + 3 + 1),  # Saturday morning does
        (WEEKDAYS, "2026-11-06T18:00+01:00", "2026-11-09T09:00+01:00", 2),  # a closed weekend
        (WEEKDAYS, "2026-11-07T10:00+01:00", "2026-11-08T22:00+01:00", 0),
        (WEEKDAYS, "2026-11-02T00:00+01:00", "2026-11-16T00:00+01:00", 110),
        (NIGHT, "2026-11-06T21:00+01:00", "2026-11-07T07:00+01:00", 8),  # Friday's night ends on Saturday
        (NIGHT, "2026-11-08T23:00+01:00", "2026-11-09T23:00+01:00", 1),  # Sunday has none
        ("Su 22:00-02:00", "2026-11-09T01:00+01:00", "2026-11-09T03:00+01:00", 1),  # the week turns
        ("Mo-Su 00:00-24:00", "2026-11-02T03:00+01:00", "2026-11-12T05:00+01:00", 242),
        ("Mo 08:00-12:00,10:00-14:00", "2026-11-02T00:00+01:00", "2026-11-03T00:00+01:00", 6),
        ("Mo 22:00-04:00; Tu 03:00-05:00", "2026-11-02T00:00+01:00", "2026-11-03T12:00+01:00", 7),
        (None, "2026-11-06T18:00+01:00", "2026-11-09T09:00+01:00", 63),
        (NEVER, "2026-11-06T18:00+01:00", "2026-11-09T09:00+01:00", 0),
        # 25 October 2026, 03:00 summer time: back to 02:00, an hour more
        (None, "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", 25),
        ("Mo-Su 00:00-24:00", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", 25),
        ("Sa 22:00-08:00", "2026-10-24T12:00+02:00", "2026-10-25T12:00+01:00", 11),
        ("Su 02:00-03:00", "2026-10-25T00:00+02:00", "2026-10-25T12:00+01:00", 2),  # it comes twice
        ("Su 02:30-02:45", "2026-10-25T02:40+02:00", "2026-10-25T02:35+01:00", 1 / 6),
        # 28 March 2027, 02:00 winter time: on to 03:00, an hour less
        ("Mo-Su 00:00-24:00", "2027-03-28T00:00+01:00", "2027-03-29T00:00+02:00", 23),
        ("Sa 22:00-08:00", "2027-03-27T12:00+01:00", "2027-03-28T12:00+02:00", 9),
        ("Su 02:00-03:00", "2027-03-28T00:00+01:00", "2027-03-28T12:00+02:00", 0),  # it does not come
        (OFFICE, "2026-11-02T10:00+01:00", "2026-11-02T09:00+01:00", 0),
    ],
)
def test_only_time_within_the_hours_elapses(
    hours: str | None, from_: str, to: str, business_h: float
) -> None:
    assert business_clock(hours, ZONE).elapsed_ms(ms(from_), ms(to)) == round(business_h * HOUR_MS)


@pytest.mark.parametrize(
    ("hours", "from_", "amount_h", "reached"),
    [
        (WEEKDAYS, "2026-11-06T18:00+01:00", 2, "2026-11-09T09:00+01:00"),
        (
            WEEKDAYS,
            "2026-11-07T12:00+01:00",
            11,
            "2026-11-09T19:00+01:00",
        ),  # not on Tuesday
        (WEEKDAYS, "2026-11-02T08:00+01:00", 48, "2026-11-06T12:00+01:00"),
        (NIGHT, "2026-11-06T23:00+01:00", 8, "2026-11-09T23:00+01:00"),
        (OFFICE, "2026-11-02T11:30+01:00", 1, "2026-11-02T13:30+01:00"),
        ("Su 02:00-03:00", "2026-10-25T00:00+02:00", 1.5, "2026-10-25T02:30+01:00"),
        ("Su 02:00-03:00", "2027-03-28T00:00+01:00", 1, "2027-04-04T03:00+02:00"),
        (None, "2026-10-24T12:00+02:00", 48, "2026-10-26T11:00+01:00"),
        (WEEKDAYS, "2026-11-07T12:00+01:00", 0, "2026-11-07T12:00+01:00"),
        (NEVER, "2026-11-02T08:00+01:00", 1, None),
        ("Mo 09:00-10:00", "2026-11-02T08:00+01:00", 60, None),  # more than a year of Mondays
    ],
)
def test_an_amount_is_reached_at_an_instant_or_not_within_a_year(
    hours: str | None, from_: str, amount_h: float, reached: str | None
) -> None:
    found = business_clock(hours, ZONE).reached_ms(ms(from_), round(amount_h * HOUR_MS))
    assert found == (None if reached is None else ms(reached))


ALL_HOURS = (OFFICE, WEEKDAYS, NIGHT, WEEKEND, "Mo-Su 00:00-24:00", "Su 02:15-02:45", None)
ZONES = ("Europe/Paris", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")
AROUND = (ms("2026-10-25T01:00Z"), ms("2027-03-28T01:00Z"), ms("2026-11-03T12:00Z"), ms("2026-12-31T23:30Z"))
instants = st.builds(
    lambda a, d: a + d, st.sampled_from(AROUND), st.integers(-3 * 86_400_000, 3 * 86_400_000)
)
clocks = st.builds(business_clock, st.sampled_from(ALL_HOURS), st.sampled_from(ZONES))
amounts = st.integers(1, 40 * HOUR_MS)


@lru_cache(maxsize=100_000)
def is_open_at(hours: str, zone: str, minute: int) -> bool:
    return is_open(Hours.parse(hours), datetime.fromtimestamp(minute * 60, ZoneInfo(zone)))


@given(st.sampled_from(ALL_HOURS[:-1]), st.sampled_from(ZONES), instants, st.integers(0, 4 * 86_400_000))
@settings(deadline=None, max_examples=60)
def test_it_is_the_time_at_which_the_queue_is_open_minute_by_minute(
    hours: str, zone: str, from_ms: int, length_ms: int
) -> None:
    to_ms = from_ms + length_ms
    minutes = range(from_ms // MINUTE_MS, to_ms // MINUTE_MS + 1)
    expected = sum(
        min(to_ms, (m + 1) * MINUTE_MS) - max(from_ms, m * MINUTE_MS)
        for m in minutes
        if is_open_at(hours, zone, m)
    )
    assert business_clock(hours, zone).elapsed_ms(from_ms, to_ms) == expected


@given(clocks, instants, amounts)
def test_what_is_reached_has_elapsed_and_not_a_millisecond_before(
    clock: BusinessClock, from_ms: int, amount_ms: int
) -> None:
    reached_ms = clock.reached_ms(from_ms, amount_ms)
    if reached_ms is None:
        assert clock.elapsed_ms(from_ms, from_ms + YEAR_MS) < amount_ms
    else:
        assert clock.elapsed_ms(from_ms, reached_ms) == amount_ms
        assert clock.elapsed_ms(from_ms, reached_ms - 1) == amount_ms - 1


@given(clocks, instants, amounts)
def test_what_began_has_elapsed_and_a_millisecond_later_has_not(
    clock: BusinessClock, to_ms: int, amount_ms: int
) -> None:
    begun_ms = clock.begun_ms(to_ms, amount_ms)
    if begun_ms is None:
        assert clock.elapsed_ms(to_ms - YEAR_MS, to_ms) < amount_ms
    else:
        assert clock.elapsed_ms(begun_ms, to_ms) == amount_ms
        assert clock.elapsed_ms(begun_ms + 1, to_ms) == amount_ms - 1


@given(clocks, instants, instants, amounts)
def test_a_deadline_is_past_for_whatever_began_early_enough(
    clock: BusinessClock, from_ms: int, now_ms: int, amount_ms: int
) -> None:
    reached_ms, begun_ms = clock.reached_ms(from_ms, amount_ms), clock.begun_ms(now_ms, amount_ms)
    if reached_ms is not None and begun_ms is not None:
        assert (reached_ms <= now_ms) == (from_ms <= begun_ms)


@given(clocks, instants, instants, instants)
def test_stretches_add_up(clock: BusinessClock, a: int, b: int, c: int) -> None:
    a, b, c = sorted((a, b, c))
    assert clock.elapsed_ms(a, b) + clock.elapsed_ms(b, c) == clock.elapsed_ms(a, c)


@given(clocks, instants, instants, amounts)
def test_who_began_later_is_due_no_earlier_and_never_before_the_calendar_says(
    clock: BusinessClock, a: int, b: int, amount_ms: int
) -> None:
    first, second = (clock.reached_ms(at, amount_ms) for at in sorted((a, b)))
    if first is not None and second is not None:
        assert first <= second
        assert first >= min(a, b) + amount_ms


def test_a_clock_is_there_to_the_end_of_time() -> None:
    last_ms = ms("9999-06-01T00:00+00:00")
    assert business_clock(WEEKDAYS, ZONE).reached_ms(last_ms, HOUR_MS) is None
    assert business_clock(WEEKDAYS, ZONE).elapsed_ms(last_ms, last_ms + HOUR_MS) in range(HOUR_MS + 1)
