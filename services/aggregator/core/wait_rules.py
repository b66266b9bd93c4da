"""Rules on `longest_wait_s`: episodes follow from the waits, to the millisecond. SEMANTICS.md §7, §8."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from schemas.board import Alert, Lever
from schemas.config import QueueConfig, RuleConfig
from schemas.expressions import Expression, settings_of
from schemas.vocabulary import AlertState
from services.aggregator.core.episodes import Span, Wait, first_crossing, over_at
from services.aggregator.core.following import FORGET_MS, Crossing


class WaitRule(NamedTuple):
    """A rule on `longest_wait_s`, for one queue. An episode is over below `clear_ms`; `clear_s` is what
    the rule says.
    """

    config: RuleConfig
    limit_ms: int
    clear_ms: int
    clear_s: float


def wait_rules(rules: list[RuleConfig], queue: QueueConfig) -> list[WaitRule]:
    """The wait rules that look at a queue. `clear` left out: as soon as the limit is not reached."""
    settings = settings_of(queue)
    found = []
    for rule in rules:
        if rule.metric != "longest_wait_s" or not rule.concerns(queue):
            continue
        limit = Expression.parse(rule.fire).limit(settings)
        limit_ms = clear_ms = round(limit * 1000)
        clear_s = limit
        if rule.clear is not None:
            clear = Expression.parse(rule.clear)
            clear_s = min(clear.limit(settings), limit)
            clear_ms = min(round(clear_s * 1000) + (clear.op == "<="), limit_ms)
        found.append(WaitRule(rule, limit_ms, clear_ms, clear_s))
    return found


class WaitSight(NamedTuple):
    """The waits of one queue as one look sees them.

    `is_missing`: nothing is known any more of the contact that opened the episode (its facts are too
    old). `longest_ms`: longest wait of those waiting, 0 when nobody is. `looked_ms`: when rules were last
    looked at; what began and ended since is still to be told.
    """

    site: str
    rule: WaitRule
    queue: QueueConfig
    waits: list[Wait]
    is_missing: bool
    waiting: int
    longest_ms: int
    lever: Callable[[], Lever | None]
    looked_ms: int
    now_ms: int

    @property
    def turns(self) -> int:
        return len(self.waits) + 1

    def crossing(self, past: Sequence[Span]) -> Crossing | None:
        wait = self._first(self.waits, past)
        if wait is None:
            return None
        at_ms = wait.entered_ms + self.rule.limit_ms
        return Crossing(at_ms, at_ms - wait.skew_ms, wait.key)

    def crossed_ms(self, told_ms: int) -> int | None:
        """Whoever crossed at that instant makes it due, not only the one that was seen first.

        The skew may have been measured anew since, by any amount: that alone does not take back what
        was due, so one who still waits keeps it, even if by the new skew the crossing is yet to come.
        """
        limit_ms = self.rule.limit_ms
        for wait in self.waits:
            is_meant = wait.entered_ms - wait.skew_ms + limit_ms == told_ms
            if is_meant and (wait.ended_ms is None or wait.reaches(limit_ms, wait.ended_ms)):
                return wait.entered_ms + limit_ms
        return told_ms if self.is_missing else None

    def over_ms(self, from_ms: int) -> int | None:
        return over_at(self.waits, self.rule.clear_ms, from_ms=from_ms, now_ms=self.now_ms)

    def passed(self, past: Sequence[Span]) -> Sequence[Span]:
        ended = [w for w in self.waits if w.ended_ms is not None]
        found: list[Span] = []
        while (wait := self._first(ended, [*past, *found])) is not None:
            crossed_ms = wait.entered_ms + self.rule.limit_ms
            over_ms = over_at(ended, self.rule.clear_ms, from_ms=crossed_ms, now_ms=self.now_ms)
            ended_ms = crossed_ms if over_ms is None else over_ms
            found.append(Span(crossed_ms, ended_ms, crossed_ms - wait.skew_ms))
        return found

    def asks_for(self, span: Span) -> bool:
        """Who is still waiting must not bring up again what was told of them."""
        limit_ms = self.rule.limit_ms
        return any(
            w.ended_ms is None and w.entered_ms - w.skew_ms + limit_ms == span.told_ms for w in self.waits
        )

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
            threshold=self.rule.limit_ms / 1000,
            crossed_ms=crossing.told_ms,
            fired_ms=self.now_ms,
            clear=self.rule.clear_s,
            updated_ms=self.now_ms,
            lever=self.lever(),
            **self.figures(),
        )

    def figures(self) -> dict[str, Any]:
        return {"value": round(self.longest_ms / 1000, 1), "waiting": self.waiting}

    def _first(self, waits: Sequence[Wait], past: Sequence[Span]) -> Wait | None:
        since_ms = self.looked_ms - FORGET_MS
        return first_crossing(waits, self.rule.limit_ms, known=past, since_ms=since_ms, now_ms=self.now_ms)
