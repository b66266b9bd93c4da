"""The calendar of Europe/Paris of `vectors/`, as contacts that are or are not today's."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from schemas.vocabulary import Outcome, WindowName
from tests.data.vector_case import DAY_MS, MINUTE_MS, SITE, Case, config_of, contact_told, epoch_ms, rows
from tests.oracle.telling import Log


def calendar() -> Iterator[Case]:
    """calendar_paris.csv: `today` begins with the local date, holds all of it, and nothing else.

    ISO weeks are a matter of reports; of the rows that print them, the local date is used.
    """
    for row in rows("calendar_paris.csv"):
        zone = ZoneInfo(row["timezone"])
        if row["kind"] == "business_day":
            yield from _business_day(row)
        else:
            instant_ms = epoch_ms(datetime.fromisoformat(row["input"]))
            start_ms = _midnight_ms(date.fromisoformat(row["local_date"]), zone)
            name = f"calendar_paris {row['id']} {row['local_date']}"
            yield _quarters(name, row, instant_ms, instant_ms + 1, now_ms=instant_ms, offered=1)
            yield _today_from(name, row, now_ms=instant_ms, from_ms=start_ms)
            yield _quarters(
                f"{name} the day before", row, start_ms - 1, start_ms, now_ms=instant_ms, offered=0
            )


def _business_day(row: Mapping[str, str]) -> Iterator[Case]:
    start_ms = epoch_ms(datetime.fromisoformat(row["utc_start"]))
    end_ms = epoch_ms(datetime.fromisoformat(row["utc_end"]))
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
        contact_told(log, f"c{n}", entered_ms, wait_ms=0, outcome=Outcome.ABANDONED)
    return Case(
        name=f"{name} offered",
        events=log.in_order(),
        config=config_of(zone=row["timezone"]),
        now_ms=now_ms,
        figure=lambda r: r.windows[WindowName.TODAY].offered,
        expected=offered,
        tolerance=0,
    )


def _today_from(name: str, row: Mapping[str, str], *, now_ms: int, from_ms: int) -> Case:
    return Case(
        name=f"{name} from",
        events=[],
        config=config_of(zone=row["timezone"]),
        now_ms=now_ms,
        figure=lambda r: r.windows[WindowName.TODAY].from_ms,
        expected=from_ms,
        tolerance=0,
    )


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return epoch_ms(datetime(day.year, day.month, day.day, tzinfo=zone))
