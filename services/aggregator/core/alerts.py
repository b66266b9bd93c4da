"""Alerts of one site: an episode has one id, a state, a version; transitions wait in the outbox.

SEMANTICS.md §8. What is published is decided here once, stored with the state, and sent by the
shell until the broker has it; so a restart repeats it but never words it otherwise. When an episode
begins and ends is the matter of following.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct, structs

from schemas.board import Alert
from schemas.events import AlertAcknowledge, AlertCommand, AlertResolve, AlertSnooze
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, OperationsRule
from services.aggregator.core.episodes import Key, Span
from services.aggregator.core.transitions import NOTICES, Standing, Step, after

KEPT_ENDED = 50
_KEPT_COMMANDS = 100
_OURS = frozenset(OperationsRule)


class Watch(Struct, array_like=True):
    """One rule in one place: the alert that is open, the episode in course, and those of the last hour.

    `told_ms`: the crossing of the episode in course, as its source told it. An open alert without one is
    flapping, its value back for now; an episode without an open alert was closed by hand, and no other
    begins before it is over. `trigger` is the contact whose wait crossed; `seen_ms` the last instant at
    which the episode is known to have lasted; `before` and `before_snooze`: see `transitions.Standing`.
    """

    alert_id: str | None = None
    trigger: Key = ("", "")
    seen_ms: int = 0
    before: AlertState | None = None
    past: list[Span] = []
    before_snooze: AlertState | None = None
    told_ms: int | None = None


class SiteAlerts(Struct, array_like=True):
    """Alerts of a site: open ones and the last 50 ended, newest first; and what is still to be published."""

    alerts: list[Alert] = []
    outbox: list[Alert] = []
    watches: dict[str, Watch] = {}
    commands: list[str] = []


def watch_key(place: str, rule: str) -> str:
    """`place`: the queue; of an operations alert, the source."""
    return f"{place}\x00{rule}"


def alert_id(site: str, place: str, rule: str, crossed_ms: int) -> str:
    """The same episode has the same id whatever restarts (SEMANTICS.md §8)."""
    return sha256(f"{site}|{place}|{rule}|{crossed_ms}".encode()).hexdigest()[:16]


class AlertBook:
    """The alerts of one site. `is_changed`: since it was last stored. `delays` are crossing → fired, ms."""

    def __init__(self, site: str, stored: SiteAlerts | None = None) -> None:
        self.site = site
        self.stored = stored or SiteAlerts()
        self.is_changed = False
        self.delays: list[tuple[str, int]] = []
        for watch in self.stored.watches.values():  # 0.1.0 stored no `told_ms`, and knew no flapping
            alert = self.find(watch.alert_id)
            if alert is not None and watch.told_ms is None and not alert.flapping:
                watch.told_ms = alert.crossed_ms

    def watch(self, place: str, rule: str) -> Watch:
        """What is known of a rule in a place; to be handed to `keep` when it was changed."""
        return self.stored.watches.get(watch_key(place, rule)) or Watch()

    def has_course(self, place: str, rule: str) -> bool:
        """Whether an alert is open or an episode in course: another crossing is not urgent then."""
        watch = self.stored.watches.get(watch_key(place, rule))
        return watch is not None and (watch.alert_id is not None or watch.told_ms is not None)

    def keep(self, place: str, rule: str, watch: Watch) -> None:
        """Stores a watch that has something to remember, forgets one that has not."""
        if watch.alert_id is not None or watch.told_ms is not None or watch.past:
            self.stored.watches[watch_key(place, rule)] = watch
        else:
            self.stored.watches.pop(watch_key(place, rule), None)

    def find(self, wanted: str | None) -> Alert | None:
        if wanted is None:
            return None
        return next((a for a in self.stored.alerts if a.alert_id == wanted), None)

    def open_alerts(self) -> Iterator[Alert]:
        return (a for a in self.stored.alerts if a.state in OPEN_ALERT_STATES)

    def begin(self, alert: Alert) -> None:
        """A new alert, or a corrected one that goes on; it may be over already."""
        self._put(alert)
        self._publish(alert)

    def step(
        self, alert: Alert, step: Step, at_ms: int, *, publish: bool = True, **changes: Any
    ) -> Alert | None:
        """The alert after a step of the table, version + 1; None when the table says that nothing happens."""
        watch = self.stored.watches.setdefault(watch_key(place_of(alert), alert.rule), Watch())
        standing = after(Standing(alert.state, watch.before_snooze, watch.before), step)
        if standing is None:
            return None
        watch.before_snooze, watch.before = standing.before_snooze, standing.before
        self.is_changed = True
        if standing.state is alert.state and step is not Step.SNOOZE:
            return alert  # only what it will go back to is another
        if AlertState.SNOOZED not in (standing.state, standing.before):
            changes = {"snoozed_until_ms": None, "snoozed_by": None, **changes}
        if standing.state not in OPEN_ALERT_STATES:
            watch.alert_id = None
        moved = self._renew(alert, at_ms, state=standing.state, notice=NOTICES[step], **changes)
        if publish:
            self._publish(moved)
        return moved

    def amend(self, alert: Alert, at_ms: int, **changes: Any) -> None:
        """Brings figures of an open alert up to date: another version, of which nobody is told."""
        self._publish(self._renew(alert, at_ms, notice=None, **changes))

    def command(self, command: AlertCommand) -> None:
        """A person's command; its answer carries the command's id and whether it was accepted."""
        if command.command in self.stored.commands:
            return
        alert = self.find(command.alert_id)
        self.stored.commands = [*self.stored.commands, command.command][-_KEPT_COMMANDS:]
        self.is_changed = True
        if alert is None:
            return
        moved = self._obey(alert, command)
        answer = structs.replace(moved or alert, command=command.command, accepted=moved is not None)
        self._publish(answer)

    def end_snoozes(self, now_ms: int, figures_of: Callable[[Alert], Mapping[str, Any]]) -> None:
        """Takes up the alerts whose snooze is over; `figures_of`: what each is to say of now."""
        for alert in [a for a in self.open_alerts() if (a.snoozed_until_ms or now_ms + 1) <= now_ms]:
            self.step(alert, Step.SNOOZE_ENDS, now_ms, **figures_of(alert))

    def next_snooze_ms(self, now_ms: int) -> int | None:
        """When the next snooze ends."""
        coming = (a.snoozed_until_ms for a in self.open_alerts() if (a.snoozed_until_ms or 0) > now_ms)
        return min((at_ms for at_ms in coming if at_ms is not None), default=None)

    def withdraw(self, watch: Watch, now_ms: int) -> None:
        """Withdraws the open alert. For good: who crossed in its episode does not bring it up again."""
        alert = self.find(watch.alert_id)
        if alert is not None:
            self.step(alert, Step.GONE, now_ms, resolved_ms=now_ms)
        if watch.told_ms is not None:
            watch.past = [*watch.past, Span(watch.told_ms, now_ms, watch.told_ms)]
            watch.told_ms = None
            self.is_changed = True

    def withdraw_unknown(self, rules: Mapping[str, set[str]], now_ms: int) -> None:
        """Withdraws what no rule looks at any more. `rules`: by queue, the ids of its rules."""
        for key, watch in self.stored.watches.items():
            queue, rule = key.split("\x00", 1)
            if rule not in _OURS and rule not in rules.get(queue, set()):
                self.withdraw(watch, now_ms)

    def withdraw_all(self, now_ms: int) -> None:
        """Withdraws every open alert: its site is gone."""
        for watch in self.stored.watches.values():
            self.withdraw(watch, now_ms)

    def published(self, alerts: Iterable[Alert]) -> None:
        """What the broker has is no longer to be published."""
        sent = {id(a) for a in alerts}
        self.stored.outbox = [a for a in self.stored.outbox if id(a) not in sent]
        self.is_changed = True

    def _obey(self, alert: Alert, command: AlertCommand) -> Alert | None:
        at_ms, by = command.occurred_ms, command.by
        changes: dict[str, Any] = {} if command.note is None else {"note": command.note}
        match command:
            case AlertAcknowledge():
                step = Step.ACKNOWLEDGE
                changes |= {"acknowledged_by": by, "acknowledged_ms": at_ms}
            case AlertSnooze():
                step = Step.SNOOZE
                changes |= {"snoozed_by": by, "snoozed_until_ms": command.until_ms}
            case AlertResolve():
                step = Step.RESOLVE
                changes |= {"resolved_by": by, "resolved_ms": at_ms, "reason": "by_hand"}
        return self.step(alert, step, at_ms, publish=False, **changes)

    def _renew(self, alert: Alert, at_ms: int, **changes: Any) -> Alert:
        renewed = structs.replace(alert, version=alert.version + 1, updated_ms=at_ms, **changes)
        self._put(renewed)
        return renewed

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


def place_of(alert: Alert) -> str:
    """What an alert is about: its queue, or the source of an operations alert."""
    return alert.queue if alert.source is None else alert.source
