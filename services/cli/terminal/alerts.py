"""The lines below the board: the open alerts, most pressing first, or the last one that ended."""

from zoneinfo import ZoneInfo

from schemas.board import Alert, QueueRow
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Freshness, Severity
from services.cli.terminal.frames import Picture, SiteBoard
from services.cli.terminal.states import State
from services.cli.terminal.words import NOTHING, clock, duration, fit, paint, percent, plain, zone_of

_SHOWN = 8


def alert_lines(picture: Picture, site: SiteBoard, *, width: int, now_ms: int, colour: bool) -> list[str]:
    """A line per open alert of the site; without any, one line that says so and names the last."""
    mine = [a for a in picture.alerts if a.site == site.site]
    names = {row.queue: row for row in site.queues}
    current = sorted((a for a in mine if a.state in OPEN_ALERT_STATES), key=_urgency)
    if not current:
        return [fit(_calm(mine, names, zone_of(site.time_zone)), width)]
    lines = []
    for alert in current[:_SHOWN]:
        row = names.get(alert.queue)
        text = fit(_alert_text(alert, row, now_ms=now_ms, is_cut=picture.cut_ms is not None), width)
        is_loud = colour and alert.state is AlertState.FIRING
        lines.append(paint(text, _state(alert).colour if is_loud else ""))
    if len(current) > _SHOWN:
        lines.append(f"+{len(current) - _SHOWN} more")
    return lines


def _calm(alerts: list[Alert], names: dict[str, QueueRow], zone: ZoneInfo) -> str:
    ended = [a for a in alerts if a.resolved_ms is not None]
    if not ended:
        return "No alert."
    last = max(ended, key=lambda a: a.resolved_ms or 0)
    return f"No alert. {_last(last, names.get(last.queue), zone)}"


def _state(alert: Alert) -> State:
    return State.CRITICAL if alert.severity is Severity.CRITICAL else State.WARNING


def _urgency(alert: Alert) -> tuple[bool, bool, int]:
    return (alert.severity is not Severity.CRITICAL, alert.state is not AlertState.FIRING, alert.crossed_ms)


def _alert_text(alert: Alert, row: QueueRow | None, *, now_ms: int, is_cut: bool) -> str:
    state = _state(alert)
    value, limit = _measure(alert, alert.value), _measure(alert, alert.threshold)
    if alert.metric == "longest_wait_s" and row is not None and not is_cut:
        value = _wait(row, now_ms)
    since = duration((now_ms - alert.crossed_ms) / 1000)
    what = f"{_name(alert, row)}: {_metric(alert)} {value}, limit {limit}, since {since}"
    return f"{state.shape} {state.word}  {what}, {_who(alert, now_ms)}"


def _wait(row: QueueRow, now_ms: int) -> str:
    """The longest wait as it is now, as far as it is known."""
    if row.oldest_entered_ms is None:
        return NOTHING
    until_ms = now_ms if row.freshness is Freshness.LIVE else row.as_of_ms
    return duration((until_ms - row.oldest_entered_ms) / 1000)


def _who(alert: Alert, now_ms: int) -> str:
    if alert.state is AlertState.ACKNOWLEDGED:
        return f"taken by {plain(alert.acknowledged_by or '?')}"
    if alert.state is AlertState.SNOOZED:
        left_s = max(0, (alert.snoozed_until_ms or now_ms) - now_ms) / 1000
        return f"snoozed for {duration(left_s)}"
    if alert.state is AlertState.SUPPRESSED:
        return "suspended, source silent"
    return "nobody on it" + (", unstable" if alert.flapping else "")


def _last(alert: Alert, row: QueueRow | None, zone: ZoneInfo) -> str:
    span = f"{clock(alert.crossed_ms, zone)} to {clock(alert.resolved_ms or 0, zone)}"
    who = f", {plain(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    return f"Last: {_name(alert, row)}, {_metric(alert)}, {span}{who}."


def _name(alert: Alert, row: QueueRow | None) -> str:
    return plain(row.label if row is not None else alert.queue)


def _metric(alert: Alert) -> str:
    return alert.metric.removesuffix("_s").replace("_", " ").replace(".", " ")


def _measure(alert: Alert, value: float | None) -> str:
    if alert.metric.endswith("_s"):
        return duration(value)
    if alert.metric == "agents.available":
        return NOTHING if value is None else f"{value:g}"
    return percent(value)
