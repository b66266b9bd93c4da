"""What Prometheus reads from the aggregator: names of INTERFACE.md §6, from a registry passed in.

The fold's counts (`core.counts`) are kept as plain integers and turned into series when Prometheus
asks: adding one costs a dictionary entry, not a lock. Counters with known labels start at 0.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.board import DeadLetter
from schemas.vocabulary import Outcome, Reason
from services.aggregator.core.counts import CoreCounts, QueueLabels
from services.runtime.keys import Denial

_WAIT_S = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600)
_HANDLE_S = (10, 30, 60, 120, 180, 300, 600, 900, 1800, 3600)
_DELAY_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LAG_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
_WORK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

_QUEUE = ("site", "queue", "channel")


class _Bins:
    """A histogram as integers: counts per upper bound (seconds), and the sum of what was seen."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = (*bounds, math.inf)
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def add_ms(self, durations_ms: Iterable[int]) -> None:
        for duration in durations_ms:
            self.add(duration / 1000)

    def write(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        total, buckets = 0, []
        for bound, count in zip(self._bounds, self._counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == math.inf else f"{float(bound)}", float(total)))
        family.add_metric(labels, buckets, sum_value=self._sum)


class Metrics(Collector):
    """Counts of this process since its start; partitions that have left keep theirs."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        version: str,
        sources: Sequence[str] = (),
        rules: Sequence[str] = (),
    ) -> None:
        self._version = version
        self._offered: Counter[QueueLabels] = Counter()
        self._left: Counter[tuple[QueueLabels, Outcome]] = Counter()
        self._waits: dict[QueueLabels, _Bins] = {}
        self._handles: dict[QueueLabels, _Bins] = {}
        self._events: Counter[tuple[str, Reason]] = Counter()
        for source in (*sources, "http"):
            for reason in (Reason.ACCEPTED, Reason.DUPLICATE, Reason.LATE):
                self._events[source, reason] = 0
        self._dead_letters: Counter[str] = Counter({str(Reason.INVALID): 0, str(Reason.FUTURE): 0})
        self._delays = {rule: _Bins(_DELAY_S) for rule in rules}
        self._event_lag = _Bins(_LAG_S)
        self._fold, self._flush = _Bins(_WORK_S), _Bins(_WORK_S)
        self._lag: dict[int, int] = {}
        self._log_gaps = 0
        self._refused = dict.fromkeys(Denial, 0)
        registry.register(self)

    def count(self, counts: CoreCounts) -> None:
        """Adds what the fold counted."""
        for queue in counts.queues:
            self._know(queue)
        for queue, number in counts.offered.items():
            self._offered[queue] += number
        for left, number in counts.left.items():
            self._left[left] += number
        for queue, waits in counts.waits_ms.items():
            self._know(queue)
            self._waits[queue].add_ms(waits)
        for queue, handles in counts.handles_ms.items():
            self._know(queue)
            self._handles[queue].add_ms(handles)
        for event, number in counts.events.items():
            self._events[event] += number
        self._event_lag.add_ms(counts.event_lags_ms)
        for rule, delays in counts.alert_delays_ms.items():
            self._delays.setdefault(rule, _Bins(_DELAY_S)).add_ms(delays)

    def dead_letters(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            self._dead_letters[letter.reason] += 1

    def folded(self, seconds: float) -> None:
        self._fold.add(seconds)

    def flushed(self, seconds: float) -> None:
        self._flush.add(seconds)

    def lag(self, partition: int, events: int) -> None:
        self._lag[partition] = events

    def forget_lag(self) -> None:
        """The partitions went to somebody else, and their lag with them."""
        self._lag.clear()

    def log_gap(self) -> None:
        """The log of events did not go on where the state ends: figures may miss events."""
        self._log_gaps += 1

    def refused(self, reason: Denial) -> None:
        """Somebody was not shown /metrics."""
        self._refused[reason] += 1

    def collect(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._arrivals()
        yield from self._own()

    def _know(self, queue: QueueLabels) -> None:
        if queue in self._waits:
            return
        self._offered[queue] += 0
        for outcome in Outcome:
            self._left[queue, outcome] += 0
        self._waits[queue] = _Bins(_WAIT_S)
        self._handles[queue] = _Bins(_HANDLE_S)

    def _queues(self) -> Iterator[Metric]:
        offered = CounterMetricFamily(
            "vigie_queue_contacts_offered", "Contacts that entered a queue.", labels=_QUEUE
        )
        for queue, number in self._offered.items():
            offered.add_metric(queue, number)
        left = CounterMetricFamily(
            "vigie_queue_contacts_left",
            "Contacts that left a queue, by outcome.",
            labels=(*_QUEUE, "outcome"),
        )
        for (queue, outcome), number in self._left.items():
            left.add_metric((*queue, outcome), number)
        yield offered
        yield left
        yield _histogram("vigie_queue_wait_seconds", "Wait of answered contacts.", _QUEUE, self._waits)
        yield _histogram(
            "vigie_queue_handle_seconds", "Talk, hold and wrap-up of a contact.", _QUEUE, self._handles
        )

    def _arrivals(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "vigie_events", "Events folded, by source and what became of them.", labels=("source", "outcome")
        )
        late = CounterMetricFamily("vigie_events_late", "Events too late to count.", labels=("source",))
        duplicate = CounterMetricFamily("vigie_events_duplicate", "Events seen before.", labels=("source",))
        for (source, reason), number in self._events.items():
            events.add_metric((source, reason), number)
            if reason is Reason.LATE:
                late.add_metric((source,), number)
            elif reason is Reason.DUPLICATE:
                duplicate.add_metric((source,), number)
        dead = CounterMetricFamily("vigie_dead_letters", "Records refused by the fold.", labels=("reason",))
        for word, number in self._dead_letters.items():
            dead.add_metric((word,), number)
        yield from (events, late, duplicate, dead)
        lag = HistogramMetricFamily("vigie_event_lag_seconds", "From occurred to applied.")
        self._event_lag.write(lag, ())
        yield lag

    def _own(self) -> Iterator[Metric]:
        yield _histogram(
            "vigie_alert_detection_delay_seconds", "From crossing to fired.", ("rule",), self._delays
        )
        yield GaugeMetricFamily(
            "vigie_consumer_lag_events", "Events in the log, not folded yet.", value=sum(self._lag.values())
        )
        yield CounterMetricFamily(
            "vigie_aggregator_log_gaps",
            "Times the log did not go on where the state ends.",
            value=self._log_gaps,
        )
        refused = CounterMetricFamily(
            "vigie_requests_refused",
            "Requests refused for want of a key that allows them.",
            labels=("reason",),
        )
        for reason, number in self._refused.items():
            refused.add_metric((reason,), number)
        yield refused
        for name, text, bins in (
            ("vigie_aggregator_fold_seconds", "Folding one fetch.", self._fold),
            ("vigie_aggregator_flush_seconds", "Writing one flush until acknowledged.", self._flush),
        ):
            family = HistogramMetricFamily(name, text)
            bins.write(family, ())
            yield family
        info = GaugeMetricFamily(
            "vigie_build_info", "Version of this process.", labels=("version", "service")
        )
        info.add_metric((self._version, "aggregator"), 1)
        yield info


def _histogram(
    name: str, text: str, labels: Sequence[str], found: dict[QueueLabels, _Bins] | dict[str, _Bins]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, bins in found.items():
        bins.write(family, (key,) if isinstance(key, str) else key)
    return family
