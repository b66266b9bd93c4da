"""Alerts that were told beside the episodes that the log has. SEMANTICS.md §8.

Of every alert: one content for each version, no version missing, none before its crossing, the
state's and the board's among them. Waits: the episodes of the log, each with its end, and no other;
`corrected` says that one was told in good faith. Rules on figures: value and limit as recorded
justify firing and resolving; which instants were looked at is not in the log.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import structs

from schemas.board import Alert
from schemas.config import Config
from schemas.expressions import Expression, settings_of
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.reach import Reach

_WAIT = "longest_wait_s"
_SAME = 1e-6
LATE_MS = 10_000
"""By how much facts may come late and yet be compared: the second fold knows them at once."""
_HOUR_MS = 3_600_000
_LOOKS_LATER_MS = 3000
"""By how much the fold may look later than a worker: a second behind, at whole seconds."""

HISTORY = "wait alerts of more than an hour ago when their facts came: they may be told or not"
FLAPPING = "wait alerts at the time of one that flaps, of which further crossings are a part"
LATE_FACTS = "wait alerts of facts that came late: how they were told depends on the instants of the looks"
_SKEW_DRIFT_MS = 1000
"""How far a crossing may move because the measured skew of a source did."""


@dataclass
class Told:
    """One alert as told: what each version says, and how many records said it."""

    versions: dict[int, list[Alert]] = field(default_factory=lambda: defaultdict(list))
    records: int = 0

    def add(self, alert: Alert) -> None:
        """Answers to commands are the version they answer; a repeat says nothing new."""
        bare = without_answer(alert)
        self.records += 1
        if bare not in self.versions[alert.version]:
            self.versions[alert.version].append(bare)

    @property
    def last(self) -> Alert:
        return self.versions[max(self.versions)][-1]

    @property
    def has_flapped(self) -> bool:
        return any(alert.flapping for contents in self.versions.values() for alert in contents)


Entry = tuple[str, str, int]
"""Site, queue, and the instant at which a contact entered it."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of the alerts of one partition.

    `stored`: the alerts of the state, as of `state_ms`; `as_of_state` and `as_of_end`: the last
    version of each alert by the fold, there and at the end of the log. `board`: those in site rows.
    `skew_ms`: by how much a source's clock is ahead at the most. `entries`: of every contact of the log,
    once somebody has looked for them. `flapped`: alerts that by the fold flapped at some time.
    """

    told: Mapping[str, Told]
    stored: Iterable[Alert]
    board: Iterable[Alert]
    as_of_state: Mapping[str, Alert]
    as_of_end: Mapping[str, Alert]
    state_ms: int
    end_ms: int
    config: Config
    reach: Reach
    skew_ms: int = 0
    entries: Collection[Entry] = ()
    flapped: Collection[str] = ()


def collect(told: Iterable[Alert]) -> dict[str, Told]:
    """Alerts by id, whatever was sent again."""
    found: dict[str, Told] = defaultdict(Told)
    for alert in told:
        found[alert.alert_id].add(alert)
    return dict(found)


def without_answer(alert: Alert) -> Alert:
    """The alert without the command that it answers."""
    return structs.replace(alert, command=None, accepted=None)


def judge(evidence: Evidence, findings: Findings) -> None:
    """Every rule of this file."""
    for told in evidence.told.values():
        _judge_versions(told, evidence, findings)
        _judge_values(told, evidence.config, findings)
    _judge_places(evidence, findings)
    _judge_episodes(evidence, findings)


def name_of(alert: Alert) -> str:
    return f"{alert.alert_id} ({alert.site}/{alert.queue}, {alert.rule})"


def _judge_versions(told: Told, evidence: Evidence, findings: Findings) -> None:
    name, versions = name_of(told.last), sorted(told.versions)
    findings.compared["alerts"] += 1
    findings.compared["versions of alerts"] += len(versions)
    findings.compared["records of alerts sent again"] += told.records - len(versions)
    for version, contents in sorted(told.versions.items()):
        if len(contents) > 1:
            words = "; ".join(unequal(contents[0], other) for other in contents[1:])
            findings.differ("alert", name, f"version {version} has two contents: {words}")
    if versions != list(range(1, versions[-1] + 1)) and evidence.reach.includes(told.last):
        findings.differ("alert", name, f"a version is missing, there are {versions}")
    tolerance_ms = evidence.skew_ms + _SKEW_DRIFT_MS if evidence.skew_ms else 0
    if told.last.fired_ms < told.last.crossed_ms - tolerance_ms:
        early_ms = told.last.crossed_ms - told.last.fired_ms
        findings.differ("alert", name, f"fired {early_ms} ms before its crossing")


def unequal(one: Alert, other: Alert) -> str:
    """The fields in which two contents differ."""
    pairs = ((f, getattr(one, f), getattr(other, f)) for f in structs.asdict(one))
    return ", ".join(f"{field} {a!r} and {b!r}" for field, a, b in pairs if a != b)


def _judge_places(evidence: Evidence, findings: Findings) -> None:
    """The state and the board have nothing that was not told, and the state no other end."""
    stored = {alert.alert_id: alert for alert in evidence.stored}
    for where, alerts in (("the state", stored.values()), ("the board", evidence.board)):
        for alert in alerts:
            told = evidence.told.get(alert.alert_id)
            contents = told.versions.get(alert.version, []) if told is not None else []
            if alert in contents:
                continue
            if not contents and not evidence.reach.includes(alert):
                findings.omitted["alerts of the state or the board that are older than the log"] += 1
                continue
            words = unequal(contents[0], alert) if contents else "that version was never told"
            findings.differ("alert", name_of(alert), f"version {alert.version} in {where}: {words}")
    for told in evidence.told.values():
        last = told.last
        is_known = last.alert_id in stored and stored[last.alert_id].state in OPEN_ALERT_STATES
        if last.state in OPEN_ALERT_STATES and not is_known and (last.updated_ms or 0) <= evidence.state_ms:
            findings.differ("alert", name_of(last), f"told as {last.state}, and not open in the state")


def _judge_values(told: Told, config: Config, findings: Findings) -> None:
    """Rules on figures: the recorded value reaches the recorded limit when it fires, clears when it ends."""
    first = told.versions.get(1, [told.last])[0]
    rule = next((r for r in config.rules if r.id == first.rule), None)
    if first.metric == _WAIT or rule is None or rule.metric != first.metric:
        return
    findings.compared["alerts of rules on figures, by their values"] += 1
    fire = Expression.parse(rule.fire)
    clear = Expression.parse(rule.clear) if rule.clear else None
    if first.version == 1 and not _holds(fire, first.value, first.threshold):
        findings.differ("alert", name_of(first), f"fired with {first.value}, not {fire.op} {first.threshold}")
    last = told.last
    if last.state is not AlertState.RESOLVED or last.reason is not None or last.flapping or last.late:
        return
    if clear is not None and last.clear is not None and not _holds(clear, last.value, last.clear):
        findings.differ("alert", name_of(last), f"resolved with {last.value}, not {clear.op} {last.clear}")
    if clear is None and last.value is not None and fire.holds(last.value, last.threshold):
        findings.differ("alert", name_of(last), f"resolved with {last.value}, {fire.op} {last.threshold}")


def _holds(expression: Expression, value: float | None, limit: float) -> bool:
    """Whether it holds, floats a hair apart being equal; nothing known justifies nothing."""
    if value is None:
        return False
    return expression.holds(value, limit) or (abs(value - limit) < _SAME and "=" in expression.op)


def _judge_episodes(evidence: Evidence, findings: Findings) -> None:
    """Waits: each episode of the log was told, with its end, and nothing else was."""
    for name, expected in evidence.as_of_state.items():
        if _is_wait(expected, evidence, findings=None) and name not in evidence.told:
            if expected.reason == "corrected" or expected.crossed_ms > evidence.state_ms:
                continue
            if _was_long_over(expected) and expected.notice is None:
                findings.omitted[HISTORY] += 1
                continue
            flapping = (each.last for each in evidence.told.values() if each.has_flapped)
            if any(_is_within(expected, each) for each in flapping):
                findings.omitted[FLAPPING] += 1
                continue
            if _is_of_late_facts(expected, (each.last for each in evidence.told.values())):
                findings.omitted[LATE_FACTS] += 1
                continue
            findings.differ("alert", name_of(expected), f"never told; crossed at {expected.crossed_ms}")
    for name, told in evidence.told.items():
        last = told.last
        if not _is_wait(last, evidence, findings=findings):
            continue
        episode = evidence.as_of_end.get(name)
        if last.reason == "corrected":
            findings.compared["wait alerts corrected later"] += 1
        elif episode is None or episode.reason == "corrected":
            _judge_unfounded(last, evidence, findings)
        elif AlertState.WITHDRAWN in (last.state, episode.state) or last.flapping or last.reason is not None:
            findings.omitted["ends of wait alerts that were withdrawn, flapping or suspended"] += 1
        else:
            _judge_end(last, episode, evidence, findings)


def _judge_unfounded(last: Alert, evidence: Evidence, findings: Findings) -> None:
    """An alert without a wait: to be corrected as soon as the state knows better."""
    if last.crossed_ms > evidence.end_ms or last.state is AlertState.WITHDRAWN:
        return
    is_known = last.alert_id in evidence.as_of_end
    before = evidence.as_of_state.get(last.alert_id)
    if is_known and last.state in OPEN_ALERT_STATES and (before is None or before.reason != "corrected"):
        return
    if _was_long_over(last) and _entry_of(last) in evidence.entries:
        findings.omitted[HISTORY] += 1
        return
    flapping = (evidence.as_of_end[name] for name in evidence.flapped)
    if any(_is_within(last, each) for each in flapping):
        findings.omitted[FLAPPING] += 1
        return
    if any(_is_of_late_facts(each, [last]) for each in evidence.as_of_end.values()):
        findings.omitted[LATE_FACTS] += 1
        return
    findings.differ("alert", name_of(last), f"told as {last.state}, and no such wait is in the log")


def _judge_end(last: Alert, episode: Alert, evidence: Evidence, findings: Findings) -> None:
    findings.compared["wait episodes with their ends"] += 1
    if last.resolved_ms == episode.resolved_ms:
        return
    if last.state in OPEN_ALERT_STATES:  # the log may have had its end only after the state was read
        before = evidence.as_of_state.get(last.alert_id)
        if before is None or before.state in OPEN_ALERT_STATES:
            return
    elif episode.resolved_ms is None and (last.resolved_ms or 0) > evidence.end_ms:
        return
    if _was_closed_after(last, episode):
        return
    if _is_late(episode):
        findings.compared["wait episodes with their ends"] -= 1
        findings.omitted[LATE_FACTS] += 1
        return
    found, wanted = _ending(last), _ending(episode)
    findings.differ("alert", name_of(last), f"{found}, and by the log {wanted}")


def _was_closed_after(last: Alert, episode: Alert) -> bool:
    """Whether somebody closed it just after it was over: refused when it was told, taken by the fold, which
    looks at each second later than the worker.
    """
    if episode.reason != "by_hand" or last.resolved_ms is None or episode.resolved_ms is None:
        return False
    return 0 <= episode.resolved_ms - last.resolved_ms <= _LOOKS_LATER_MS


def _is_of_late_facts(episode: Alert, others: Iterable[Alert]) -> bool:
    """Whether the log had an episode's facts late, and another of its place was told of the same time.

    Which of overlapping waits begins an episode depends on what was known at a look.
    """
    return _is_late(episode) and any(_overlap(episode, other) for other in others)


def _is_late(episode: Alert) -> bool:
    """Whether the facts of an episode of the log came late: a fold looks as soon as they are there."""
    return episode.fired_ms - episode.crossed_ms > LATE_MS


def _was_long_over(alert: Alert) -> bool:
    """Whether its facts came more than an hour late: a look that sees it over then tells nothing of it."""
    return alert.state is AlertState.RESOLVED and alert.fired_ms - alert.crossed_ms > _HOUR_MS


def _entry_of(alert: Alert) -> Entry:
    return alert.site, alert.queue, alert.crossed_ms - round(alert.threshold * 1000)


def _is_within(alert: Alert, other: Alert) -> bool:
    """Whether an alert began while another of its place lasted."""
    if (alert.site, alert.queue, alert.rule) != (other.site, other.queue, other.rule):
        return False
    return other.crossed_ms <= alert.crossed_ms and (
        other.resolved_ms is None or alert.crossed_ms <= other.resolved_ms
    )


def _overlap(one: Alert, other: Alert) -> bool:
    if (one.site, one.queue, one.rule) != (other.site, other.queue, other.rule):
        return False
    last_ms = min(each.resolved_ms or each.fired_ms for each in (one, other))
    return max(one.crossed_ms, other.crossed_ms) <= last_ms


def _ending(alert: Alert) -> str:
    return f"{alert.state} at {alert.resolved_ms}" if alert.resolved_ms is not None else f"{alert.state}"


def _is_wait(alert: Alert, evidence: Evidence, *, findings: Findings | None) -> bool:
    """Whether the alert can be compared with the log: of a wait, and of the rule and limits in force."""
    if alert.metric != _WAIT:
        return False
    why = None
    rule = next((r for r in evidence.config.rules if r.id == alert.rule), None)
    if not evidence.reach.includes(alert):
        why = "wait alerts whose facts are no longer all in the log"
    elif rule is None or rule.metric != _WAIT or not evidence.config.lists(alert.site):
        why = "wait alerts of a rule or a site that is not in the file"
    else:
        settings = settings_of(evidence.config.queue(alert.site, alert.queue, alert.channel))
        limit = Expression.parse(rule.fire).limit(settings)
        clear = Expression.parse(rule.clear).limit(settings) if rule.clear else limit
        if abs(alert.threshold - limit) > 1e-3 or abs((alert.clear or 0.0) - min(clear, limit)) > 1e-3:
            why = "wait alerts by other limits than those in the file"
    if why is not None and findings is not None:
        findings.omitted[why] += 1
    return why is None
