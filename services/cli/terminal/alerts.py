"""The lines below the board: the open alerts, most pressing first, or the last one that ended.

An alert of a queue that is stale or was never heard is suspended, whatever was last said of it.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from schemas.board import Alert
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Severity
from services.cli.terminal.frames import Picture, SiteBoard
from services.cli.terminal.states import State
from services.cli.terminal.table import Cell, longest_wait
from services.cli.terminal.words import NOTHING, clock, duration, fit, paint, percent, plain, zone_of

_SHOWN = 8
_COUNTS = ("agents.available", "backlog", "events_missed", "notice_tries")


def alert_lines(
    picture: Picture,
    site: SiteBoard,
    cells: Sequence[Cell],
    *,
    width: int,
    now_ms: int,
    colour: bool,
    is_cut: bool,
) -> list[str]:
    """A line per open alert of the site; without any, one line that says so and names the last.

    `cells`: the site's queues as they are shown; `is_cut`: so long without a frame that nothing is trusted.
    """
    seen = {cell.row.queue: cell for cell in cells}
    mine = [a for a in picture.alerts if a.site == site.site]
    current = [_as_seen(a, seen.get(a.queue), is_cut=is_cut) for a in mine if a.state in OPEN_ALERT_STATES]
    current.sort(key=_urgency)
    if not current:
        return [fit(_calm(mine, seen, zone_of(site.time_zone)), width)]
    lines = []
    for alert in current[:_SHOWN]:
        text = fit(_alert_text(alert, seen.get(alert.queue), now_ms=now_ms, is_cut=is_cut), width)
        is_loud = colour and alert.state is AlertState.FIRING
        lines.append(paint(text, _state(alert).colour if is_loud else ""))
    if len(current) > _SHOWN:
        lines.append(f"+{len(current) - _SHOWN} more")
    return lines


def _as_seen(alert: Alert, cell: Cell | None, *, is_cut: bool) -> Alert:
    """The alert; suspended where its queue cannot be trusted."""
    is_doubted = cell is not None and cell.state in (State.STALE, State.UNKNOWN)
    return replace(alert, state=AlertState.SUPPRESSED) if is_cut or is_doubted else alert


def _calm(alerts: list[Alert], seen: dict[str, Cell], zone: ZoneInfo) -> str:
    ended = [a for a in alerts if a.resolved_ms is not None]
    if not ended:
        return "No alert."
    last = max(ended, key=lambda a: a.resolved_ms or 0)
    return f"No alert. {_last(last, seen.get(last.queue), zone)}"


def _state(alert: Alert) -> State:
    if alert.state is AlertState.SUPPRESSED:
        return State.STALE
    return State.CRITICAL if alert.severity is Severity.CRITICAL else State.WARNING


def _urgency(alert: Alert) -> tuple[bool, bool, bool, int]:
    is_suspended = alert.state is AlertState.SUPPRESSED
    is_mild = alert.severity is not Severity.CRITICAL
    return (is_suspended, is_mild, alert.state is not AlertState.FIRING, alert.crossed_ms)


def _alert_text(alert: Alert, cell: Cell | None, *, now_ms: int, is_cut: bool) -> str:
    state = _state(alert)
    value, limit = _measure(alert, alert.value), _measure(alert, alert.threshold)
    if alert.metric == "longest_wait_s" and cell is not None:
        value = longest_wait(cell)
    what = f"{state.shape} {state.word}  {_name(alert, cell)}: {_metric(alert)} {value}"
    if not alert.source:  # what a source may be silent for is its own
        what += f", limit {limit}"
    if alert.state is AlertState.SUPPRESSED:  # since when it lasts is not known either
        return f"{what}, suspended, {'board disconnected' if is_cut else 'source silent'}"
    since = duration((now_ms - alert.crossed_ms) / 1000)
    return f"{what}, since {since}, {_who(alert, now_ms)}"


def _who(alert: Alert, now_ms: int) -> str:
    if alert.state is AlertState.ACKNOWLEDGED:
        return f"taken by {plain(alert.acknowledged_by or '?')}"
    if alert.state is AlertState.SNOOZED:
        left_s = max(0, (alert.snoozed_until_ms or now_ms) - now_ms) / 1000
        return f"snoozed for {duration(left_s)}"
    return "nobody on it" + (", unstable" if alert.flapping else "")


def _last(alert: Alert, cell: Cell | None, zone: ZoneInfo) -> str:
    span = f"{clock(alert.crossed_ms, zone)} to {clock(alert.resolved_ms or 0, zone)}"
    who = f", {plain(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    return f"Last: {_name(alert, cell)}, {_metric(alert)}, {span}{who}."


def _name(alert: Alert, cell: Cell | None) -> str:
    return plain(cell.row.label if cell is not None else alert.source or alert.queue)


def _metric(alert: Alert) -> str:
    return alert.metric.removesuffix("_s").replace("_", " ").replace(".", " ")


def _measure(alert: Alert, value: float | None) -> str:
    if alert.metric.endswith("_s"):
        return duration(value)
    if alert.metric in _COUNTS:
        return NOTHING if value is None else f"{value:g}"
    return percent(value)
