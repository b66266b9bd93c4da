"""Partition by partition: what was published, read to its end, beside the fold of the events.

The order in which the ends are taken matters on a live system: rows first, then state, deliveries,
alerts and events, so that whatever a row or the state knows is among the events that are folded, and
whatever was delivered is among the alerts.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aiokafka import ConsumerRecord

from schemas import codec
from schemas.board import Alert, SiteRow
from schemas.config import Config
from schemas.errors import InvalidMessage, Misconfigured
from schemas.events import QueueEntered
from schemas.topics import ALERTS, DELIVERIES, EVENTS, SNAPSHOTS, STATE, partition_of
from services.aggregator.core import records
from services.aggregator.core.partition import BEHIND_OFF_S
from services.aggregator.publisher import applied_of
from services.aggregator.state_log import Loaded
from services.aggregator.verify import alerts, deliveries, delivery_log, rows
from services.aggregator.verify.afresh import BEHIND_MS, Afresh
from services.aggregator.verify.findings import Difference, Findings, Reading
from services.aggregator.verify.reach import Reach
from services.aggregator.verify.reading import Extent, Reader
from services.aggregator.verify.rows import Shown
from services.runtime.clock import now_ms

_LOOKED_WITHIN_MS = 500
_SLACK_MS = 1000
"""By how much our clock may be ahead of the worker's."""


@dataclass
class Stored:
    """What the state of one partition says. `looked_ms`: when its worker last looked at the rules;
    `written_ms`: when it was last written.
    """

    applied: int = -1
    written_ms: int = 0
    looked_ms: int = 0
    alerts: list[Alert] = field(default_factory=list)
    outbox: list[Alert] = field(default_factory=list)


@dataclass
class Moment:
    """Where the fold is to stop: after the event `applied`, at `at_ms`; there `shown` is compared."""

    applied: int
    at_ms: int
    shown: list[Shown] = field(default_factory=list)
    is_state: bool = False


Extents = Mapping[str, Mapping[int, Extent]]


class Comparison:
    """One verification. `site`: of everything, what is of this site alone. `settings_ms`: since when the
    file is what it is.
    """

    def __init__(
        self, reader: Reader, config: Config, site: str | None = None, *, settings_ms: int = 0
    ) -> None:
        self.findings = Findings()
        self._reader = reader
        self.config = config
        self._site = site
        self._settings_ms = settings_ms
        self._extents: Extents = {}
        self._appended_ms = 0
        self.now_ms = 0

    async def run(self) -> Findings:
        """Compares everything. Raises `Unavailable`, `Misconfigured`, `InvalidMessage`."""
        names = (SNAPSHOTS.name, STATE.name, DELIVERIES.name, ALERTS.name, EVENTS.name)
        self._extents = await self._reader.extents(names)
        self.now_ms = now_ms()
        events = self._extents[EVENTS.name]
        if len(events) != self.config.kafka.partitions:
            raise Misconfigured(
                f"[kafka] partitions = {self.config.kafka.partitions}, and {EVENTS.name} has {len(events)}"
            )
        numbers = sorted(events)
        if self._site is not None:
            numbers = [partition_of(self._site.encode(), len(numbers))]
        for number in numbers:
            await self._compare(number)
        await self._compare_deliveries()
        return self.findings

    async def _compare(self, number: int) -> None:
        """One partition; nothing of it is kept afterwards."""
        shown = await self._shown(number)
        stored = await self._stored(number)
        told = [*await self._told(number), *stored.outbox]
        extent = self._extents[EVENTS.name][number]
        self.findings.readings.append(
            Reading(partition=number, from_offset=extent.begin, to_offset=extent.end, applied=stored.applied)
        )
        fold = await self._fold(_Fold(self, number, extent, shown, stored))
        self._appended_ms = max(self._appended_ms, fold.afresh.appended_ms)
        evidence = alerts.Evidence(
            told=alerts.collect(told),
            stored=stored.alerts,
            board=[a for each in shown.values() if isinstance(each.row, SiteRow) for a in each.row.alerts],
            as_of_state=fold.as_of_state,
            as_of_end=self.mine(fold.afresh.told),
            state_ms=fold.state_ms,
            end_ms=self.now_ms - _SLACK_MS,
            config=self.config,
            reach=fold.reach,
            skew_ms=fold.afresh.skew_ms(),
            flapped=self._flapped(fold),
        )
        first = Findings()
        alerts.judge(evidence, first)
        if first.differences:
            first.differences = await self._confirmed(first, evidence, number, stored)
        self.findings.compared += first.compared
        self.findings.omitted += first.omitted
        self.findings.differences += first.differences

    async def _confirmed(
        self, first: Findings, evidence: alerts.Evidence, number: int, stored: Stored
    ) -> list[Difference]:
        """The differences that are there too when facts that came late were known at once.

        Which of two overlapping waits begins an episode depends on what was known at the look, and the
        instants of the looks are not in the log: either way of telling it is right.
        """
        extent = self._extents[EVENTS.name][number]
        fold = _Fold(self, number, extent, {}, stored, behind_ms=alerts.LATE_MS)
        entries: set[alerts.Entry] = set()
        async for record in self._reader.records(EVENTS.name, number, extent):
            fold.take(record)
            with contextlib.suppress(InvalidMessage):
                event = codec.decode_event(record.value or b"")
                if isinstance(event, QueueEntered):
                    entries.add((event.site, event.queue, event.occurred_ms))
        fold.end()
        second = Findings()
        known = replace(
            evidence,
            as_of_state=fold.as_of_state,
            as_of_end=self.mine(fold.afresh.told),
            reach=fold.reach,
            entries=entries,
            flapped=self._flapped(fold),
        )
        alerts.judge(known, second)
        first.omitted[alerts.HISTORY] = second.omitted[alerts.HISTORY]
        names = {difference.name for difference in second.differences}
        return [difference for difference in first.differences if difference.name in names]

    async def _fold(self, fold: "_Fold") -> "_Fold":
        async for record in self._reader.records(EVENTS.name, fold.number, fold.extent):
            fold.take(record)
        fold.end()
        return fold

    def _flapped(self, fold: "_Fold") -> set[str]:
        return fold.afresh.flapped & self.mine(fold.afresh.told).keys()

    def wants(self, site: str) -> bool:
        return self._site is None or site == self._site

    def mine(self, told: Mapping[str, Alert]) -> dict[str, Alert]:
        return {name: alert for name, alert in told.items() if self.wants(alert.site)}

    async def _shown(self, number: int) -> dict[bytes, Shown]:
        """The newest row of each key."""
        shown: dict[bytes, Shown] = {}
        old: set[bytes] = set()
        extent = self._extents[SNAPSHOTS.name].get(number, Extent(0, 0))
        async for record in self._reader.records(SNAPSHOTS.name, number, extent):
            key: bytes = record.key
            shown.pop(key, None)
            old.discard(key)
            kind, site, *_ = codec.decode_key(key)
            if record.value is None or not self.wants(site):
                continue
            applied = applied_of(record)
            if applied is None:
                old.add(key)
                continue
            shown[key] = Shown(key=key, row=codec.decode_row(kind, record.value), applied=applied)
        self.findings.omitted[rows.NO_OFFSET] += len(old)
        for key in [k for k, each in shown.items() if not self.config.lists(each.row.site)]:
            del shown[key]
            self.findings.omitted["rows of a site that is not in the file"] += 1
        return shown

    async def _stored(self, number: int) -> Stored:
        loaded, stored = Loaded(), Stored()
        extent = self._extents[STATE.name].get(number, Extent(0, 0))
        async for record in self._reader.records(STATE.name, number, extent):
            loaded.read(record)
            if record.key == records.APPLIED_KEY:
                stored.written_ms = record.timestamp
        for key, value in loaded.records.items():
            kind = codec.decode_key(key)[0]
            if kind == records.APPLIED:
                applied: records.Applied = records.unpack(key, value)[1]
                stored.applied, stored.looked_ms = applied.offset, applied.looked_ms or 0
            elif kind == records.ALERTS:
                book: records.StoredAlerts = records.unpack(key, value)[1]
                stored.alerts += [a for a in book.alerts.alerts if self.wants(a.site)]
                stored.outbox += [a for a in book.alerts.outbox if self.wants(a.site)]
        return stored

    async def _told(self, number: int) -> list[Alert]:
        """The alerts of this partition's sites, as often as they were told; they lie in all partitions."""
        found: list[Alert] = []
        for each, extent in self._extents[ALERTS.name].items():
            async for record in self._reader.records(ALERTS.name, each, extent):
                try:
                    alert = codec.decode_alert(record.value or b"")
                except InvalidMessage as error:
                    if number == 0 or self._site is not None:
                        self.findings.differ("log", f"{ALERTS.name}-{each} at {record.offset}", error.detail)
                    continue
                own = partition_of(alert.site.encode(), self.config.kafka.partitions)
                if own == number and self.wants(alert.site):
                    found.append(alert)
        return found

    # -- deliveries ----------------------------------------------------------------------------

    async def _compare_deliveries(self) -> None:
        """All partitions at once: that something was recorded in one shows that its writer was there."""
        told = await delivery_log.read_stories(self._reader, self._extents[ALERTS.name], self._is_ours)
        recorded = await delivery_log.read_records(
            self._reader, self._extents[DELIVERIES.name], self._is_ours, self.findings
        )
        evidence = deliveries.Evidence(
            stories=told.found,
            records=recorded.found,
            config=self.config,
            now_ms=min(self.now_ms, self._appended_ms),  # a system that was ended is not late
            settings_ms=self._settings_ms,
            alerts_since_ms=told.since_ms,
            since_ms=recorded.since_ms,
        )
        deliveries.judge(evidence, self.findings)

    def _is_ours(self, site: str) -> bool:
        if self.wants(site) and not self.config.lists(site):
            self.findings.omitted["records of alerts and deliveries of a site that is not in the file"] += 1
        return self.wants(site) and self.config.lists(site)


class _Fold:
    """The fold of one partition, stopped wherever something is to be compared."""

    def __init__(
        self,
        comparison: Comparison,
        number: int,
        extent: Extent,
        shown: Mapping[bytes, Shown],
        stored: Stored,
        *,
        behind_ms: int = BEHIND_MS,
    ) -> None:
        self.as_of_state: dict[str, Alert] = {}
        self.state_ms = stored.looked_ms
        self.reach = Reach()
        self._comparison = comparison
        self.number = number
        self.extent = extent
        self._behind_ms = behind_ms
        # rows and offsets were compared by the first fold; a second one is about alerts alone
        self._findings = comparison.findings if behind_ms == BEHIND_MS else Findings()
        self._shown = shown
        self._stored = stored
        self._moments = _moments(shown, stored)
        self._afresh: Afresh | None = None

    @property
    def afresh(self) -> Afresh:
        if self._afresh is None:
            first_ms = min((m.at_ms for m in self._moments if m.at_ms), default=self._comparison.now_ms)
            self._afresh = self._begin(first_ms)
        return self._afresh

    def _begin(self, start_ms: int) -> Afresh:
        return Afresh(self.number, self._comparison.config, start_ms, behind_ms=self._behind_ms)

    def take(self, record: ConsumerRecord) -> None:
        """Compares what is as of an earlier event; then folds this one."""
        if self._afresh is None:
            self._afresh = self._begin(record.timestamp)
            self.reach = Reach(record.timestamp if self.extent.begin > 0 else None)
        while self._moments and self._moments[0].applied < record.offset:
            self._stop(self._moments.pop(0), record.timestamp)
        self._afresh.fold(record)

    def end(self) -> None:
        """Compares what is as of the last event, and lets time pass up to now."""
        findings, last = self._findings, self.extent.end - 1
        for moment in self._moments:
            if moment.applied <= last:
                self._stop(moment, None)
                continue
            names = [each.key.decode() for each in moment.shown] or [f"partition {self.number}"]
            for name in names:
                what = "row" if moment.shown else "state"
                findings.differ(what, name, f"knows event {moment.applied}, the log ends with {last}")
        self._moments = []
        self.afresh.move(self._comparison.now_ms)

    def _stop(self, moment: Moment, next_ms: int | None) -> None:
        findings = self._findings
        if moment.applied < self.extent.begin - 1:
            findings.omitted[rows.BEFORE_LOG] += len(moment.shown)
            self.state_ms = 0 if moment.is_state else self.state_ms
            return
        if moment.is_state:
            if not self._has_looked(next_ms):
                self.state_ms = 0
            else:
                self.afresh.move(moment.at_ms)
                self.as_of_state = self._comparison.mine(self.afresh.told)
            self._judge_sites()
            return
        shown = [each for each in moment.shown if not rows.is_behind(each, next_ms)]
        findings.omitted[rows.BEHIND] += len(moment.shown) - len(shown)
        if not shown:
            return
        rows.compare(shown, self.afresh, self.reach, findings)
        for each in shown:
            if isinstance(each.row, SiteRow):
                rows.missing(each.row.site, self._shown, self.afresh, findings)

    def _has_looked(self, next_ms: int | None) -> bool:
        """Whether the worker has surely looked at the rules with all that the state knows.

        It does not while it catches up: then more was in the log, and its last event was a second old.
        """
        looked_ms, appended_ms = self._stored.looked_ms, self.afresh.appended_ms
        if appended_ms > looked_ms or self._stored.written_ms - looked_ms > _LOOKED_WITHIN_MS:
            return False
        return next_ms is None or next_ms > looked_ms or appended_ms > looked_ms - round(BEHIND_OFF_S * 1000)

    def _judge_sites(self) -> None:
        for site in self.afresh.partition.sites:
            key = codec.site_key(site)
            if self._comparison.wants(site) and key not in self._shown:
                if self._findings.omitted[rows.NO_OFFSET]:
                    continue
                self._findings.differ("row", key.decode(), "not shown, and the log tells of it")


def _moments(shown: Mapping[bytes, Shown], stored: Stored) -> list[Moment]:
    """In the order in which the fold comes by."""
    groups: dict[tuple[int, int], list[Shown]] = defaultdict(list)
    for each in shown.values():
        groups[each.applied, each.row.as_of_ms].append(each)
    moments = [Moment(applied, at_ms, own) for (applied, at_ms), own in groups.items()]
    moments.append(Moment(stored.applied, stored.looked_ms, is_state=True))
    return sorted(moments, key=lambda m: (m.applied, m.at_ms))
