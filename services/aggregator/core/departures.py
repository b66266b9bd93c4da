"""A site that the file no longer lists: its alerts are withdrawn, its rows and its records removed.

SEMANTICS.md §8. Its state stays until the broker has what went out of it, so that a crash in between
leaves neither an alert open nor a row standing.
"""

from collections.abc import Iterable, Sequence

from schemas.codec import agent_key, queue_key, site_key
from services.aggregator.core import records as r
from services.aggregator.core.alerts import AlertBook, SiteAlerts

_EVERY_MS = 1000
_LASTS_MS = 10_000
"""How long rows are removed again each second: whoever was not the writer at first may be it then."""


class Departure:
    """One such site, by the keys of its records. `is_over`: nothing of it is left to be done."""

    def __init__(
        self, site: str, keys: Sequence[Sequence[str]], alerts: SiteAlerts | None, now_ms: int
    ) -> None:
        self.site = site
        self.alerts = AlertBook(site, alerts)
        self.alerts.withdraw_all(now_ms)
        self.is_over = False
        self._keys = keys
        self._until_ms: int | None = None
        self._told_ms = 0
        self._now_ms = now_ms

    def changes(self, epoch: int) -> Iterable[tuple[bytes, bytes | None]]:
        """Its alerts while they are on their way; then the removal of all its records."""
        if self._until_ms is not None and self._now_ms >= self._until_ms and not self.alerts.stored.outbox:
            self.is_over = True
            yield from ((r.key(*words), None) for words in self._keys)
        elif self.alerts.is_changed:
            self.alerts.is_changed = False
            yield r.key(r.ALERTS, self.site), r.pack(r.StoredAlerts(epoch, self.alerts.stored))

    def rows(self, now_ms: int, *, everything: bool) -> Iterable[bytes]:
        """The keys of its rows, when they are due to be removed (again)."""
        self._now_ms = now_ms
        if self._until_ms is None:
            self._until_ms = now_ms + _LASTS_MS
        if not everything and 0 <= now_ms - self._told_ms < _EVERY_MS:
            return
        self._told_ms = now_ms
        for kind, _, *names in self._keys:
            if kind == r.QUEUE:
                yield queue_key(self.site, names[0])
            elif kind == r.AGENT:
                yield agent_key(self.site, names[0])
        yield site_key(self.site)
