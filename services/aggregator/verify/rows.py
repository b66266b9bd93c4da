"""Rows of `vigie.snapshots` beside the fold: each as of the event it knows, at its own instant.

A row says both: the event in the header `applied`, the instant as `as_of_ms`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from schemas import codec
from schemas.board import AgentRow, QueueRow, SiteRow
from schemas.codec import Row
from schemas.vocabulary import Freshness
from services.aggregator.core.display import agent_row
from services.aggregator.verify.afresh import Afresh
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.reach import Reach

BEHIND = "rows written while the aggregator was catching up: verify again when the board is live"
NO_OFFSET = "rows of an older version, which do not say what they know: verify again when they are renewed"
BEFORE_LOG = "rows as of an event that is no longer in the log"

_AS_OF = ("service_level.since_ms",)
"""Depends on when a worker first saw the queue, not on facts."""
_BEHIND_MS = 10_000


class Shown(Struct, frozen=True, kw_only=True):
    """A row as the board has it; `applied`: offset of the last event that it knows."""

    key: bytes
    row: Row
    applied: int


def compare(shown: Iterable[Shown], afresh: Afresh, reach: Reach, findings: Findings) -> None:
    """Rows of one instant, of one site or several, with the fold standing at their event."""
    rows = list(shown)
    at_ms = rows[0].row.as_of_ms
    afresh.move(at_ms)
    wanted = _wanted(rows, afresh, at_ms)
    for each in rows:
        row, name = each.row, each.key.decode()
        if isinstance(row, QueueRow | SiteRow) and row.freshness is Freshness.CATCHING_UP:
            findings.omitted[BEHIND] += 1
            continue
        expected = wanted.get(each.key)
        if expected is None:
            if reach.is_whole:
                findings.differ("row", name, "shown, and nothing of the kind is in the log")
            else:
                findings.omitted["rows of which the log no longer tells"] += 1
            continue
        if not reach.covers(row):
            findings.omitted["rows of which a part is no longer in the log"] += 1
            continue
        lines = [line for line in unlike(plain(expected), plain(row)) if reach.counts(line)]
        for line in lines:
            findings.differ("row", name, line)
        kind = codec.decode_key(each.key)[0]
        findings.compared[f"{kind} rows" + ("" if reach.is_whole else f", without {reach.WITHOUT}")] += 1


def missing(site: str, keys: Iterable[bytes], afresh: Afresh, findings: Findings) -> None:
    """Queues that the fold knows at the instant of a site's row, and the board does not show."""
    known = set(keys)
    held = afresh.partition.sites.get(site)
    for name, queue in held.queues.items() if held is not None else ():
        key = codec.queue_key(site, name)
        if key not in known and not queue.is_retired:
            findings.differ("row", key.decode(), "not shown, and the log tells of it")


def is_behind(shown: Shown, next_appended_ms: int | None) -> bool:
    """Whether the worker had long had more to fold when it wrote the row."""
    return next_appended_ms is not None and shown.row.as_of_ms > next_appended_ms + _BEHIND_MS


def _wanted(rows: list[Shown], afresh: Afresh, at_ms: int) -> dict[bytes, Row]:
    """The rows that the fold gives for these keys."""
    found: dict[bytes, Row] = {}
    partition = afresh.partition
    if any(isinstance(each.row, QueueRow | SiteRow) for each in rows):
        partition.behind_s = next(e.row.behind_s for e in rows if isinstance(e.row, QueueRow | SiteRow))
        keys = {each.key for each in rows}
        for publication in partition.rows(at_ms, everything=True):
            if publication.key in keys and publication.value is not None:
                kind = codec.decode_key(publication.key)[0]
                found[publication.key] = codec.decode_row(kind, publication.value)
        partition.behind_s = 0.0
    for each in rows:
        site = partition.sites.get(each.row.site)
        if isinstance(each.row, AgentRow) and site is not None and each.row.agent in site.agents:
            silent = site.hearing.silent(site.queues.values(), at_ms)
            found[each.key] = agent_row(site, site.agents[each.row.agent], at_ms, silent=silent)
    return found


def plain(row: Row) -> dict[str, Any]:
    """A row as plain values; alerts are looked at by themselves."""
    values: dict[str, Any] = msgspec.to_builtins(row)
    values.pop("alerts", None)
    return values


def unlike(expected: object, found: object, path: str = "") -> list[str]:
    """One line for each value that differs, `path: found instead of expected`."""
    if path.endswith(_AS_OF) or expected == found:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted({*expected, *found})
        return [
            line
            for name in names
            for line in unlike(expected.get(name), found.get(name), f"{path}.{name}" if path else name)
        ]
    return [f"{path}: {found!r} instead of {expected!r}"]
