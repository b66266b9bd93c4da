"""The board: the newest row of each key, and the version (`seq`) that rises with every change.

Pure: rows and instants in, values out. Who is told of a change, and when, is `hub.py`'s matter;
how a row is written for the outside is `wire.py`'s. Rules: SEMANTICS.md §6, §8, §9.
"""

import msgspec
from msgspec import Struct

from schemas.board import AgentRow, Alert, QueueRow, SiteRow, StateCounts
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Freshness
from services.api import freshness

Key = tuple[str, ...]
"""The words of a row's key: ("queue", site, queue), ("agent", site, agent), ("site", site)."""

Row = QueueRow | AgentRow | SiteRow

ENDED_SHOWN_MS = 60_000
"""An alert that ended stays in the snapshot for this long; the last one stays."""


class View(Struct, frozen=True):
    """What a reader asked to see, of the `sites` that may be seen. None: all of them."""

    site: str | None = None
    queues: frozenset[str] | None = None
    sites: frozenset[str] | None = None

    def shows_site(self, site: str) -> bool:
        return self.site in (None, site) and (self.sites is None or site in self.sites)

    def shows(self, site: str, queue: str) -> bool:
        """`queue` empty: an operations alert, which concerns every queue of its site."""
        return self.shows_site(site) and (not queue or self.queues is None or queue in self.queues)

    def shows_key(self, key: Key) -> bool:
        """Whether a row with this key belongs on this reader's board (agents' rows never do)."""
        if key[0] == "queue":
            return self.shows(key[1], key[2])
        return key[0] == "site" and self.shows_site(key[1])


class Change(Struct):
    """A key that changed and was not released yet: `since` is the version of its first such change."""

    since: int
    urgent: bool


class Board:
    """Whole rows, newest wins.

    `changed` (keys) and `alerted` (version, alert) hold what happened since somebody last emptied
    them. `seq` is the version of the whole board.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.queues: dict[tuple[str, str], QueueRow] = {}
        self.sites: dict[str, SiteRow] = {}
        self.agents: dict[tuple[str, str], AgentRow] = {}
        self.alerts: dict[str, Alert] = {}
        self.changed: dict[Key, Change] = {}
        self.alerted: list[tuple[int, Alert]] = []
        self._received_ms: dict[str, int] = {}

    def apply(self, key: Key, row: Row | None, received_ms: int) -> None:
        """`row` replaces the one before it; None removes that of `key`. The same again changes nothing."""
        if isinstance(row, QueueRow):
            self._put_queue(row)
        elif isinstance(row, AgentRow):
            self._put_agent(row)
        elif isinstance(row, SiteRow):
            self._put_site(row, received_ms)
        else:
            self._remove(key)

    def apply_alert(self, alert: Alert) -> None:
        """Keeps the higher version of an alert; a repeat changes nothing.

        What answers a person's command (`command`, `accepted`) is no part of the alert itself.
        """
        known = self.alerts.get(alert.alert_id)
        if known is not None and known.version >= alert.version:
            return
        alert = msgspec.structs.replace(alert, command=None, accepted=None)
        self.alerts[alert.alert_id] = alert
        self.seq += 1
        self.alerted.append((self.seq, alert))

    def note(self, key: Key, *, urgent: bool) -> None:
        """The row of `key` is not what it was."""
        self.seq += 1
        change = self.changed.setdefault(key, Change(self.seq, urgent))
        change.urgent = change.urgent or urgent

    def standing(self, key: Key, now_ms: int) -> tuple[object, ...]:
        """What time alone changes of a queue's or site's row, besides counting on: empty if it is gone."""
        if key[0] == "queue":
            row = self.queues.get((key[1], key[2]))
            if row is None:
                return ()
            return self.queue_freshness(row, now_ms), freshness.pre_breach(row, now_ms).count
        if not self.has_site(key[1]):
            return ()
        worker = self.worker_freshness(key[1], now_ms)
        site = self.site_row(key[1])
        sources = (freshness.of_row(source, worker, now_ms) for source in site.sources)
        return freshness.of_row(site, worker, now_ms), *sources

    def site_names(self) -> list[str]:
        """Every site that has a row or a queue, by name."""
        return sorted(self.sites.keys() | {site for site, _ in self.queues})

    def has_site(self, site: str) -> bool:
        """Whether the site has a row or a queue."""
        return site in self.sites or any(key[0] == site for key in self.queues)

    def site_row(self, site: str) -> SiteRow:
        """The site's row; one that says nothing when only its queues are known so far."""
        return self.sites.get(site) or SiteRow(
            site=site,
            time_zone="UTC",
            as_of_ms=0,
            freshness=Freshness.UNKNOWN,
            age_ms=None,
            heard_ms=None,
            stale_at_ms=None,
            behind_s=0.0,
            sources=[],
            agents=StateCounts(),
            windows={},
        )

    def queues_of(self, site: str, view: View) -> list[QueueRow]:
        """The site's queues that `view` shows: as the configuration orders them, then others by name."""
        rows = [row for key, row in self.queues.items() if key[0] == site and view.shows(*key)]
        return sorted(rows, key=lambda row: (row.position is None, row.position or 0, row.queue))

    def worker_freshness(self, site: str, now_ms: int) -> Freshness:
        return freshness.of_worker(self.sites.get(site), self._received_ms.get(site, 0), now_ms)

    def site_freshness(self, site: str, now_ms: int) -> Freshness:
        return freshness.of_row(self.site_row(site), self.worker_freshness(site, now_ms), now_ms)

    def queue_freshness(self, row: QueueRow, now_ms: int) -> Freshness:
        return freshness.of_row(row, self.worker_freshness(row.site, now_ms), now_ms)

    def alerts_newest_first(self, view: View, states: frozenset[AlertState] | None = None) -> list[Alert]:
        """Every alert known here that `view` shows, in one of `states` (None: any)."""
        found = [
            alert
            for alert in self.alerts.values()
            if view.shows(alert.site, alert.queue) and (states is None or alert.state in states)
        ]
        return sorted(found, key=lambda alert: (-alert.fired_ms, alert.alert_id))

    def alerts_shown(self, view: View, now_ms: int) -> list[Alert]:
        """What a snapshot carries: open, ended less than 60 s ago, and the last that ended."""
        alerts = self.alerts_newest_first(view)
        ended = [alert for alert in alerts if alert.state not in OPEN_ALERT_STATES]
        last = max(ended, key=ended_ms, default=None)
        return [
            alert
            for alert in alerts
            if alert.state in OPEN_ALERT_STATES or alert is last or now_ms - ended_ms(alert) < ENDED_SHOWN_MS
        ]

    def _put_queue(self, row: QueueRow) -> None:
        before = self.queues.get((row.site, row.queue))
        if row == before:
            return
        if before is None and not self.has_site(row.site):
            self.note(("site", row.site), urgent=True)
        self.queues[row.site, row.queue] = row
        self.note(("queue", row.site, row.queue), urgent=before is None or before.waiting != row.waiting)

    def _put_agent(self, row: AgentRow) -> None:
        if self.agents.get((row.site, row.agent)) != row:
            self.agents[row.site, row.agent] = row
            self.seq += 1

    def _put_site(self, row: SiteRow, received_ms: int) -> None:
        before = self.sites.get(row.site)
        self._received_ms[row.site] = received_ms
        for alert in reversed(row.alerts):
            self.apply_alert(alert)
        self._forget_ended(row)
        if row != before:
            self.sites[row.site] = row
            self.note(("site", row.site), urgent=False)

    def _forget_ended(self, row: SiteRow) -> None:
        """A site row lists the alerts that are kept; one it no longer lists is gone, unless it is newer."""
        kept = {alert.alert_id for alert in row.alerts}
        for alert in self._of_site(row.site):
            if alert.alert_id not in kept and last_ms(alert) < row.as_of_ms:
                del self.alerts[alert.alert_id]

    def _of_site(self, site: str) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.site == site]

    def _remove(self, key: Key) -> None:
        match key:
            case ("queue", site, queue) if (site, queue) in self.queues:
                del self.queues[site, queue]
                self.note(key, urgent=True)
                if not self.has_site(site):
                    self.note(("site", site), urgent=True)
            case ("agent", site, agent) if (site, agent) in self.agents:
                del self.agents[site, agent]
                self.seq += 1
            case ("site", site) if site in self.sites:
                del self.sites[site]
                self.note(key, urgent=True)


def ended_ms(alert: Alert) -> int:
    """The instant an alert ended; for one that has none, the last thing known of it."""
    return alert.resolved_ms if alert.resolved_ms is not None else last_ms(alert)


def last_ms(alert: Alert) -> int:
    """The instant of the newest thing said about an alert."""
    stamps = (alert.updated_ms, alert.resolved_ms, alert.acknowledged_ms, alert.fired_ms)
    return max(stamp for stamp in stamps if stamp is not None)
