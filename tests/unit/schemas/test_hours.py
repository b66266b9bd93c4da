"""Opening hours, by tables: the wall clock's, on ordinary days and on those the clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.hours import Hours, is_open, next_change

PARIS = ZoneInfo("Europe/Paris")
OFFICE = "Mo-Fr 08:00-12:00,13:00-19:00; Sa 09:00-12:00"
MONDAY = 2  # of November 2026: day 2 is a Monday


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02} {clock}")


@pytest.mark.parametrize(
    ("text", "day", "clock", "open_"),
    [
        (OFFICE, MONDAY, "07:59:59", False),
        (OFFICE, MONDAY, "08:00", True),
        (OFFICE, MONDAY, "11:59:59", True),
        (OFFICE, MONDAY, "12:00", False),
        (OFFICE, MONDAY, "13:00", True),
        (OFFICE, MONDAY + 4, "18:59", True),
        (OFFICE, MONDAY + 5, "13:30", False),
        (OFFICE, MONDAY + 5, "09:00", True),
        (OFFICE, MONDAY + 6, "10:00", False),
        ("Fr 22:00-02:00", MONDAY + 4, "22:00", True),
        ("Fr 22:00-02:00", MONDAY + 5, "01:59", True),
        ("Fr 22:00-02:00", MONDAY + 5, "02:00", False),
        ("Fr 22:00-02:00", MONDAY + 4, "01:00", False),
        ("Su 22:00-02:00", MONDAY + 7, "01:00", True),  # into Monday: the week turns
        ("Su 22:00-02:00", MONDAY, "01:00", True),
        ("Sa-Mo 10:00-11:00", MONDAY, "10:30", True),
        ("Sa-Mo 10:00-11:00", MONDAY + 1, "10:30", False),
        ("mo,we 8:00-9:00", MONDAY + 2, "08:30", True),
        ("Mo-Su 00:00-24:00", MONDAY + 3, "23:59:59", True),
        ("Mo-Fr 08:00-18:00; We off", MONDAY + 2, "10:00", False),
        ("Mo-Fr 08:00-18:00; We 09:00-10:00", MONDAY + 2, "08:30", False),
    ],
)
def test_open_by_the_wall_clock(text: str, day: int, clock: str, open_: bool) -> None:
    assert is_open(Hours.parse(text), at(day, clock)) is open_


@pytest.mark.parametrize(
    "text",
    ["", "always", "Mo", "Mo 8-12", "Xx 08:00-12:00", "Mo 25:00-26:00", "Mo 08:60-09:00", "Mo 08:00-24:01",
     "Mo 24:00-08:00", "Mo 08:00-12:00;", "Mo 08:00", "Mo- 08:00-12:00"],
)  # fmt: skip
def test_anything_else_is_refused_with_its_part(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        Hours.parse(text)


@pytest.mark.parametrize(
    ("text", "now", "change"),
    [
        (OFFICE, "2026-11-02T07:00+01:00", "2026-11-02T08:00+01:00"),
        (OFFICE, "2026-11-02T08:00+01:00", "2026-11-02T12:00+01:00"),
        (OFFICE, "2026-11-07T12:00+01:00", "2026-11-09T08:00+01:00"),
        ("Mo 08:00-09:00", "2026-11-02T09:00+01:00", "2026-11-09T08:00+01:00"),
        ("Mo-Tu 00:00-24:00", "2026-11-02T09:00+01:00", "2026-11-04T00:00+01:00"),  # midnight between is none
        ("Fr 22:00-02:00", "2026-11-06T23:00+01:00", "2026-11-07T02:00+01:00"),
        # 25 October 2026, 03:00 summer time: back to 02:00. Half past two comes twice.
        ("Sa 22:00-08:00", "2026-10-25T00:00+02:00", "2026-10-25T08:00+01:00"),
        ("Su 00:00-02:30", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
        ("Su 00:00-02:30", "2026-10-25T02:45+02:00", "2026-10-25T02:00+01:00"),
        ("Su 00:00-02:30", "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
        # 28 March 2027, 02:00 winter time: on to 03:00. Half past two does not come.
        ("Su 02:30-08:00", "2027-03-28T01:00+01:00", "2027-03-28T03:00+02:00"),
        ("Su 00:00-02:30", "2027-03-28T01:00+01:00", "2027-03-28T03:00+02:00"),
    ],
)
def test_next_change_is_the_first_instant_that_differs(text: str, now: str, change: str) -> None:
    assert next_change(Hours.parse(text), ms(now), PARIS) == ms(change)


def test_hours_that_never_change_have_no_next_change() -> None:
    assert next_change(Hours.parse("Mo-Su 00:00-24:00"), 1_795_321_254_000, UTC) is None
    assert next_change(Hours.parse("Mo-Su off"), 1_795_321_254_000, UTC) is None


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
