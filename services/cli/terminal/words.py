"""How figures, instants and names read in a terminal. Rules of writing: the wallboard's."""

import unicodedata
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NOTHING = "—"
GAP = "  "


def duration(seconds: float | None) -> str:
    """`0:07`, `12:03`, `1 h 05`, `3 d 04 h`; a dash when there is nothing to measure."""
    if seconds is None:
        return NOTHING
    whole = max(0, int(seconds))
    if whole >= 86_400:
        return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"


def percent(value: float | None) -> str:
    """Whole per cent, half away from zero; 0% and 100% only when exact."""
    if value is None:
        return NOTHING
    whole = int(value * 100 + 0.5)
    if whole <= 0 and value > 0:
        return "<1%"
    if whole >= 100 and value < 1:
        return ">99%"
    return f"{whole}%"


def age(heard_ms: int | None, now_ms: int) -> str:
    """How long ago: `1 s`, `14 s`, then `4:12`."""
    if heard_ms is None:
        return NOTHING
    age_ms = max(0, now_ms - heard_ms)
    return f"{age_ms // 1000} s" if age_ms < 60_000 else duration(age_ms / 1000)


def clock(instant_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(zone).strftime("%H:%M:%S")


def zone_of(name: str) -> ZoneInfo:
    """The site's time zone; UTC when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


def plain(text: str) -> str:
    """Names come from outside: nothing in them may steer the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)


def columns_of(text: str) -> int:
    """Columns of a terminal that the text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def paint(line: str, colour: str) -> str:
    return f"\x1b[{colour}m{line}\x1b[0m" if colour else line


def fit(line: str, width: int) -> str:
    """The line, cut where it is too wide. Before painting: it knows no colours."""
    if columns_of(line) <= width:
        return line
    while columns_of(line) > width - 1:
        line = line[:-1]
    return line + "…"
