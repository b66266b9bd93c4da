"""Which rules are to be looked at, and when; what a rule sees then. SEMANTICS.md §7, §8.

A queue's wait rules are looked at when something changed in it, when somebody waiting reaches a limit,
and each second; rules on other figures, and sources, each second. What follows from a look is the
matter of following.py.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.board import Alert, Lever
from schemas.config import QueueConfig
from schemas.events import INGEST_SOURCE, NoticeUndelivered
from schemas.vocabulary import OperationsRule
from services.aggregator.core.episodes import Wait
from services.aggregator.core.figure_rules import (
    AVAILABLE,
    ITEMS,
    FigureRule,
    FigureSight,
    Measured,
    figure_rules,
    measure_available,
    measure_items,
    measure_window,
)
from services.aggregator.core.following import Sight, review
from services.aggregator.core.operations import (
    INGEST_BEAT_MS,
    FactSight,
    SilenceSight,
    channel_source,
    ingest_heard,
)
from services.aggregator.core.queues import Queue
from services.aggregator.core.rows import Surroundings, backlog_of, state_counts, window_of
from services.aggregator.core.sources import Heard
from services.aggregator.core.wait_rules import WaitRule, WaitSight, wait_rules

if TYPE_CHECKING:
    from services.aggregator.core.site import Site

_NO_RULE_MS = 1 << 60
_FACTS = (OperationsRule.LOG_GAP, OperationsRule.NOTICE_UNDELIVERED)


class _Rules(NamedTuple):
    """The rules that look at one queue."""

    waits: list[WaitRule]
    figures: list[FigureRule]

    def ids(self) -> set[str]:
        return {rule.config.id for rule in self.waits} | {rule.config.id for rule in self.figures}


class Lookout:
    """The rules of one site. `changed`: queues with news since they were last looked at.

    `looked_ms`: when the rules were last looked at; what began and ended since is still to be told.
    """

    def __init__(self, site: "Site", now_ms: int) -> None:
        self.changed: set[str] = set()
        self.looked_ms = now_ms
        self._site = site
        self._rules: dict[str, _Rules] = {}
        self._since_ms = now_ms
        self._second = 0

    def watch(self, config: QueueConfig) -> int:
        """Looks at a queue from now on; gives the wait, ms, from which a closed visit matters to it."""
        rules = self._site.config.rules
        own = self._rules[config.id] = _Rules(wait_rules(rules, config), figure_rules(rules, config))
        return min((rule.clear_ms for rule in own.waits), default=_NO_RULE_MS)

    def leave(self, name: str) -> None:
        """Looks at a queue no more."""
        self._rules[name] = _Rules([], [])

    def withdraw_unknown(self, now_ms: int) -> None:
        """Withdraws the alerts that no rule looks at any more."""
        rules = {name: own.ids() for name, own in self._rules.items()}
        self._site.alerts.withdraw_unknown(rules, now_ms)

    def look(self, now_ms: int) -> None:
        """Looks at every rule that may have something to say now, then ends the snoozes that are over."""
        is_new_second = now_ms // 1000 != self._second
        self._second = now_ms // 1000
        names = set(self._site.queues) if is_new_second else self._due(now_ms) | self.changed
        self.changed.clear()
        for name in names:
            self._review_waits(self._site.queues[name], now_ms)
        if is_new_second:
            for queue in self._site.queues.values():
                for rule in self._rules[queue.config.id].figures:
                    self._review(queue, rule.config.id, self._figure_sight(queue, rule, now_ms))
            self._review_sources(now_ms)
        self._site.alerts.end_snoozes(now_ms, lambda alert: self._figures_of(alert, now_ms))
        self.looked_ms = now_ms

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When somebody waiting will next reach a limit that no alert is open for, or a snooze ends."""
        skews = self._site.hearing.skews()
        snooze_ms = self._site.alerts.next_snooze_ms(now_ms)
        deadlines = [] if snooze_ms is None else [snooze_ms]
        for name, queue in self._site.queues.items():
            if not queue.entered:
                continue
            for rule in self._rules[name].waits:
                if self._site.alerts.has_course(name, rule.config.id):
                    continue
                at_ms = queue.oldest_ms(skews) + rule.limit_ms
                if at_ms <= now_ms:  # it crossed and has no alert: withdrawn, stale, closed; the next one may
                    crossings = (entered_ms + rule.limit_ms for entered_ms in queue.since_ms(skews))
                    at_ms = next((at for at in crossings if at > now_ms), 0)
                if at_ms > now_ms:
                    deadlines.append(at_ms)
        return min(deadlines, default=None)

    def tell_gap(self, source: str, events: int | None, now_ms: int) -> None:
        """Events are missing from the log (operations.py); None: nobody knows how many."""
        self._review_fact(OperationsRule.LOG_GAP, source, now_ms, at_ms=now_ms, value=events)

    def tell_undelivered(self, event: NoticeUndelivered, now_ms: int) -> None:
        """A notice reached nobody, for good."""
        source, at_ms = channel_source(event.person, event.channel), event.received_ms
        rule = OperationsRule.NOTICE_UNDELIVERED
        self._review_fact(rule, source, max(now_ms, at_ms), at_ms=at_ms, value=event.tries)

    def _due(self, now_ms: int) -> set[str]:
        return {
            name
            for name, queue in self._site.queues.items()
            if any(
                self._reached(queue, rule.limit_ms, now_ms)
                and not self._site.alerts.has_course(name, rule.config.id)
                for rule in self._rules[name].waits
            )
        }

    def _reached(self, queue: Queue, limit_ms: int, now_ms: int) -> bool:
        return bool(queue.entered) and queue.oldest_ms(self._site.hearing.skews()) + limit_ms <= now_ms

    def _review_waits(self, queue: Queue, now_ms: int) -> None:
        """Looks at the wait rules of one queue, if there is anything to see."""
        for rule in self._rules[queue.config.id].waits:
            if (
                self._site.alerts.has_course(queue.config.id, rule.config.id)
                or queue.long
                or self._reached(queue, rule.limit_ms, now_ms)
            ):
                self._review(queue, rule.config.id, self._wait_sight(queue, rule, now_ms))

    def _review(self, queue: Queue, rule: str, sight: Sight) -> None:
        heard = self._site.hearing.of_queue(queue)
        review(
            self._site.alerts,
            queue.config.id,
            rule,
            sight,
            flap=self._site.config.flap,
            is_open=self._site.openings.of(queue.config, sight.now_ms)[0],
            is_stale=heard.heard_ms is None or heard.is_stale(sight.now_ms),
        )

    def _wait_sight(self, queue: Queue, rule: WaitRule, now_ms: int) -> WaitSight:
        watch = self._site.alerts.watch(queue.config.id, rule.config.id)
        skews = self._site.hearing.skews()
        return WaitSight(
            site=self._site.id,
            rule=rule,
            queue=queue.config,
            waits=self._waits(queue, rule, now_ms),
            is_missing=watch.told_ms is not None and watch.trigger[0] not in self._site.contacts,
            waiting=len(queue.waiting),
            longest_ms=max(0, now_ms - queue.oldest_ms(skews)) if queue.entered else 0,
            lever=lambda: self._lever(queue, now_ms),
            looked_ms=self.looked_ms,
            now_ms=now_ms,
        )

    def _waits(self, queue: Queue, rule: WaitRule, now_ms: int) -> list[Wait]:
        """The waits that may hold an episode open: long ones, closed or not, on our clock.

        Those whose crossing opened it are among them, however the skew moved since.
        """
        skews = self._site.hearing.skews()
        told_ms = self._site.alerts.watch(queue.config.id, rule.config.id).told_ms
        opened_ms = None if told_ms is None else told_ms - rule.limit_ms
        waits = []
        for visits in (queue.long.values(), queue.waiting.values()):
            for v in visits:
                skew = skews.get(v.source, 0)
                ended = None if v.ended_ms is None else max(v.entered_ms, v.ended_ms) + skew
                is_long = ended is not None or v.entered_ms + skew + rule.clear_ms <= now_ms
                if is_long or v.entered_ms == opened_ms:
                    waits.append(Wait(v.key, v.entered_ms + skew, ended, skew))
        return waits

    def _figure_sight(self, queue: Queue, rule: FigureRule, now_ms: int) -> FigureSight:
        return FigureSight(
            site=self._site.id,
            rule=rule,
            queue=queue.config,
            measured=self._measure(queue, rule, now_ms),
            waiting=len(queue.waiting),
            lever=lambda: self._lever(queue, now_ms),
            now_ms=now_ms,
        )

    def _measure(self, queue: Queue, rule: FigureRule, now_ms: int) -> Measured:
        if rule.config.metric in ITEMS:
            backlog = backlog_of(queue, self._site.hearing.skews(), now_ms)
            return measure_items(rule.config.metric, backlog)
        agents, silent = [self._site.agents[name] for name in queue.agents], self._silent(now_ms)
        if rule.config.metric == AVAILABLE:
            return measure_available(state_counts(agents, now_ms, queue.config.id, silent=silent))
        around = Surroundings(
            agents=agents,
            sources=(),
            silent=silent,
            heard=self._site.hearing.of_queue(queue),
            skews=self._site.hearing.skews(),
            behind_s=0.0,
            is_catching_up=False,
            is_open=True,
            changes_ms=None,
            now_ms=now_ms,
        )
        return measure_window(rule.config.metric, window_of(queue, rule.config.window, around))

    def _lever(self, queue: Queue, now_ms: int) -> Lever | None:
        """Another queue of the same channel, heard and open, with most available agents and none waiting."""
        best: Lever | None = None
        silent = self._silent(now_ms)
        for other in self._site.queues.values():
            if other is queue or other.channel is not queue.channel or other.waiting:
                continue
            agents = (self._site.agents[name] for name in other.agents)
            available = state_counts(agents, now_ms, other.config.id, silent=silent).available
            if available <= (best.available if best else 0) or not self._may_help(other, now_ms):
                continue
            best = Lever(kind="help_from", team=other.config.team, queue=other.config.id, available=available)
        return best

    def _silent(self, now_ms: int) -> dict[str, int]:
        return self._site.hearing.silent(self._site.queues.values(), now_ms)

    def _may_help(self, queue: Queue, now_ms: int) -> bool:
        heard = self._site.hearing.of_queue(queue)
        is_live = heard.heard_ms is not None and not heard.is_stale(now_ms)
        return is_live and self._site.openings.of(queue.config, now_ms)[0]

    def _figures_of(self, alert: Alert, now_ms: int) -> dict[str, Any]:
        """What an alert says of now; nothing new where its rule is not known any more."""
        queue = self._site.queues.get(alert.queue)
        if queue is None:
            return {}
        waits, figures = self._rules[queue.config.id]
        sights: list[Sight] = [self._wait_sight(queue, r, now_ms) for r in waits if r.config.id == alert.rule]
        sights += [self._figure_sight(queue, r, now_ms) for r in figures if r.config.id == alert.rule]
        return {**sights[0].figures(), "lever": self._lever(queue, now_ms)} if sights else {}

    def _review_sources(self, now_ms: int) -> None:
        """Whether sources are silent, and holes in the log a day old."""
        hearing, queues = self._site.hearing, self._site.queues.values()
        ingest = ingest_heard(hearing.ingest_ms, hearing.behind_ms)
        is_sure = ingest.heard_ms is None or now_ms - ingest.heard_ms < INGEST_BEAT_MS
        for source in hearing.sources.values():
            if source.own_heartbeat:
                heard = hearing.of_source(source.name, queues)
                self._review_source(source.name, heard, now_ms, is_sure=is_sure)
        if hearing.sources:
            self._review_source(INGEST_SOURCE, ingest, now_ms, is_sure=True)
        for alert in list(self._site.alerts.open_alerts()):
            if alert.rule in _FACTS and alert.source is not None:
                self._review_fact(OperationsRule(alert.rule), alert.source, now_ms)

    def _review_source(self, source: str, heard: Heard, now_ms: int, *, is_sure: bool) -> None:
        sight = SilenceSight(self._site.id, source, heard, is_sure, self._since_ms, now_ms)
        self._review_operations(OperationsRule.SOURCE_SILENT, source, sight)

    def _review_fact(
        self,
        rule: OperationsRule,
        source: str,
        now_ms: int,
        *,
        at_ms: int | None = None,
        value: int | None = None,
    ) -> None:
        told_ms = self._site.alerts.watch(source, rule).told_ms
        sight = FactSight(self._site.id, source, rule, told_ms, now_ms, at_ms, value)
        self._review_operations(rule, source, sight)

    def _review_operations(self, rule: OperationsRule, source: str, sight: Sight) -> None:
        flap = self._site.config.flap
        review(self._site.alerts, source, rule.value, sight, flap=flap, is_open=True, is_stale=False)
