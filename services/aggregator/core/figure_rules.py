"""Rules on all figures but the wait, each second. SEMANTICS.md §7.

The value is the one that the queue's row shows. An episode begins at the first look whose value holds
`fire`, and is over at the first whose value holds `clear`, or not `fire` where no `clear` is given.
Null does neither. `min_contacts` keeps small numbers from firing; an open alert may clear on any.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from schemas.board import Alert, Backlog, Lever, StateCounts, Window
from schemas.config import QueueConfig, RuleConfig
from schemas.expressions import Expression, settings_of
from schemas.vocabulary import AlertState, WindowName
from services.aggregator.core.episodes import Span
from services.aggregator.core.following import Crossing

AVAILABLE = "agents.available"
ITEMS = ("backlog", "oldest_item_s", "oldest_item_business_s")
"""Metrics of open items; like available agents they are of now, not of a window."""


class FigureRule(NamedTuple):
    """A rule on such a figure, for one queue, with the limits that the queue's settings give."""

    config: RuleConfig
    fire: Expression
    limit: float
    clear: Expression | None
    clear_limit: float

    @property
    def window(self) -> WindowName | None:
        return None if self.config.metric in (AVAILABLE, *ITEMS) else self.config.window

    def fires(self, value: float) -> bool:
        return self.fire.holds(value, self.limit)

    def clears(self, value: float) -> bool:
        return not self.fires(value) if self.clear is None else self.clear.holds(value, self.clear_limit)


def figure_rules(rules: list[RuleConfig], queue: QueueConfig) -> list[FigureRule]:
    """The rules on such figures that look at a queue."""
    settings = settings_of(queue)
    found = []
    for rule in rules:
        if rule.metric == "longest_wait_s" or not rule.concerns(queue):
            continue
        fire, clear = Expression.parse(rule.fire), Expression.parse(rule.clear) if rule.clear else None
        limit = fire.limit(settings)
        clear_limit = limit if clear is None else clear.limit(settings)
        found.append(FigureRule(rule, fire, limit, clear, clear_limit))
    return found


class Measured(NamedTuple):
    """A value, null when it cannot be known, and the contacts it stands on; None: it stands on none."""

    value: float | None
    contacts: int | None


def measure_window(metric: str, window: Window) -> Measured:
    """A figure of a window. Occupancy is one of agents: its contacts are those offered meanwhile."""
    if metric == "service_level":
        return Measured(window.service_level.value, window.service_level.denominator)
    if metric == "occupancy":
        return Measured(window.occupancy.value, window.offered)
    if metric in ("cleared", "cleared_business"):
        share = window.cleared if metric == "cleared" else window.cleared_business
        return Measured(None, 0) if share is None else Measured(share.value, round(share.denominator))
    if window.abandonment is None:  # does not apply
        return Measured(None, 0)
    return Measured(window.abandonment.value, round(window.abandonment.denominator))


def measure_items(metric: str, backlog: Backlog | None) -> Measured:
    """A figure of open items; null where there are no such things. With none open, the oldest is 0 s old."""
    if backlog is None:
        return Measured(None, None)
    if metric == "backlog":
        return Measured(backlog.open, None)
    return Measured((backlog.oldest_s if metric == "oldest_item_s" else backlog.oldest_business_s) or 0, None)


def measure_available(agents: StateCounts) -> Measured:
    """Available agents; null where no agent of the queue is known."""
    is_known = any(getattr(agents, state) for state in agents.__struct_fields__)
    return Measured(agents.available if is_known else None, None)


class FigureSight(NamedTuple):
    """One figure of one queue as one look sees it."""

    site: str
    rule: FigureRule
    queue: QueueConfig
    measured: Measured
    waiting: int
    lever: Callable[[], Lever | None]
    now_ms: int

    @property
    def turns(self) -> int:
        return 1

    def crossing(self, past: Sequence[Span]) -> Crossing | None:
        value, contacts = self.measured
        is_enough = contacts is None or contacts >= self.rule.config.min_contacts
        if value is None or not is_enough or not self.rule.fires(value):
            return None
        return Crossing(self.now_ms, self.now_ms)

    def crossed_ms(self, told_ms: int) -> int | None:
        return told_ms

    def over_ms(self, from_ms: int) -> int | None:
        value = self.measured.value
        return self.now_ms if value is not None and self.rule.clears(value) else None

    def passed(self, past: Sequence[Span]) -> Sequence[Span]:
        return ()

    def asks_for(self, span: Span) -> bool:
        return False

    def alert(self, crossing: Crossing) -> Alert:
        queue, config = self.queue, self.rule.config
        return Alert(
            alert_id="",
            rule=config.id,
            severity=config.severity,
            site=self.site,
            queue=queue.id,
            channel=queue.channel,
            team=queue.team,
            state=AlertState.FIRING,
            metric=config.metric,
            threshold=self.rule.limit,
            crossed_ms=crossing.told_ms,
            fired_ms=self.now_ms,
            clear=self.rule.clear_limit,
            window=self.rule.window,
            fires_below=self.rule.fire.op.startswith("<"),
            updated_ms=self.now_ms,
            lever=self.lever(),
            **self.figures(),
        )

    def figures(self) -> dict[str, Any]:
        return {"value": self.measured.value, "waiting": self.waiting}
