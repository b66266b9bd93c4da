"""What became of each event, and what sites counted, gathered for Prometheus. SEMANTICS.md §13."""

from collections import Counter
from collections.abc import Iterable

from schemas.config import Config
from schemas.events import AnyEvent
from schemas.vocabulary import Reason
from services.aggregator.core.counts import CoreCounts
from services.aggregator.core.site import Site
from services.aggregator.core.tallies import Tallies

HTTP = "http"
"""The `source` label of whoever is not configured."""

_ACCEPTED = Reason.ACCEPTED


class Observed:
    """Counts of one partition since they were last drained."""

    def __init__(self, config: Config) -> None:
        self._configured = frozenset(s.id for s in config.sources)
        self._events: Counter[tuple[str, Reason]] = Counter()
        self._lags_ms: list[int] = []

    def event(self, event: AnyEvent, reason: Reason, now_ms: int) -> None:
        """An event was folded, with this outcome."""
        label = event.source if event.source in self._configured else HTTP
        self._events[label, reason] += 1
        if reason is _ACCEPTED:
            self._lags_ms.append(max(0, now_ms - event.occurred_ms))

    def drain(self, sites: Iterable[Site]) -> CoreCounts:
        """Everything counted since the last call."""
        total = Tallies()
        delays: dict[str, list[int]] = {}
        for site in sites:
            total.add(site.tallies)
            site.tallies.reset()
            for rule, delay_ms in site.alerts.delays:
                delays.setdefault(rule, []).append(delay_ms)
            site.alerts.delays = []
        counts = CoreCounts(
            queues=total.queues,
            offered=total.offered,
            left=total.left,
            waits_ms=total.waits_ms,
            handles_ms=total.handles_ms,
            events=self._events,
            event_lags_ms=self._lags_ms,
            alert_delays_ms=delays,
        )
        self._events, self._lags_ms = Counter(), []
        return counts
