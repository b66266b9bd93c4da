"""Rows, snapshots and frames as JSON texts: what leaves the api, to the letter of INTERFACE.md §5.

Pure. A row is written once and its text shared by every frame that holds it, so frames are put
together from texts and never encoded whole. What only the api needs stays inside: `LEFT_OUT`.
"""

from collections.abc import Iterable

import msgspec

from schemas import codec
from schemas.board import AgentRow, Alert, QueueRow, SiteRow, SourceRow
from schemas.deliveries import Delivery
from schemas.vocabulary import WindowName
from services.api import freshness
from services.api.board import Board, View

LEFT_OUT: dict[type, frozenset[str]] = {
    # every waiting contact's instant, of which `oldest_entered_ms` is enough; what our own lag is seen by
    QueueRow: frozenset({"entered_ms", "told_ms"}),
    SiteRow: frozenset({"alerts"}),  # stand beside the sites
    Alert: frozenset({"command", "accepted"}),  # who acted waits for these, nobody else
}


def queue_text(board: Board, row: QueueRow, now_ms: int, *, window: WindowName | None = None) -> str:
    """One queue's row with what follows from `now_ms`; only `window` of its windows when given."""
    values = _plain(row, now_ms)
    values["freshness"] = board.queue_freshness(row, now_ms)
    values["longest_wait_s"] = freshness.longest_wait_s(row, now_ms)
    values["pre_breach"] = freshness.pre_breach(row, now_ms)
    values["backlog"] = freshness.backlog(row, now_ms)
    return _text(_only(values, window))


def site_text(board: Board, site: str, now_ms: int, *, window: WindowName | None = None) -> str:
    """One site's row, without its queues and alerts."""
    row = board.site_row(site)
    worker = board.worker_freshness(site, now_ms)
    values = _plain(row, now_ms)
    values["freshness"] = freshness.of_row(row, worker, now_ms)
    values["sources"] = [
        _source(source, freshness.of_row(source, worker, now_ms), now_ms) for source in row.sources
    ]
    return _text(_only(values, window))


def agent_text(row: AgentRow) -> str:
    return _text(row)


def alert_text(alert: Alert) -> str:
    values = msgspec.structs.asdict(alert)
    for name in LEFT_OUT[Alert]:
        del values[name]
    return _text(values)


def alert_with_deliveries_text(alert: Alert, deliveries: list[Delivery]) -> str:
    """One alert, and what became of its notices."""
    return f'{alert_text(alert)[:-1]},"deliveries":{_text(deliveries)}}}'


def sites_text(board: Board, view: View, now_ms: int, *, window: WindowName | None = None) -> str:
    """The list of sites that `view` shows, each with its queues inside."""
    sites = []
    for site in board.site_names():
        if view.shows_site(site):
            queues = [queue_text(board, row, now_ms, window=window) for row in board.queues_of(site, view)]
            sites.append(_with_queues(site_text(board, site, now_ms, window=window), queues))
    return _list(sites)


def alerts_text(alerts: Iterable[Alert]) -> str:
    return _list(alert_text(alert) for alert in alerts)


def snapshot_body(board: Board, view: View, now_ms: int, *, window: WindowName | None = None) -> str:
    """The fields of a snapshot that do not depend on who reads it."""
    sites = sites_text(board, view, now_ms, window=window)
    alerts = alerts_text(board.alerts_shown(view, now_ms))
    return f'"as_of_ms":{now_ms},"sites":{sites},"alerts":{alerts}'


def update_body(
    queues: Iterable[str], sites: Iterable[str], removed: Iterable[tuple[str, str]], now_ms: int
) -> str:
    """The fields of an update that do not depend on who reads it; `removed`: (site, queue)."""
    gone = _list(_text({"site": site, "queue": queue}) for site, queue in removed)
    return f'"as_of_ms":{now_ms},"queues":{_list(queues)},"sites":{_list(sites)},"removed":{gone}'


def alert_body(text: str) -> str:
    return f'"alert":{text}'


def heartbeat_body(now_ms: int) -> str:
    return f'"as_of_ms":{now_ms}'


def frame(kind: str, body: str, *, epoch: str, seq: int, prev: int | None) -> str:
    """One frame of the socket. `epoch` is ours and needs no escaping."""
    before = "null" if prev is None else prev
    return f'{{"type":"{kind}","epoch":"{epoch}","seq":{seq},"prev":{before},{body}}}'


def document(kind: str, body: str, *, epoch: str, seq: int) -> str:
    """The same over HTTP, where no frame came before."""
    return f'{{"type":"{kind}","epoch":"{epoch}","seq":{seq},{body}}}'


def _plain(row: QueueRow | SiteRow, now_ms: int) -> dict[str, object]:
    values = msgspec.structs.asdict(row)
    for name in LEFT_OUT[type(row)]:
        del values[name]
    values["age_ms"] = freshness.age_ms(row.heard_ms, now_ms)
    return values


def _source(source: SourceRow, fresh: object, now_ms: int) -> SourceRow:
    age_ms = freshness.age_ms(source.heard_ms, now_ms)
    return msgspec.structs.replace(source, freshness=fresh, age_ms=age_ms)


def _only(values: dict[str, object], window: WindowName | None) -> dict[str, object]:
    windows = values["windows"]
    if window is not None and isinstance(windows, dict):
        values["windows"] = {name: figures for name, figures in windows.items() if name == window}
    return values


def _with_queues(site: str, queues: list[str]) -> str:
    return f'{site[:-1]},"queues":{_list(queues)}}}'


def _list(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _text(value: object) -> str:
    return codec.encode(value).decode()
