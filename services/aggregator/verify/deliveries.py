"""What became of notices beside the alerts that were to be told, and to whom. SEMANTICS.md §8, decision 14.

Of every delivery: it follows from a version of an alert that is to be told so, to somebody whom the
settings name, under the id that is computed from both. Of every notice: there is a delivery for each
destination. When something was read is not in the log: that the notifier recorded anything a minute
after an alert shows that it had read it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.board import Alert
from schemas.config import Config
from schemas.deliveries import GIVE_UP_MS, Delivery
from schemas.notices import notice_of
from schemas.recipients import Destination, Nobody, delivery_id, destinations, kind_of, recipients
from schemas.topics import partition_of
from schemas.vocabulary import OPEN_ALERT_STATES, Notice
from services.aggregator.verify import outcomes
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.outcomes import Recorded, name_of

MINUTE_MS = 60_000

OLDER_THAN_FILE = "notices or deliveries from before the file was changed: the settings may have been others"
NOT_REACHED = "notices to which the notifier has not come yet, or came when their alert was long over"


@dataclass
class Story:
    """One alert as the notifier has read it: `versions`, the notice of each, and when each was written."""

    versions: dict[int, Alert] = field(default_factory=dict)
    notices: dict[int, Notice | None] = field(default_factory=dict)
    written_ms: dict[int, int] = field(default_factory=dict)

    def add(self, alert: Alert, at_ms: int) -> None:
        """Records in their order; what is not newer says nothing new."""
        before = self.versions[max(self.versions)] if self.versions else None
        if before is not None and alert.version <= before.version:
            return
        self.versions[alert.version] = alert
        self.notices[alert.version] = notice_of(before, alert)
        self.written_ms[alert.version] = at_ms

    @property
    def last(self) -> Alert:
        return self.versions[max(self.versions)]

    @property
    def is_whole(self) -> bool:
        """Whether its beginning is in the log: what a version tells follows from the one before."""
        return 1 in self.versions


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`records` in the order of each partition; `now_ms`: the time of the log.

    `settings_ms`: since when the settings are what they are. `alerts_since_ms`, `since_ms`: from when on
    alerts and deliveries are in the log, where older ones were deleted.
    """

    stories: Mapping[str, Story]
    records: Sequence[Recorded]
    config: Config
    now_ms: int
    settings_ms: int = 0
    alerts_since_ms: int = 0
    since_ms: int = 0


Line = list[list[Recorded]]
Lines = Mapping[str, Mapping[Destination, Line]]


def judge(evidence: Evidence, findings: Findings) -> None:
    """Every rule of this file and of outcomes.py."""
    by_id: dict[str, list[Recorded]] = defaultdict(list)
    for record in evidence.records:
        by_id[record.delivery.delivery_id].append(record)
    findings.compared["deliveries"] += len(by_id)
    findings.compared["records of deliveries"] += len(evidence.records)
    lines: dict[str, dict[Destination, Line]] = defaultdict(lambda: defaultdict(list))
    for records in sorted(by_id.values(), key=lambda own: own[0].delivery.version):
        if _judge_one(records, evidence, findings):
            first = records[0].delivery
            lines[first.alert_id][_destination(first)].append(records)
    for alert_id, own in lines.items():
        for destination, line in own.items():
            _judge_line(evidence.stories[alert_id], destination, line, evidence, findings)
    _Missing(evidence, findings, lines).judge()


def _judge_one(records: list[Recorded], evidence: Evidence, findings: Findings) -> bool:
    """One delivery by itself and with its alert; whether it can be compared with others."""
    first, last = records[0].delivery, records[-1].delivery
    if last.since_ms < evidence.since_ms:
        findings.omitted["deliveries whose first records are no longer in the log"] += 1
        return False
    name = name_of(last)
    wanted = delivery_id(last.alert_id, last.version, channel=last.channel, person=last.person)
    if first.delivery_id != wanted:
        findings.differ("delivery", name, f"its id should be {wanted}")
        return False
    place = partition_of(last.alert_id.encode(), evidence.config.kafka.partitions)
    if any(record.partition != place for record in records):
        findings.differ("delivery", name, f"not in partition {place}, where its alert is")
    for words in outcomes.contradictions(records):
        findings.differ("delivery", name, words)
    late = outcomes.unfinished(last, evidence.now_ms)
    if late is not None:
        findings.differ("delivery", name, late)
    findings.compared["deliveries under way"] += not last.is_over
    return _judge_origin(last, evidence, findings)


def _judge_origin(delivery: Delivery, evidence: Evidence, findings: Findings) -> bool:
    """Whether there is a version of an alert that it tells; and it must tell that."""
    story = evidence.stories.get(delivery.alert_id)
    alert = story.versions.get(delivery.version) if story is not None else None
    if story is None or alert is None or not story.is_whole:
        if delivery.since_ms - GIVE_UP_MS < evidence.alerts_since_ms:
            findings.omitted["deliveries of alerts that are no longer in the log"] += 1
        else:
            findings.differ("delivery", name_of(delivery), "no such version of an alert is in the log")
        return False
    wanted = story.notices[delivery.version]
    if delivery.notice is not wanted:
        words = f"that version tells {wanted}" if wanted is not None else "that version tells nobody"
        findings.differ("delivery", name_of(delivery), f"told as {delivery.notice}, and {words}")
    if (delivery.site, delivery.queue) != (alert.site, alert.queue):
        words = f"about {delivery.site}/{delivery.queue}, its alert is on {alert.site}/{alert.queue}"
        findings.differ("delivery", name_of(delivery), words)
    return True


def _judge_line(
    story: Story, destination: Destination, line: Line, evidence: Evidence, findings: Findings
) -> None:
    """What one destination was told of one alert."""
    for delivery, words in [
        *outcomes.out_of_order(line),
        *outcomes.wrongly_overtaken(line, story.versions, story.notices),
    ]:
        findings.differ("delivery", name_of(delivery), words)
    opening = line[0][0].delivery
    channel = destinations(evidence.config).get(destination)
    why = None
    if channel is None:
        why = "the settings know no such person and channel"
    elif kind_of(channel) is not opening.kind:
        why = f"went by {opening.kind}, the settings say {channel.kind}"
    elif destination not in _recipients(evidence.config, story.versions[opening.version]):
        why = "by the settings somebody else is told"
    if why is None:
        return
    if opening.since_ms < evidence.settings_ms:
        findings.omitted[OLDER_THAN_FILE] += len(line)
    else:
        findings.differ("delivery", name_of(opening), why)


class _Missing:
    """Is there a delivery for every notice and destination?"""

    def __init__(self, evidence: Evidence, findings: Findings, lines: Lines) -> None:
        self._evidence = evidence
        self._findings = findings
        self._lines = lines
        self._channels = destinations(evidence.config)
        self._alive_ms = sorted(record.at_ms for record in evidence.records)

    def judge(self) -> None:
        for story in self._evidence.stories.values():
            if story.is_whole:
                for version, notice in story.notices.items():
                    if notice is not None:
                        self._judge_notice(story, version, notice)

    def _judge_notice(self, story: Story, version: int, notice: Notice) -> None:
        found = recipients(self._evidence.config, story.versions[version])
        if isinstance(found, Nobody):
            self._findings.omitted["notices that reach nobody by the settings"] += 1
        own = self._lines.get(story.last.alert_id, {})
        told = {
            destination
            for destination, line in own.items()
            if line[0][0].delivery.version < version and destination in self._channels
        }
        for destination in sorted(told.union(() if isinstance(found, Nobody) else found)):
            if any(records[0].delivery.version == version for records in own.get(destination, ())):
                self._findings.compared["notices, each with what became of it"] += 1
            else:
                self._judge_missing(story, version, notice, destination)

    def _judge_missing(self, story: Story, version: int, notice: Notice, destination: Destination) -> None:
        evidence, findings = self._evidence, self._findings
        alert, at_ms = story.last, story.written_ms[version]
        if at_ms < evidence.since_ms:
            findings.omitted["notices whose deliveries are no longer in the log"] += 1
            return
        if at_ms < evidence.settings_ms:
            findings.omitted[OLDER_THAN_FILE] += 1
            return
        if not self._was_reached(story, at_ms):
            findings.omitted[NOT_REACHED] += 1
            return
        name = f"of {alert.alert_id} version {version} ({alert.site}/{alert.queue}, {alert.rule})"
        words = f"{notice} never recorded for {destination.person} by {destination.channel}"
        findings.differ("delivery", name, words)

    def _was_reached(self, story: Story, at_ms: int) -> bool:
        """Whether the notifier has surely read that version when it was still to be told."""
        place = bisect_left(self._alive_ms, at_ms + MINUTE_MS)
        alive_ms = self._alive_ms[place] if place < len(self._alive_ms) else self._evidence.now_ms
        if story.last.state not in OPEN_ALERT_STATES:  # over for an hour, it is history
            over_ms = story.written_ms[max(story.versions)]
            return alive_ms < min(over_ms + GIVE_UP_MS, self._evidence.now_ms - MINUTE_MS)
        if place == len(self._alive_ms):
            return alive_ms - at_ms > GIVE_UP_MS
        return alive_ms < self._evidence.now_ms - MINUTE_MS


def _destination(delivery: Delivery) -> Destination:
    return Destination(delivery.person, delivery.channel)


def _recipients(config: Config, alert: Alert) -> Iterable[Destination]:
    found = recipients(config, alert)
    return () if isinstance(found, Nobody) else found
