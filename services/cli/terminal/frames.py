"""What the api sends, and the picture that follows from it: a snapshot, then whole rows over it."""

import msgspec
from msgspec import Struct

from schemas.board import Alert, QueueRow, SiteRow
from schemas.errors import InvalidMessage
from schemas.vocabulary import OPEN_ALERT_STATES

_ENDED_KEPT = 50


class SiteBoard(SiteRow, frozen=True, kw_only=True):
    """A site with its queues inside, as a snapshot holds it."""

    queues: tuple[QueueRow, ...] = ()


class Removed(Struct, frozen=True, kw_only=True):
    """A queue that is gone."""

    site: str
    queue: str


class Frame(Struct, frozen=True, kw_only=True):
    """Any frame of the socket, and the answer of `GET /api/v1/board` (INTERFACE.md §5)."""

    type: str
    epoch: str
    seq: int
    prev: int | None = None
    as_of_ms: int | None = None
    sites: tuple[SiteBoard, ...] = ()
    queues: tuple[QueueRow, ...] = ()
    removed: tuple[Removed, ...] = ()
    alerts: tuple[Alert, ...] = ()
    alert: Alert | None = None


class Picture(Struct, frozen=True, kw_only=True):
    """All that is known of the board. `cut_ms`: since when no frame has come; None while they do."""

    epoch: str
    seq: int
    as_of_ms: int
    sites: tuple[SiteBoard, ...]
    alerts: tuple[Alert, ...]
    cut_ms: int | None = None


_frames = msgspec.json.Decoder(Frame)


def decode(text: str | bytes) -> Frame:
    """A frame; raises `InvalidMessage` when it is none."""
    try:
        return _frames.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidMessage(f"not a frame of the board: {error}") from error


def follow(before: Picture | None, frame: Frame) -> Picture | None:
    """The picture after `frame`; None when one was missed, and a snapshot must be asked for."""
    if frame.type == "snapshot":
        return Picture(
            epoch=frame.epoch,
            seq=frame.seq,
            as_of_ms=frame.as_of_ms or 0,
            sites=frame.sites,
            alerts=frame.alerts,
        )
    if before is None or frame.epoch != before.epoch or frame.prev != before.seq:
        return None
    return Picture(
        epoch=frame.epoch,
        seq=frame.seq,
        as_of_ms=frame.as_of_ms or before.as_of_ms,
        sites=_sites(before.sites, frame),
        alerts=_alerts(before.alerts, frame.alert),
    )


def _sites(before: tuple[SiteBoard, ...], frame: Frame) -> tuple[SiteBoard, ...]:
    sites = {site.site: site for site in before}
    for site in frame.sites:
        known = sites.get(site.site)
        sites[site.site] = msgspec.structs.replace(site, queues=known.queues if known else ())
    gone = {(one.site, one.queue) for one in frame.removed}
    return tuple(_with_queues(sites[name], frame.queues, gone) for name in sorted(sites))


def _with_queues(site: SiteBoard, changed: tuple[QueueRow, ...], gone: set[tuple[str, str]]) -> SiteBoard:
    """Rows keep their places; new ones come last."""
    rows = {row.queue: row for row in site.queues if (row.site, row.queue) not in gone}
    rows |= {row.queue: row for row in changed if row.site == site.site}
    return msgspec.structs.replace(site, queues=tuple(rows.values()))


def _alerts(before: tuple[Alert, ...], alert: Alert | None) -> tuple[Alert, ...]:
    """The higher version of each alert; the open ones and the last that ended."""
    known = {one.alert_id: one for one in before}
    if alert is None or (alert.alert_id in known and known[alert.alert_id].version >= alert.version):
        return before
    known[alert.alert_id] = alert
    ended = [one for one in known.values() if one.state not in OPEN_ALERT_STATES]
    ended.sort(key=lambda one: one.resolved_ms or one.crossed_ms)
    for old in ended[:-_ENDED_KEPT]:
        del known[old.alert_id]
    return tuple(known.values())
