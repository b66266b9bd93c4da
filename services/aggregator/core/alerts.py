"""Alerts of one site: an episode has one id, a state, a version; transitions wait in the outbox.

SEMANTICS.md §7, §8. What is published is decided here once, stored with the state, and sent by the
shell until the broker has it; so a restart repeats it but never words it otherwise.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from msgspec import Struct, structs

from schemas.board import Alert
from schemas.config import QueueConfig, RuleConfig
from schemas.events import AlertAcknowledge, AlertCommand
from schemas.expressions import Expression, settings_of
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState
from services.aggregator.core.episodes import Key, Span, Wait, first_crossing, over_at

KEPT_ENDED = 50
LATE_AFTER_MS = 2000
_FORGET_MS = 70 * 60_000
_SEEN_STEP_MS = 600_000
_KEPT_COMMANDS = 100


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
        if rule.metric != "longest_wait_s" or not _concerns(rule, queue):
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


def _concerns(rule: RuleConfig, queue: QueueConfig) -> bool:
    if rule.queues is not None and queue.id not in rule.queues:
        return False
    return rule.channels is None or queue.channel in rule.channels


class Watch(Struct, array_like=True):
    """One rule on one queue: the open episode if any, and those of the last hour.

    `trigger` is the contact whose wait crossed; `seen_ms` the last instant at which the episode is
    known to have lasted; `before` the state that a suppressed alert goes back to.
    """

    alert_id: str | None = None
    trigger: Key = ("", "")
    seen_ms: int = 0
    before: AlertState | None = None
    past: list[Span] = []


class Situation(NamedTuple):
    """What a queue looks like when its rules are looked at.

    `missing`: nothing is known any more of the visit that opened the episode (its facts are too old).
    `longest_ms`: longest wait of those waiting, 0 when nobody is. `looked_ms`: when rules were last
    looked at; what began and ended since is still to be told.
    """

    queue: QueueConfig
    waits: list[Wait]
    missing: bool
    waiting: int
    longest_ms: int
    looked_ms: int
    is_stale: bool
    is_open: bool
    now_ms: int


class SiteAlerts(Struct, array_like=True):
    """Alerts of a site: open ones and the last 50 ended, newest first; and what is still to be published."""

    alerts: list[Alert] = []
    outbox: list[Alert] = []
    watches: dict[str, Watch] = {}
    commands: list[str] = []


def watch_key(queue: str, rule: str) -> str:
    return f"{queue}\x00{rule}"


def alert_id(site: str, queue: str, rule: str, crossed_ms: int) -> str:
    """The same episode has the same id whatever restarts (SEMANTICS.md §8)."""
    return sha256(f"{site}|{queue}|{rule}|{crossed_ms}".encode()).hexdigest()[:16]


class AlertBook:
    """The alerts of one site. `is_changed`: since it was last stored. `delays` are crossing → fired, ms."""

    def __init__(self, site: str, stored: SiteAlerts | None = None) -> None:
        self.site = site
        self.stored = stored or SiteAlerts()
        self.is_changed = False
        self.delays: list[tuple[str, int]] = []

    def open_on(self, queue: str) -> list[Alert]:
        return [a for a in self.stored.alerts if a.queue == queue and a.state in OPEN_ALERT_STATES]

    def has_open(self, queue: str, rule: str) -> bool:
        watch = self.stored.watches.get(watch_key(queue, rule))
        return watch is not None and watch.alert_id is not None

    def crossed_ms(self, queue: str, rule: str) -> int | None:
        """The crossing of the open alert, as its source told it."""
        watch = self.stored.watches.get(watch_key(queue, rule))
        alert = self._find(watch.alert_id) if watch is not None else None
        return None if alert is None else alert.crossed_ms

    def trigger(self, queue: str, rule: str) -> Key | None:
        """The visit whose wait opened the episode in course."""
        watch = self.stored.watches.get(watch_key(queue, rule))
        return watch.trigger if watch is not None and watch.alert_id is not None else None

    def review(self, rule: WaitRule, now: Situation) -> None:
        """Looks at one rule on one queue: fires, resolves, suspends, takes up, withdraws."""
        key = watch_key(now.queue.id, rule.config.id)
        watch = self.stored.watches.get(key)
        if watch is None:
            watch = Watch()
        if not now.is_open:
            self._withdraw(watch, now.now_ms)
            self._pass_over(watch, rule, now)
        elif now.is_stale:
            self._suppress(watch, now.now_ms)
        else:
            self._resume(watch, now)
            for _ in range(len(now.waits) + 2):  # each turn ends one episode; there are no more than waits
                if not self._step(watch, rule, now):
                    break
        if watch.alert_id is not None or watch.past:
            self._forget_past(watch, rule, now)
            self.stored.watches[key] = watch

    def command(self, command: AlertCommand) -> None:
        """A person's command; its answer carries the command's id and whether it was accepted."""
        if command.command in self.stored.commands:
            return
        alert = self._find(command.alert_id)
        self.stored.commands = [*self.stored.commands, command.command][-_KEPT_COMMANDS:]
        self.is_changed = True
        if alert is None:
            return
        if isinstance(command, AlertAcknowledge) and alert.state in (AlertState.FIRING, AlertState.SNOOZED):
            alert = self._move(
                alert,
                AlertState.ACKNOWLEDGED,
                command.occurred_ms,
                publish=False,
                acknowledged_by=command.by,
                acknowledged_ms=command.occurred_ms,
                note=command.note,
            )
            self._publish(structs.replace(alert, command=command.command, accepted=True))
        else:
            self._publish(structs.replace(alert, command=command.command, accepted=False))

    def withdraw_unknown(self, rules: Mapping[str, set[str]], now_ms: int) -> None:
        """Withdraws what no rule looks at any more. `rules`: by queue, the ids of its rules."""
        for key, watch in self.stored.watches.items():
            queue, rule = key.split("\x00", 1)
            if rule not in rules.get(queue, set()):
                self._withdraw(watch, now_ms)

    def published(self, alerts: list[Alert]) -> None:
        """What the broker has is no longer to be published."""
        sent = {id(a) for a in alerts}
        self.stored.outbox = [a for a in self.stored.outbox if id(a) not in sent]
        self.is_changed = True

    def _step(self, watch: Watch, rule: WaitRule, now: Situation) -> bool:
        """One transition, if one is due; True when another may follow."""
        if watch.alert_id is not None:
            return self._step_open(watch, rule, now)
        waits, now_ms = now.waits, now.now_ms
        crossing = _next_crossing(watch, rule, now)
        if crossing is None:
            return False
        crossed = crossing.entered_ms + rule.limit_ms
        over = over_at(waits, rule.clear_ms, from_ms=crossed, now_ms=now_ms)
        alert = self._begin(rule, crossing, now, watch)
        if over is not None:
            ended = structs.replace(alert, state=AlertState.RESOLVED, resolved_ms=over, late=True)
            self._put(ended)
            self._publish(ended)
            watch.past = [*watch.past, Span(crossed, over, alert.crossed_ms)]
            return True
        self._put(alert)
        self._publish(alert)
        self.delays.append((rule.config.id, max(0, now_ms - crossed)))
        watch.alert_id, watch.trigger, watch.seen_ms = alert.alert_id, crossing.key, crossed
        return False

    def _step_open(self, watch: Watch, rule: WaitRule, now: Situation) -> bool:
        alert = self._find(watch.alert_id)
        if alert is None:  # more than 50 ended since: cannot happen while it is open, but never lock up
            watch.alert_id = None
            return True
        # Whoever crossed at that instant makes it due, not only the one that was seen first. The skew may
        # have been measured anew since, by any amount: that alone does not take back what was due, so one
        # who still waits keeps it open, even if by the new skew the crossing is yet to come.
        due = [
            w.entered_ms + rule.limit_ms
            for w in now.waits
            if w.entered_ms - w.skew_ms + rule.limit_ms == alert.crossed_ms
            and (w.ended_ms is None or w.reaches(rule.limit_ms, w.ended_ms))
        ]
        crossed = due[0] if due else alert.crossed_ms
        if not due and not now.missing:
            span = Span(crossed, crossed, alert.crossed_ms, alert.version + 1)
            self._end(watch, alert, now, span, reason="corrected")
            return True
        over = over_at(now.waits, rule.clear_ms, from_ms=max(crossed, watch.seen_ms), now_ms=now.now_ms)
        if over is None:
            if now.now_ms - watch.seen_ms > _SEEN_STEP_MS:
                watch.seen_ms = now.now_ms
                self.is_changed = True
            return False
        self._end(watch, alert, now, Span(crossed, over, alert.crossed_ms), reason=None)
        return True

    def _begin(self, rule: WaitRule, crossing: Wait, now: Situation, watch: Watch) -> Alert:
        queue, config = now.queue, rule.config
        crossed = crossing.entered_ms + rule.limit_ms
        recent = sum(1 for s in watch.past if s.crossed_ms > now.now_ms - 600_000)
        told_ms = crossed - crossing.skew_ms
        name = alert_id(self.site, queue.id, config.id, told_ms)
        before = self._find(name)
        corrected = [s.version for s in watch.past if s.told_ms == told_ms]
        return Alert(
            alert_id=name,
            version=max(0, *corrected, before.version if before else 0) + 1,
            rule=config.id,
            severity=config.severity,
            site=self.site,
            queue=queue.id,
            channel=queue.channel,
            team=queue.team,
            state=AlertState.FIRING,
            metric=config.metric,
            value=_seconds(now.longest_ms),
            threshold=rule.limit_ms / 1000,
            crossed_ms=told_ms,
            fired_ms=now.now_ms,
            late=now.now_ms - crossed > LATE_AFTER_MS,
            clear=rule.clear_s,
            episodes_10m=recent + 1,
            waiting=now.waiting,
            updated_ms=now.now_ms,
        )

    def _end(self, watch: Watch, alert: Alert, now: Situation, span: Span, *, reason: str | None) -> None:
        self._move(
            alert,
            AlertState.RESOLVED,
            now.now_ms,
            resolved_ms=now.now_ms if reason else span.ended_ms,
            reason=reason,
            value=_seconds(now.longest_ms),
            waiting=now.waiting,
        )
        watch.alert_id, watch.before = None, None
        watch.past = [*watch.past, span]

    def _withdraw(self, watch: Watch, now_ms: int) -> None:
        alert = self._find(watch.alert_id)
        if alert is not None:
            self._move(alert, AlertState.WITHDRAWN, now_ms, resolved_ms=now_ms)
            # Withdrawn is for good: whoever crossed in it does not bring the same alert_id up again.
            watch.past = [*watch.past, Span(alert.crossed_ms, now_ms, alert.crossed_ms)]
        watch.alert_id = watch.before = None

    def _pass_over(self, watch: Watch, rule: WaitRule, now: Situation) -> None:
        """Episodes that began and ended while the queue is closed are nobody's."""
        over = now._replace(waits=[w for w in now.waits if w.ended_ms is not None])
        while (crossing := _next_crossing(watch, rule, over)) is not None:
            crossed = crossing.entered_ms + rule.limit_ms
            ended = over_at(over.waits, rule.clear_ms, from_ms=crossed, now_ms=now.now_ms)
            span = Span(crossed, crossed if ended is None else ended, crossed - crossing.skew_ms)
            watch.past = [*watch.past, span]
            self.is_changed = True

    def _forget_past(self, watch: Watch, rule: WaitRule, now: Situation) -> None:
        """Keeps what may still be asked for: the last hour, and the episodes of who is still waiting."""
        since_ms = now.now_ms - _FORGET_MS
        if all(span.ended_ms > since_ms for span in watch.past):
            return
        waiting = {w.entered_ms - w.skew_ms + rule.limit_ms for w in now.waits if w.ended_ms is None}
        watch.past = [s for s in watch.past if s.ended_ms > since_ms or s.told_ms in waiting]

    def _suppress(self, watch: Watch, now_ms: int) -> None:
        alert = self._find(watch.alert_id)
        if alert is not None and alert.state is not AlertState.SUPPRESSED:
            watch.before = alert.state
            self._move(alert, AlertState.SUPPRESSED, now_ms, reason="stale")

    def _resume(self, watch: Watch, now: Situation) -> None:
        alert = self._find(watch.alert_id)
        if alert is not None and alert.state is AlertState.SUPPRESSED:
            self._move(alert, watch.before or AlertState.FIRING, now.now_ms, reason=None)
            watch.before = None

    def _find(self, wanted: str | None) -> Alert | None:
        if wanted is None:
            return None
        return next((a for a in self.stored.alerts if a.alert_id == wanted), None)

    def _move(
        self, alert: Alert, state: AlertState, at_ms: int, *, publish: bool = True, **changes: object
    ) -> Alert:
        """One transition: version + 1, kept and (unless told otherwise) put up for publishing."""
        moved = structs.replace(alert, state=state, version=alert.version + 1, updated_ms=at_ms, **changes)
        self._put(moved)
        if publish:
            self._publish(moved)
        return moved

    def _put(self, alert: Alert) -> None:
        others = [a for a in self.stored.alerts if a.alert_id != alert.alert_id]
        others.append(alert)
        others.sort(key=lambda a: (a.crossed_ms, a.alert_id), reverse=True)
        ended = [a for a in others if a.state not in OPEN_ALERT_STATES]
        ended.sort(key=lambda a: a.updated_ms or 0, reverse=True)
        dropped = {a.alert_id for a in ended[KEPT_ENDED:]}
        self.stored.alerts = [a for a in others if a.alert_id not in dropped]
        self.is_changed = True

    def _publish(self, alert: Alert) -> None:
        self.stored.outbox = [*self.stored.outbox, alert]
        self.is_changed = True


def _next_crossing(watch: Watch, rule: WaitRule, now: Situation) -> Wait | None:
    """The wait that begins the next episode of which nothing is known yet."""
    since_ms = now.looked_ms - _FORGET_MS
    return first_crossing(now.waits, rule.limit_ms, known=watch.past, since_ms=since_ms, now_ms=now.now_ms)


def _seconds(ms: int) -> float:
    return round(ms / 1000, 1)
