"""The whole board as text: for each site a header, its queues, its alerts."""

from schemas.vocabulary import Freshness, WindowName
from services.cli.terminal.alerts import alert_lines
from services.cli.terminal.frames import Picture, SiteBoard
from services.cli.terminal.states import BY_FRESHNESS, State, state_of
from services.cli.terminal.table import Cell, table
from services.cli.terminal.words import GAP, age, clock, fit, plain, zone_of

_CUT_AFTER_MS = 10_000
"""Without a frame for so long, every queue is shown as stale."""


def render(
    picture: Picture, *, width: int, now_ms: int, colour: bool, window: WindowName = WindowName.M15
) -> str:
    """The whole board, no line wider than `width` (down to about 50 columns)."""
    blocks = [
        _site(picture, site, width=width, now_ms=now_ms, colour=colour, window=window)
        for site in picture.sites
    ]
    if not blocks:
        blocks = [fit("No site yet. Queues appear with their first event.", width)]
    return "\n\n".join(blocks) + "\n"


def _site(
    picture: Picture, site: SiteBoard, *, width: int, now_ms: int, colour: bool, window: WindowName
) -> str:
    is_cut = picture.cut_ms is not None and now_ms - picture.cut_ms >= _CUT_AFTER_MS
    cells = []
    for row in site.queues:
        state = State.STALE if is_cut else state_of(row, picture.alerts, window)
        cells.append(Cell(row, state, window, now_ms))
    head = [_header(picture, site, now_ms=now_ms, window=window), *_silent(site, now_ms)]
    below = alert_lines(picture, site, cells, width=width, now_ms=now_ms, colour=colour, is_cut=is_cut)
    lines = [*(fit(line, width) for line in head), "", *table(cells, width, colour=colour), "", *below]
    return "\n".join(lines)


def _header(picture: Picture, site: SiteBoard, *, now_ms: int, window: WindowName) -> str:
    zone = zone_of(site.time_zone)
    if picture.cut_ms is not None:
        fresh = f"reconnecting, figures of {clock(picture.as_of_ms, zone)}"
    elif site.freshness is Freshness.LIVE:
        fresh = f"Live, {age(site.heard_ms, now_ms)}"
    elif site.freshness is Freshness.CATCHING_UP:
        fresh = f"» Catching up, {site.behind_s:.0f} s behind"
    else:
        state = BY_FRESHNESS[site.freshness]
        heard = f", {age(site.heard_ms, now_ms)}" if site.heard_ms is not None else ""
        fresh = f"{state.shape} {state.word}{heard}"
    return GAP.join((plain(site.label or site.site), fresh, f"window {window.value}", clock(now_ms, zone)))


def _silent(site: SiteBoard, now_ms: int) -> list[str]:
    """A sentence per silent source."""
    return [
        f'Source "{plain(one.label or one.source)}" is silent, last heard {age(one.heard_ms, now_ms)} ago.'
        for one in site.sources
        if one.freshness is Freshness.STALE
    ]
