"""What ingest counts for Prometheus. Names and labels: INTERFACE.md §6, SEMANTICS.md §13."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.vocabulary import Reason
from services.runtime.keys import Denial

HTTP = "http"
"""Source label of events that no configured source sent."""

OUTCOMES = (
    Reason.ACCEPTED,
    Reason.INVALID,
    Reason.FUTURE,
    Reason.UNKNOWN_TYPE,
    Reason.UNKNOWN_SITE,
    Reason.NOT_ALLOWED,
    Reason.TOO_LARGE,
    Reason.TOO_MANY,
    Reason.NOT_AN_EVENT,
    Reason.AUTOMATIC,
)
"""What can become of an event at ingest."""

DEAD_LETTER_REASONS = (Reason.INVALID, Reason.FUTURE, Reason.TOO_LARGE)
STATUSES = (200, 202, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503)


class Metrics:
    """Every series of ingest. `sources` are the configured ids: with `http`, the closed set of a label.

    An adapter keeps `source_up` (1 while connected and logged in) and `source_reconnects`, and counts
    what it drops by `count`; accepted events are counted where they are written.
    """

    def __init__(self, registry: CollectorRegistry, *, sources: Iterable[str] = ()) -> None:
        self.registry = registry
        self._sources = (*sources, HTTP)
        self.events = Counter(
            "vigie_events_total", "Events by what became of them.", ["source", "outcome"], registry=registry
        )
        self.dead_letters = Counter(
            "vigie_dead_letters_total", "Dead letters written.", ["reason"], registry=registry
        )
        self.source_up = Gauge(
            "vigie_source_up", "1 while the source is connected, else 0.", ["source"], registry=registry
        )
        self.source_reconnects = Counter(
            "vigie_source_reconnects_total", "Connections made again.", ["source"], registry=registry
        )
        self.fields_ignored = Counter(
            "vigie_ingest_fields_ignored_total",
            "Fields of data that are not in the event's row.",
            ["event"],
            registry=registry,
        )
        self.buffer_events = Gauge(
            "vigie_ingest_buffer_events", "Events of sources that wait for the log.", registry=registry
        )
        self.requests = Counter(
            "vigie_ingest_requests_total", "Answers to POST /v1/events.", ["status"], registry=registry
        )
        self.request_seconds = Histogram(
            "vigie_ingest_request_seconds",
            "From the request's head to its answer, POST /v1/events.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self._refused = Counter(
            "vigie_requests_refused",
            "Requests refused: no key, an unknown one, or one for another use or site.",
            ["reason"],
            registry=registry,
        )
        self._unsigned = Counter(
            "vigie_webhooks_refused",
            "Webhooks refused: signature missing, wrong, old.",
            ["source", "reason"],
            registry=registry,
        )
        self._webhooks = Counter(
            "vigie_webhooks",
            "Answers to webhooks.",
            ["source", "status"],
            registry=registry,
        )
        self._webhook_seconds = Histogram(
            "vigie_webhook_seconds",
            "From the request's head to its answer, webhooks.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.tasks = Gauge(
            "vigie_ingest_tasks", "Tasks that run: one or a few for each source.", registry=registry
        )
        self.log_up = Gauge("vigie_ingest_log_up", "1 while Kafka answers, else 0.", registry=registry)
        _build_info(registry)
        self._start_at_zero()
        self._events = {
            (source, outcome): self.events.labels(source, outcome)
            for source in self._sources
            for outcome in OUTCOMES
        }

    def count(self, source: str, outcome: Reason, n: int = 1) -> None:
        """`n` events of `source` (as in the event; unknown ones are `http`) had this outcome."""
        known = source if source in self._sources else HTTP
        self._events[known, outcome].inc(n)

    def refused(self, reason: Denial) -> None:
        """Somebody was not let in."""
        self._refused.labels(reason).inc()

    def unsigned(self, source: str, reason: str, n: int = 1) -> None:
        """Webhooks, or signed events, of the source were refused. `reason`: a `receiving.Unsigned`."""
        self._unsigned.labels(source if source in self._sources else HTTP, reason).inc(n)

    def webhook_answered(self, source: str, status: int, seconds: float) -> None:
        """A webhook of the configured source was answered."""
        self._webhooks.labels(source, str(status)).inc()
        self._webhook_seconds.observe(seconds)

    def _start_at_zero(self) -> None:
        for source in self._sources:
            if source != HTTP:
                self.source_up.labels(source)
                self.source_reconnects.labels(source)
        for reason in DEAD_LETTER_REASONS:
            self.dead_letters.labels(reason)
        for denial in Denial:
            self._refused.labels(denial)
        for status in STATUSES:
            self.requests.labels(str(status))


def _build_info(registry: CollectorRegistry) -> None:
    try:
        number = version("vigie")
    except PackageNotFoundError:  # run from a tree that was never installed
        number = "unknown"
    Gauge("vigie_build_info", "Always 1; the version is the label.", ["version"], registry=registry).labels(
        number
    ).set(1)
