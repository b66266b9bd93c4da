"""What a row says *now*: how fresh it is, how long the oldest waits, who is about to wait too long.

Rows carry instants; these functions turn them into figures when the api answers. The rules are
those of SEMANTICS.md §6. Pure: rows and `now_ms` in, values out.
"""

from msgspec.structs import replace

from schemas.board import Backlog, PreBreach, QueueRow, SiteRow, SourceRow
from schemas.vocabulary import Freshness

SITE_ROW_MAX_AGE_MS = 3000
"""The worker writes each site row every second; an older one says that the worker is not there."""

PRE_BREACH_WITHIN_S = 30.0


def age_ms(heard_ms: int | None, now_ms: int) -> int | None:
    """Milliseconds since last heard, never below 0; None when never heard."""
    return None if heard_ms is None else max(0, now_ms - heard_ms)


def longest_wait_s(row: QueueRow, now_ms: int) -> float | None:
    """Seconds the oldest waiting contact has waited; None when none waits. METRICS.md §2."""
    if row.oldest_entered_ms is None:
        return None
    return max(0, now_ms - row.oldest_entered_ms) / 1000


def backlog(row: QueueRow, now_ms: int) -> Backlog | None:
    """The open items, as old as they are now; the business age goes on while the queue is open.

    The row knows one change of its hours ahead, and is renewed long before the next.
    """
    known = row.backlog
    if known is None or known.oldest_ms is None:
        return known
    oldest_s = max(0, now_ms - known.oldest_ms) / 1000
    business_s = (known.oldest_business_s or 0) + _open_ms(row, now_ms) / 1000
    return replace(known, oldest_s=oldest_s, oldest_business_s=min(oldest_s, business_s))


def _open_ms(row: QueueRow, now_ms: int) -> int:
    """For how long the queue has been open since the row was made."""
    changes_ms = now_ms if row.changes_ms is None else row.changes_ms
    if row.open:
        return max(0, min(now_ms, changes_ms) - row.as_of_ms)
    return max(0, now_ms - max(changes_ms, row.as_of_ms))


def pre_breach(row: QueueRow, now_ms: int) -> PreBreach:
    """How many of those waiting below the limit will reach it within 30 s if nobody answers."""
    limit_ms = row.limits.wait_s * 1000
    within_ms = PRE_BREACH_WITHIN_S * 1000
    count = sum(1 for entered in row.entered_ms if 0 < entered + limit_ms - now_ms <= within_ms)
    return PreBreach(threshold_s=row.limits.wait_s, within_s=PRE_BREACH_WITHIN_S, count=count)


def of_worker(site: SiteRow | None, received_ms: int, now_ms: int) -> Freshness:
    """`live` or `catching_up` as the site's worker says; `stale` when it has been silent for 3 s.

    A row is as old as the older of its own instant and our receipt of it: neither a worker whose
    clock runs ahead nor a row read late from the log may look live.
    """
    if site is None or now_ms - min(site.as_of_ms, received_ms) > SITE_ROW_MAX_AGE_MS:
        return Freshness.STALE
    return Freshness.CATCHING_UP if site.freshness is Freshness.CATCHING_UP else Freshness.LIVE


def of_row(row: QueueRow | SiteRow | SourceRow, worker: Freshness, now_ms: int) -> Freshness:
    """Never heard: unknown. Else the worst of what its worker is and of what the row says."""
    if row.heard_ms is None:
        return Freshness.UNKNOWN
    silent = row.stale_at_ms is not None and now_ms >= row.stale_at_ms
    if silent or Freshness.STALE in (worker, row.freshness):
        return Freshness.STALE
    return Freshness.CATCHING_UP if Freshness.CATCHING_UP in (worker, row.freshness) else Freshness.LIVE
