"""One partition of `vigie.events`: all that is known of its sites, as of one offset. The door of the core.

The shell restores it, folds records into it one by one, flushes what changed, publishes what is
due. Every method is a plain function of what was folded and of the `now_ms` given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from schemas import topics
from schemas.board import DeadLetter
from schemas.codec import decode_event, decode_sender, encode
from schemas.config import MAX_SITES_UNCONFIGURED, Config
from schemas.errors import InvalidMessage
from schemas.events import AHEAD_MS, EVERY_SITE, SourceHeartbeat
from schemas.vocabulary import Reason
from services.aggregator.core import records as r
from services.aggregator.core.alerts import AlertBook
from services.aggregator.core.counts import CoreCounts
from services.aggregator.core.departures import Departure
from services.aggregator.core.display import Display
from services.aggregator.core.observed import Observed
from services.aggregator.core.operations import log_source
from services.aggregator.core.site import Site
from services.aggregator.core.site_state import Change, StoredSiteRecords, restore, take_changes

BEHIND_ON_S = 2.0
BEHIND_OFF_S = 1.0
_SWEEP_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Publication:
    """A record to be written to a topic."""

    topic: str
    key: bytes
    value: bytes | None


class Partition:
    """The state of one partition. `applied`: offset of the last event folded in, -1 when none."""

    def __init__(self, number: int, config: Config, now_ms: int) -> None:
        self.number = number
        self.config = config
        self.applied = -1
        self.epoch = 0
        self.sites: dict[str, Site] = {}
        self.behind_s = 0.0
        self.is_catching_up = False
        self._has_backlog = False
        """Whether events found at the start are still to be folded: rules wait for them."""
        self._displays: dict[str, Display] = {}
        self._departures: list[Departure] = []
        self._observed = Observed(config)
        self._clock_ms = 0
        self._looked_ms = now_ms
        self._folded_ms = now_ms
        self._swept_ms = 0
        self._ingest_ms: int | None = None
        self._is_changed = False
        self._changed_events = 0
        for site in config.sites:
            if topics.partition_of(site.id.encode(), config.kafka.partitions) == number:
                self._add(site.id, now_ms)

    # -- state ---------------------------------------------------------------------------------

    def restore(self, stored: Mapping[bytes, bytes], now_ms: int) -> None:
        """Rebuilds the state from the newest record of each key of `vigie.state`.

        `InvalidMessage` when a record cannot be read: then nothing may be folded.
        """
        by_site: dict[str, StoredSiteRecords] = {}
        for key, value in stored.items():
            words, record = r.unpack(key, value)
            self.epoch = max(self.epoch, record.epoch)
            if words[0] == r.APPLIED:
                self.applied, self._clock_ms, self._ingest_ms = (
                    record.offset,
                    record.clock_ms,
                    record.ingest_ms,
                )
                self._looked_ms = record.looked_ms or now_ms
            else:
                by_site.setdefault(words[1], {}).setdefault(words[0], []).append((words, record))
        for site_id, own in by_site.items():
            if not self.config.lists(site_id):
                self._depart(site_id, own, now_ms)
                continue
            site = Site(site_id, self.config, now_ms)
            restore(site, own, now_ms)
            self._keep(site)

    def claim(self) -> None:
        """Makes this worker the one that writes: its records carry a higher epoch from now on."""
        self.epoch += 1
        self._is_changed = True

    def tell_gap(self, events: int | None, now_ms: int) -> None:
        """So many events are missing from the log (None: nobody knows): says so on every site."""
        for site in self.sites.values():
            site.lookout.tell_gap(log_source(self.number), events, now_ms)

    def changes(self) -> list[Change]:
        """The state records changed since the last call; `applied` last, whenever there are any."""
        self._tell(self._folded_ms)
        changes = [c for site in self.sites.values() for c in take_changes(site, self.epoch)]
        changes += [c for departure in self._departures for c in departure.changes(self.epoch)]
        self._departures = [d for d in self._departures if not d.is_over]
        if changes or self._is_changed:
            applied = r.Applied(
                self.epoch, self.applied, self._clock_ms, self._ingest_ms, looked_ms=self._looked_ms
            )
            changes.append((r.APPLIED_KEY, r.pack(applied)))
        self._is_changed = False
        self._changed_events = 0
        return changes

    def change_bytes(self) -> int:
        """About how many bytes `changes` would give; a flush must fit one RecordBatch."""
        queues = sum(len(site.queues) for site in self.sites.values())
        return self._changed_events * _BYTES_PER_EVENT + queues * _BYTES_PER_QUEUE

    # -- facts ---------------------------------------------------------------------------------

    def fold(self, value: bytes | None, *, offset: int, appended_ms: int, now_ms: int) -> DeadLetter | None:
        """Takes the record at an offset; a dead letter when it cannot be read. Never raises on content."""
        self.applied = offset
        self._folded_ms = now_ms
        self._is_changed = True
        self._changed_events += 1
        try:
            event = decode_event(value or b"")
        except InvalidMessage as error:
            return _dead_letter(error, value or b"", offset, now_ms)
        if max(event.occurred_ms, event.received_ms) > _latest_ms(appended_ms):
            ahead = InvalidMessage("occurred_ms: ahead of the append", reason=Reason.FUTURE)
            return _dead_letter(ahead, value or b"", offset, now_ms)
        if isinstance(event, SourceHeartbeat) and (event.clock_ms or 0) > event.received_ms + AHEAD_MS:
            ahead = InvalidMessage("clock_ms: ahead of its receipt", reason=Reason.FUTURE)
            return _dead_letter(ahead, value or b"", offset, now_ms)
        if event.received_ms > self._clock_ms:
            self._clock_ms = min(event.received_ms, appended_ms + _CLOCK_SLACK_MS)
        if isinstance(event, SourceHeartbeat) and event.site == EVERY_SITE:
            self._hear_ingest(event)
            return None
        site = self.sites.get(event.site)
        if site is None:
            if not self.config.lists(event.site):
                self._observed.event(event, Reason.UNKNOWN_SITE, now_ms)
                return None
            if not self.config.sites and len(self.sites) >= MAX_SITES_UNCONFIGURED:
                self._observed.event(event, Reason.TOO_MANY, now_ms)
                return None
            site = self._add(event.site, now_ms)
        site.clock_ms = self._clock_ms
        reason = site.fold(event, now_ms)
        self._observed.event(event, reason, now_ms)
        return None

    def set_lag(self, *, end_reached: bool, last_appended_ms: int | None, now_ms: int) -> None:
        """How far behind the log the fold is (SEMANTICS.md §6): on above 2 s, off below 1 s."""
        if end_reached:
            self.behind_s = 0.0
        else:  # before the first record is folded, the newest receipt in the state is the best we know
            since_ms = last_appended_ms or self._clock_ms or now_ms
            self.behind_s = max(0, now_ms - since_ms) / 1000
        self.is_catching_up = self.behind_s > (BEHIND_OFF_S if self.is_catching_up else BEHIND_ON_S)
        for site in self.sites.values():
            site.hearing.behind_ms = round(self.behind_s * 1000) if self.is_catching_up else 0
        if end_reached or last_appended_ms is None:
            self._has_backlog = not end_reached
        elif self.behind_s < BEHIND_OFF_S:
            self._has_backlog = False

    # -- time ----------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Time-driven transitions: windows, deadlines, silence. Rules wait while the log is behind."""
        for site in self.sites.values():
            site.advance(now_ms, is_live=self._is_live)
        if self._is_live:
            self._looked_ms = now_ms
        if self._is_live and self._clock_ms - self._swept_ms >= _SWEEP_EVERY_MS:
            self._swept_ms = self._clock_ms
            for site in self.sites.values():
                site.clock_ms = self._clock_ms
                site.sweep()

    @property
    def _is_live(self) -> bool:
        return not (self._has_backlog or self.is_catching_up)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `advance` must be called next for a wait rule; None while catching up."""
        if not self._is_live:
            return None
        self._tell(now_ms)
        deadlines = (site.lookout.next_deadline_ms(now_ms) for site in self.sites.values())
        return min((d for d in deadlines if d is not None), default=None)

    # -- what goes out -------------------------------------------------------------------------

    def outbox(self) -> list[Publication]:
        """Alerts that the broker is not known to have. To be sent after the flush that holds them."""
        return [
            Publication(topics.ALERTS.name, alert.alert_id.encode(), encode(alert))
            for book in self._alert_books()
            for alert in book.stored.outbox
        ]

    def published(self, publications: Sequence[Publication]) -> None:
        """The broker has these; they leave the outbox with the next flush."""
        sent = {p.value for p in publications}
        for book in self._alert_books():
            if book.stored.outbox:
                book.published([a for a in book.stored.outbox if encode(a) in sent])

    def rows(self, now_ms: int, *, everything: bool = False) -> list[Publication]:
        """The rows of the board that are due, or all of them."""
        self._tell(now_ms)
        rows = [
            Publication(topics.SNAPSHOTS.name, key, None if row is None else encode(row))
            for display in self._displays.values()
            for key, row in display.rows(
                now_ms, behind_s=self.behind_s, is_catching_up=self.is_catching_up, everything=everything
            )
        ]
        for departure in self._departures:
            gone = departure.rows(now_ms, everything=everything)
            rows += [Publication(topics.SNAPSHOTS.name, key, None) for key in gone]
        return rows

    def observe(self) -> CoreCounts:
        """What was counted since the last call, for Prometheus."""
        self._tell(self._folded_ms)
        return self._observed.drain(self.sites.values())

    def _tell(self, now_ms: int) -> None:
        """Counts all that was folded. Whatever is read of a site is read after this."""
        for site in self.sites.values():
            site.tell(now_ms)

    def _hear_ingest(self, event: SourceHeartbeat) -> None:
        if self._ingest_ms is None or event.received_ms > self._ingest_ms:
            self._ingest_ms = event.received_ms
        for site in self.sites.values():
            site.hearing.ingest_ms = self._ingest_ms

    def _alert_books(self) -> list[AlertBook]:
        return [each.alerts for several in (self.sites.values(), self._departures) for each in several]

    def _depart(self, site_id: str, own: StoredSiteRecords, now_ms: int) -> None:
        """The file no longer lists the site (SEMANTICS.md §8: gone is withdrawn)."""
        keys = [words for several in own.values() for words, _ in several]
        alerts = next((record.alerts for _, record in own.get(r.ALERTS, ())), None)
        self._departures.append(Departure(site_id, keys, alerts, now_ms))

    def _add(self, site_id: str, now_ms: int) -> Site:
        site = Site(site_id, self.config, now_ms)
        site.start(now_ms)
        return self._keep(site)

    def _keep(self, site: Site) -> Site:
        site.hearing.ingest_ms, site.lookout.looked_ms = self._ingest_ms, self._looked_ms
        self.sites[site.id] = site
        self._displays[site.id] = Display(site)
        return site


_BYTES_PER_EVENT = 1024
"""What one event makes a flush grow by at the most, its contact's and agent's records included."""
_BYTES_PER_QUEUE = 2048
"""Its own record and its newest bucket."""
_CLOCK_SLACK_MS = 60_000
"""How far a received instant may lie beyond the append: a wrong clock of one ingest must not age contacts."""

_AHEAD_MS = AHEAD_MS + _CLOCK_SLACK_MS
"""What ingest lets through ahead of its clock (SEMANTICS.md §2), and its clock ahead of the append's."""
_LAST_MS = 253_370_764_800_000
"""The year 9999: beyond, an instant has no date."""


def _latest_ms(appended_ms: int) -> int:
    """The last instant that an event may tell; appended at no known instant, it has no bound but dates."""
    return min(appended_ms + _AHEAD_MS, _LAST_MS) if appended_ms > 0 else _LAST_MS


def _dead_letter(error: InvalidMessage, value: bytes, offset: int, now_ms: int) -> DeadLetter:
    sender = decode_sender(value)
    return DeadLetter(
        source=sender.source or "vigie/aggregator",
        site=sender.site,
        reason=error.reason,
        detail=error.detail,
        sha256=sha256(value).hexdigest(),
        size=len(value),
        received_ms=now_ms,
        topic=topics.EVENTS.name,
        offset=offset,
    )
