"""What the notifier counts for Prometheus, from a registry passed in. Labels come from closed sets."""

from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas.board import Alert
from schemas.deliveries import ChannelKind, Delivery, DeliveryState
from schemas.recipients import Nobody
from schemas.vocabulary import Notice
from services.notifier.core.outbox import Outbox
from services.runtime.keys import Denial

OUTCOMES = tuple(
    state for state in DeliveryState if state not in (DeliveryState.PENDING, DeliveryState.SENDING)
)
BURIED = (DeliveryState.GIVEN_UP, DeliveryState.REJECTED)
"""Ends of a delivery that people must hear of: somebody was not told."""

_DELAY_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class Metrics:
    """Counts of this process since its start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._notices = Counter(
            "vigie_notices_total",
            "What tries of notices came to, and notices that were given up or overtaken.",
            ["channel", "outcome"],
            registry=registry,
        )
        self._delay = Histogram(
            "vigie_notice_delay_seconds",
            "From an alert's firing to a receiver's having its notice, seconds.",
            ["channel"],
            buckets=_DELAY_S,
            registry=registry,
        )
        self._nobody = Counter(
            "vigie_alerts_without_recipient_total",
            "Transitions of alerts that nobody is told of, by what is missing.",
            ["reason"],
            registry=registry,
        )
        self._dead_letters = Counter(
            "vigie_dead_letters_total", "Dead letters written.", ["reason"], registry=registry
        )
        self.unreadable = Counter(
            "vigie_rows_unreadable_total",
            "Records of vigie.alerts that could not be read and were left out.",
            registry=registry,
        )
        self._refused = Counter(
            "vigie_requests_refused",
            "Requests that were not let in, by reason.",
            ["reason"],
            registry=registry,
        )
        for denial in Denial:
            self._refused.labels(denial)
        for kind in ChannelKind:
            self._delay.labels(kind)
            for outcome in OUTCOMES:
                self._notices.labels(kind, outcome)
        for reason in Nobody:
            self._nobody.labels(reason)
        for state in (*BURIED, *Nobody):
            self._dead_letters.labels(state)

    def came_to(self, delivery: Delivery, alert: Alert | None = None) -> None:
        """A delivery has a new outcome. `alert`: what it told, when it has just been taken."""
        if delivery.state not in OUTCOMES:
            return
        self._notices.labels(delivery.kind, delivery.state).inc()
        is_taken = delivery.state in (DeliveryState.DELIVERED, DeliveryState.ACCEPTED)
        if alert is not None and is_taken and delivery.notice is Notice.FIRED:
            seconds = max(0, delivery.at_ms - alert.fired_ms) / 1000
            self._delay.labels(delivery.kind).observe(seconds)

    def refused(self, reason: Denial) -> None:
        """Somebody was not let in."""
        self._refused.labels(reason).inc()

    def nobody(self, reason: Nobody) -> None:
        self._nobody.labels(reason).inc()

    def buried(self, reason: str) -> None:
        self._dead_letters.labels(reason).inc()


class OutboxCollector(Collector):
    """The outbox at the instant of the scrape. `outbox` gives the one in use."""

    def __init__(self, outbox: Callable[[], Outbox], clock: Callable[[], int]) -> None:
        self._outbox = outbox
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        outbox, now_ms = self._outbox(), self._clock()
        waiting = outbox.waiting()
        oldest_ms = min((each.since_ms for each in waiting), default=now_ms)
        for name, text, value in (
            ("vigie_notices_waiting", "Notices that are not over.", len(waiting)),
            (
                "vigie_notices_oldest_seconds",
                "How long the oldest of them has been on its way, seconds; 0 when there is none.",
                max(0, now_ms - oldest_ms) / 1000,
            ),
            (
                "vigie_notice_destinations_refusing",
                "Destinations that answered 410; they get nothing until the next start.",
                outbox.refusing,
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        info = GaugeMetricFamily(
            "vigie_build_info", "Version of this process.", labels=("version", "service")
        )
        info.add_metric((version("vigie"), "notifier"), 1)
        yield info
