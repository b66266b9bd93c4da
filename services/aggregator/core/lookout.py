"""Which queues' rules are to be looked at, and when; what a rule sees then. SEMANTICS.md §7, §8.

A queue is looked at when something changed in it, when somebody waiting reaches a limit, and each
second. What follows from the look is the matter of alerts.py.
"""

from typing import TYPE_CHECKING

from schemas.config import QueueConfig
from services.aggregator.core.alerts import Situation, WaitRule, wait_rules
from services.aggregator.core.episodes import Wait
from services.aggregator.core.queues import Queue

if TYPE_CHECKING:
    from services.aggregator.core.site import Site

_NO_RULE_MS = 1 << 60


class Lookout:
    """The rules of one site's queues. `changed`: queues with news since they were last looked at.

    `looked_ms`: when the rules were last looked at; what began and ended since is still to be told.
    """

    def __init__(self, site: "Site", now_ms: int) -> None:
        self.changed: set[str] = set()
        self.looked_ms = now_ms
        self._site = site
        self._rules: dict[str, list[WaitRule]] = {}
        self._second = 0

    def watch(self, config: QueueConfig) -> int:
        """Looks at a queue from now on; gives the wait, ms, from which a closed visit matters to it."""
        self._rules[config.id] = rules = wait_rules(self._site.config.rules, config)
        return min((rule.clear_ms for rule in rules), default=_NO_RULE_MS)

    def leave(self, name: str) -> None:
        """Looks at a queue no more."""
        self._rules[name] = []

    def withdraw_unknown(self, now_ms: int) -> None:
        """Withdraws the alerts that no rule looks at any more."""
        rules = {name: {rule.config.id for rule in own} for name, own in self._rules.items()}
        self._site.alerts.withdraw_unknown(rules, now_ms)

    def look(self, now_ms: int) -> None:
        """Looks at every rule that may have something to say now."""
        is_new_second = now_ms // 1000 != self._second
        self._second = now_ms // 1000
        names = set(self._site.queues) if is_new_second else self._due(now_ms) | self.changed
        self.changed.clear()
        for name in names:
            self._review(self._site.queues[name], now_ms)
        self.looked_ms = now_ms

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When somebody waiting will next reach a limit that no alert is open for."""
        skews = self._site.hearing.skews()
        deadlines = []
        for name, queue in self._site.queues.items():
            if not queue.entered:
                continue
            for rule in self._rules[name]:
                if self._site.alerts.has_open(name, rule.config.id):
                    continue
                at_ms = queue.oldest_ms(skews) + rule.limit_ms
                if at_ms <= now_ms:  # it crossed and has no alert: withdrawn, stale, closed; the next one may
                    crossings = (entered_ms + rule.limit_ms for entered_ms in queue.since_ms(skews))
                    at_ms = next((at for at in crossings if at > now_ms), 0)
                if at_ms > now_ms:
                    deadlines.append(at_ms)
        return min(deadlines, default=None)

    def _due(self, now_ms: int) -> set[str]:
        skews = self._site.hearing.skews()
        return {
            name
            for name, queue in self._site.queues.items()
            if queue.entered
            and any(
                queue.oldest_ms(skews) + rule.limit_ms <= now_ms
                and not self._site.alerts.has_open(name, rule.config.id)
                for rule in self._rules[name]
            )
        }

    def _review(self, queue: Queue, now_ms: int) -> None:
        """Looks at the wait rules of one queue, if there is anything to see."""
        name = queue.config.id
        for rule in self._rules[name]:
            is_open_alert = self._site.alerts.has_open(name, rule.config.id)
            if not is_open_alert and not queue.long and not self._reached(queue, rule.limit_ms, now_ms):
                continue
            hear = self._site.hearing.of_queue(queue)
            trigger = self._site.alerts.trigger(name, rule.config.id)
            situation = Situation(
                queue=queue.config,
                waits=self._waits(queue, rule, now_ms),
                missing=trigger is not None and trigger[0] not in self._site.contacts,
                waiting=len(queue.waiting),
                longest_ms=max(0, now_ms - queue.oldest_ms(self._site.hearing.skews()))
                if queue.entered
                else 0,
                looked_ms=self.looked_ms,
                is_stale=hear.heard_ms is None or hear.is_stale(now_ms),
                is_open=self._site.openings.of(queue.config, now_ms)[0],
                now_ms=now_ms,
            )
            self._site.alerts.review(rule, situation)

    def _reached(self, queue: Queue, limit_ms: int, now_ms: int) -> bool:
        return bool(queue.entered) and queue.oldest_ms(self._site.hearing.skews()) + limit_ms <= now_ms

    def _waits(self, queue: Queue, rule: WaitRule, now_ms: int) -> list[Wait]:
        """The waits that may hold an episode open: long ones, closed or not, on our clock.

        Those whose crossing opened it are among them, however the skew moved since.
        """
        skews = self._site.hearing.skews()
        crossed_ms = self._site.alerts.crossed_ms(queue.config.id, rule.config.id)
        opened_ms = None if crossed_ms is None else crossed_ms - rule.limit_ms
        waits = []
        for visits in (queue.long.values(), queue.waiting.values()):
            for v in visits:
                skew = skews.get(v.source, 0)
                ended = None if v.ended_ms is None else max(v.entered_ms, v.ended_ms) + skew
                is_long = ended is not None or v.entered_ms + skew + rule.clear_ms <= now_ms
                if is_long or v.entered_ms == opened_ms:
                    waits.append(Wait(v.key, v.entered_ms + skew, ended, skew))
        return waits
