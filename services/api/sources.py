"""The source panel: what every ingest process says of a source, and what the board has heard of it.

Pure: records of `vigie.sources` and rows of the board in, views out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import structs

from schemas.board import SiteRow, SourceRow
from schemas.sources import SourceInstance, SourceState, SourceStatus, SourceView
from services.api import freshness
from services.api.board import Board, View

FORGOTTEN_MS = 60_000
"""Ingest says every 5 s how its sources stand. One that has said nothing for so long is not there."""

SHOWN_LETTERS = 10
_BEST_FIRST = (
    SourceState.CONNECTED,
    SourceState.LISTENING,
    SourceState.CONNECTING,
    SourceState.LOST,
    SourceState.REFUSED,
    SourceState.UNUSABLE,
    SourceState.STOPPED,
)
"""One process that is connected hears everything, whatever the others do."""


class Sources:
    """The newest status of each source and ingest process."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str], SourceStatus] = {}

    def apply(self, status: SourceStatus) -> None:
        """A record of `vigie.sources`, in the order of the log."""
        self._told[status.site, status.source, status.instance] = status

    def views(self, board: Board, seen: View, now_ms: int) -> list[SourceView]:
        """Every source of the sites that may be seen, by site and name."""
        self._forget(now_ms)
        heard = {
            (site.site, row.source): (site, row)
            for site in board.sites.values()
            for row in site.sources
            if seen.shows_site(site.site)
        }
        told: dict[tuple[str, str], list[SourceStatus]] = {}
        for status in self._told.values():
            if seen.shows_site(status.site):
                told.setdefault((status.site, status.source), []).append(status)
        known = sorted(told.keys() | heard.keys())
        return [_view(at, told.get(at, ()), heard.get(at), board, now_ms) for at in known]

    def _forget(self, now_ms: int) -> None:
        for key in [key for key, status in self._told.items() if now_ms - status.as_of_ms > FORGOTTEN_MS]:
            del self._told[key]


def _view(
    at: tuple[str, str],
    told: Sequence[SourceStatus],
    heard: tuple[SiteRow, SourceRow] | None,
    board: Board,
    now_ms: int,
) -> SourceView:
    view = SourceView(source=at[1], site=at[0], kind="http")
    if heard is not None:
        view = structs.replace(view, **_of_board(*heard, board, now_ms))
    if told:
        view = structs.replace(view, **_of_ingest(told, now_ms))
    return view


def _of_board(site: SiteRow, row: SourceRow, board: Board, now_ms: int) -> dict[str, Any]:
    worker = board.worker_freshness(site.site, now_ms)
    return {
        "kind": row.kind,
        "label": row.label,
        "freshness": freshness.of_row(row, worker, now_ms),
        "age_ms": freshness.age_ms(row.heard_ms, now_ms),
        "heard_ms": row.heard_ms,
        "skew_ms": row.skew_ms,
    }


def _of_ingest(told: Sequence[SourceStatus], now_ms: int) -> dict[str, Any]:
    best = min(told, key=lambda each: (_BEST_FIRST.index(each.state), each.instance))
    letters = sorted((letter for each in told for letter in each.letters), key=lambda it: -it.received_ms)
    return {
        "kind": best.kind,
        "label": best.label,
        "state": best.state,
        "reason": best.reason,
        "connected_ms": _least(each.connected_ms for each in told),
        "since_ms": _least(each.since_ms for each in told),
        "event_ms": _most(each.event_ms for each in told),
        "received_ms": _most(each.received_ms for each in told),
        "reconnects": sum(each.reconnects for each in told),
        "events": sum(each.events for each in told),
        "types": _sum(told, lambda each: each.types),
        "unknown": _sum(told, lambda each: each.unknown),
        "outcomes": _sum(told, lambda each: each.outcomes),
        "unsigned": _sum(told, lambda each: each.unsigned),
        "is_open": any(each.is_open for each in told),
        "dead_letters": sum(each.dead_letters for each in told),
        "letters": letters[:SHOWN_LETTERS],
        "instances": [_instance(each, now_ms) for each in sorted(told, key=lambda each: each.instance)],
    }


def _instance(status: SourceStatus, now_ms: int) -> SourceInstance:
    return SourceInstance(
        instance=status.instance,
        state=status.state,
        reason=status.reason,
        connected_ms=status.connected_ms,
        since_ms=status.since_ms,
        age_ms=max(0, now_ms - status.as_of_ms),
    )


def _sum(told: Iterable[SourceStatus], counts: Callable[[SourceStatus], dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for status in told:
        total.update(counts(status))
    return dict(total.most_common())


def _known(instants: Iterable[int | None]) -> Iterator[int]:
    return (instant for instant in instants if instant is not None)


def _least(instants: Iterable[int | None]) -> int | None:
    return min(_known(instants), default=None)


def _most(instants: Iterable[int | None]) -> int | None:
    return max(_known(instants), default=None)
