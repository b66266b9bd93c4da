"""The items of deferred channels: what is open, how old, and what was cleared within the promise.

docs/decisions/0016. Business time is counted minute by minute, asking each whether the queue is open.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.board import Backlog, Ratio
from schemas.config import QueueConfig
from schemas.hours import Hours, is_open
from schemas.vocabulary import LIVE_CHANNELS
from tests.oracle.visits import Visit

MINUTE_MS = 60_000

Decision = tuple[int, bool]
"""When it was decided whether an item is cleared in time, and whether it is."""


def backlog_of(own: Iterable[Visit], settings: QueueConfig, *, zone: ZoneInfo, now_ms: int) -> Backlog | None:
    """Null on phone and chat."""
    if settings.channel in LIVE_CHANNELS:
        return None
    began = [_began_ms(v) for v in own if _is_open(v)]
    if not began:
        return Backlog(open=0, promise_s=settings.wait_limit_in_force_s)
    oldest_ms = min(began)
    return Backlog(
        open=len(began),
        oldest_ms=oldest_ms,
        oldest_s=max(0, now_ms - oldest_ms) / 1000,
        oldest_business_s=_business_ms(settings.hours, zone, oldest_ms, now_ms) / 1000,
        promise_s=settings.wait_limit_in_force_s,
    )


def decisions(
    own: Sequence[Visit], settings: QueueConfig, *, zone: ZoneInfo, now_ms: int, by_hours: bool
) -> list[Decision]:
    """Each item that is decided by now. `by_hours`: only time within the queue's hours counts."""
    promise_ms = round(settings.wait_limit_in_force_s * 1000)
    hours = settings.hours if by_hours else None
    found = []
    for visit in own:
        until_ms = _until_ms(visit, now_ms)
        due_ms = _due_ms(hours, zone, visit.entered_ms, promise_ms, until_ms=until_ms)
        if visit.closed_ms is not None:
            is_late = due_ms is not None and due_ms < visit.closed_ms
            found.append((due_ms if is_late and due_ms is not None else visit.closed_ms, not is_late))
        elif visit.given_up_ms is not None:
            found += [(due_ms, False)] if due_ms is not None and due_ms < visit.given_up_ms else []
        else:
            on_our_clock_ms = _due_ms(hours, zone, _began_ms(visit), promise_ms, until_ms=now_ms)
            if on_our_clock_ms is not None and on_our_clock_ms < now_ms:
                found.append((until_ms if due_ms is None else due_ms, False))  # None: still to come there
    return found


def cleared(decided: Iterable[Decision], since_ms: int) -> Ratio:
    """The share of those decided at or after an instant."""
    recent = [in_time for at_ms, in_time in decided if at_ms >= since_ms]
    value = sum(recent) / len(recent) if recent else None
    return Ratio(value=value, numerator=sum(recent), denominator=len(recent))


def _is_open(visit: Visit) -> bool:
    return visit.closed_ms is None and visit.given_up_ms is None


def _began_ms(visit: Visit) -> int:
    """When an open item entered, on our clock."""
    return visit.entered_ms + visit.skew_ms


def _until_ms(visit: Visit, now_ms: int) -> int:
    """How far to look for a deadline."""
    ends = [ms for ms in (visit.closed_ms, visit.given_up_ms) if ms is not None]
    return max([now_ms + abs(visit.skew_ms), *ends])


def _due_ms(
    hours: str | None, zone: ZoneInfo, entered_ms: int, promise_ms: int, *, until_ms: int
) -> int | None:
    """The first instant by which the promise has elapsed; None if it is not before `until_ms`."""
    if hours is None:
        return entered_ms + promise_ms if entered_ms + promise_ms < until_ms else None
    left_ms = promise_ms
    for start_ms, end_ms in _minutes(entered_ms, until_ms):
        if _is_open_in(hours, zone, start_ms // MINUTE_MS):
            if end_ms - start_ms >= left_ms:
                return start_ms + left_ms if start_ms + left_ms < until_ms else None
            left_ms -= end_ms - start_ms
    return None


def _business_ms(hours: str | None, zone: ZoneInfo, from_ms: int, to_ms: int) -> int:
    if hours is None:
        return max(0, to_ms - from_ms)
    return sum(b - a for a, b in _minutes(from_ms, to_ms) if _is_open_in(hours, zone, a // MINUTE_MS))


def _minutes(from_ms: int, to_ms: int) -> Iterable[tuple[int, int]]:
    """[from, to) cut at every full minute."""
    while from_ms < to_ms:
        end_ms = min(to_ms, from_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS)
        yield from_ms, end_ms
        from_ms = end_ms


@lru_cache(maxsize=1_000_000)
def _is_open_in(hours: str, zone: ZoneInfo, minute: int) -> bool:
    return is_open(_parsed(hours), datetime.fromtimestamp(minute * 60, UTC).astimezone(zone))


@lru_cache
def _parsed(hours: str) -> Hours:
    return Hours.parse(hours)
