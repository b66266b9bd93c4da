"""What the api tells Prometheus: INTERFACE.md §6, SEMANTICS.md §13.

Figures of the board are collected when somebody scrapes, so a queue that is gone leaves no series.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas.board import QueueRow, SourceRow, Window
from schemas.config import Config
from schemas.vocabulary import OPEN_ALERT_STATES, Freshness, OperationsRule, Severity
from services.api import freshness
from services.api.board import Board, View
from services.api.hub import Hub
from services.runtime.keys import Denial

_CLOSE_CODES = (1003, 1008, 4008)
_NOT_CONFIGURED = "http"
_NOT_TRUSTED = " Absent while the queue is stale or was never heard."

WindowFigure = Callable[[Window], float | None]

WINDOW_FIGURES: dict[str, tuple[str, WindowFigure]] = {
    "vigie_queue_service_level_ratio": (
        "Contacts answered within the threshold / contacts that count, 0 to 1, by the queue's definition.",
        lambda window: window.service_level.value,
    ),
    "vigie_queue_abandonment_ratio": (
        "Contacts abandoned / contacts offered, 0 to 1.",
        lambda window: None if window.abandonment is None else window.abandonment.value,
    ),
    "vigie_queue_asa_seconds": (
        "Mean wait of answered contacts, seconds.",
        lambda window: window.asa_s.value,
    ),
    "vigie_queue_occupancy_ratio": (
        "Handling time / (handling + available + ringing time) of the queue's agents, 0 to 1.",
        lambda window: window.occupancy.value,
    ),
    "vigie_queue_slot_occupancy_ratio": (
        "Slots taken / slots there of the queue's agents, 0 to 1, where their capacity is told.",
        lambda window: None if window.slots is None else window.slots.value,
    ),
    "vigie_queue_cleared_ratio": (
        "Items closed within the promise / items decided, 0 to 1, by the calendar.",
        lambda window: None if window.cleared is None else window.cleared.value,
    ),
    "vigie_queue_cleared_business_ratio": (
        "Items closed within the promise / items decided, 0 to 1, where only the queue's hours count.",
        lambda window: None if window.cleared_business is None else window.cleared_business.value,
    ),
}


class Metrics:
    """What the api counts itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.lag = Histogram(
            "vigie_board_lag_seconds",
            "From an event to its sending in a frame, seconds: per frame, of the oldest that it newly tells.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.ignored = Counter(
            "vigie_board_messages_ignored",
            "Messages of boards that were too long or made no sense.",
            registry=registry,
        )
        self._closed = Counter(
            "vigie_board_closed",
            "Boards closed by the api, by close code: 1003 binary, 1008 not allowed, 4008 too slow.",
            ["reason"],
            registry=registry,
        )
        self.unreadable = Counter(
            "vigie_rows_unreadable",
            "Records of vigie.snapshots and vigie.alerts that could not be read and were left out.",
            registry=registry,
        )
        self._refused = Counter(
            "vigie_requests_refused",
            "Requests and sockets refused: no key, an unknown one, one for another use or site; a page "
            "from another origin; a name that is not ours.",
            ["reason"],
            registry=registry,
        )
        for code in _CLOSE_CODES:
            self._closed.labels(str(code))
        for reason in Denial:
            self._refused.labels(reason)

    def closed(self, code: int) -> None:
        """The api closed a board with this code."""
        self._closed.labels(str(code)).inc()

    def refused(self, reason: Denial) -> None:
        """Somebody was not let in."""
        self._refused.labels(reason).inc()


class BoardCollector(Collector):
    """The board's figures at the instant of the scrape.

    `config`: its rules, whose count starts at 0, and its sources, the only ones that have a name here.
    """

    def __init__(self, board: Board, hub: Hub, clock: Callable[[], int], config: Config) -> None:
        self._rules = [(rule.id, str(rule.severity)) for rule in config.rules]
        self._rules += [(rule.value, str(Severity.WARNING)) for rule in OperationsRule]
        self._configured = {(source.id, source.site) for source in config.sources}
        self._board = board
        self._hub = hub
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        now_ms = self._clock()
        trusted = [row for row in self._board.queues.values() if self._is_trusted(row, now_ms)]
        yield from _waits(trusted, now_ms)
        yield from _backlogs(trusted, now_ms)
        for name, (text, figure) in WINDOW_FIGURES.items():
            yield _window_figures(name, text, trusted, figure)
        yield self._agents(now_ms)
        yield self._alerts()
        yield from self._sources(now_ms)
        yield from self._clients()
        yield InfoMetricFamily("vigie_build", "The running build.", value={"version": version("vigie")})

    def describe(self) -> Iterable[Metric]:
        return ()  # names depend on nothing, and registering need not collect

    def _is_trusted(self, row: QueueRow, now_ms: int) -> bool:
        return self._board.queue_freshness(row, now_ms) in (Freshness.LIVE, Freshness.CATCHING_UP)

    def _agents(self, now_ms: int) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "vigie_agents",
            "Agents of the site by state, each once. Absent while the site is stale or was never heard.",
            labels=["site", "state"],
        )
        for site, row in self._board.sites.items():
            if self._board.site_freshness(site, now_ms) in (Freshness.LIVE, Freshness.CATCHING_UP):
                for state in row.agents.__struct_fields__:
                    family.add_metric([site, state], getattr(row.agents, state))
        return family

    def _alerts(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "vigie_alerts_active",
            "Alerts that are firing, acknowledged, snoozed or suppressed.",
            labels=["rule", "severity"],
        )
        counts: dict[tuple[str, str], int] = dict.fromkeys(self._rules, 0)
        for alert in self._board.alerts_newest_first(View()):
            key = (alert.rule, str(alert.severity))
            counts[key] = counts.get(key, 0) + (alert.state in OPEN_ALERT_STATES)
        for labels, count in counts.items():
            family.add_metric(labels, count)
        return family

    def _sources(self, now_ms: int) -> Iterator[GaugeMetricFamily]:
        """Whoever posts chooses a name, so those that are not configured are one, `http`: as the worst of
        them and the longest unheard."""
        up = GaugeMetricFamily(
            "vigie_source_up",
            "1 while the source is heard within its limit, else 0; http: all that are not configured.",
            labels=["source", "site"],
        )
        age = GaugeMetricFamily(
            "vigie_source_age_seconds", "Since the source was last heard, seconds.", labels=["source", "site"]
        )
        for labels, rows in self._sources_by_label().items():
            worker = self._board.worker_freshness(labels[1], now_ms)
            fresh = {freshness.of_row(row, worker, now_ms) for row in rows}
            up.add_metric(labels, fresh <= {Freshness.LIVE, Freshness.CATCHING_UP})
            heard = [row.heard_ms for row in rows if row.heard_ms is not None]
            if heard:
                age.add_metric(labels, max(0, now_ms - min(heard)) / 1000)
        yield from (up, age)

    def _sources_by_label(self) -> dict[tuple[str, str], list[SourceRow]]:
        found: dict[tuple[str, str], list[SourceRow]] = {}
        for site, row in self._board.sites.items():
            for source in row.sources:
                is_configured = (source.source, site) in self._configured
                name = source.source if is_configured else _NOT_CONFIGURED
                found.setdefault((name, site), []).append(source)
        return found

    def _clients(self) -> Iterator[Metric]:
        clients = GaugeMetricFamily("vigie_board_clients", "Boards connected now.")
        clients.add_metric([], self._hub.clients)
        dropped = CounterMetricFamily(
            "vigie_board_frames_dropped",
            "Frames a slow board never got because newer rows took their place.",
        )
        dropped.add_metric([], self._hub.dropped)
        yield from (clients, dropped)


def _labels(row: QueueRow) -> list[str]:
    return [row.site, row.queue, str(row.channel)]


def _waits(rows: list[QueueRow], now_ms: int) -> Iterator[GaugeMetricFamily]:
    names = ["site", "queue", "channel"]
    waiting = GaugeMetricFamily(
        "vigie_queue_contacts_waiting", "Contacts waiting now." + _NOT_TRUSTED, labels=names
    )
    longest = GaugeMetricFamily(
        "vigie_queue_longest_wait_seconds",
        "How long the oldest waiting contact has waited, seconds; absent when none waits." + _NOT_TRUSTED,
        labels=names,
    )
    for row in rows:
        waiting.add_metric(_labels(row), row.waiting)
        seconds = freshness.longest_wait_s(row, now_ms)
        if seconds is not None:
            longest.add_metric(_labels(row), seconds)
    yield from (waiting, longest)


def _backlogs(rows: list[QueueRow], now_ms: int) -> Iterator[GaugeMetricFamily]:
    names, only = ["site", "queue", "channel"], " Deferred channels only." + _NOT_TRUSTED
    items = GaugeMetricFamily(
        "vigie_queue_backlog_items", "Items that are not closed, replied to or not." + only, labels=names
    )
    oldest = GaugeMetricFamily(
        "vigie_queue_oldest_item_seconds",
        "Age of the oldest open item by the calendar, seconds; absent when none is open." + only,
        labels=names,
    )
    business = GaugeMetricFamily(
        "vigie_queue_oldest_item_business_seconds",
        "Age of the oldest open item within the queue's hours, seconds; absent when none is open." + only,
        labels=names,
    )
    for row in rows:
        backlog = freshness.backlog(row, now_ms)
        if backlog is None:
            continue
        items.add_metric(_labels(row), backlog.open)
        if backlog.oldest_s is not None and backlog.oldest_business_s is not None:
            oldest.add_metric(_labels(row), backlog.oldest_s)
            business.add_metric(_labels(row), backlog.oldest_business_s)
    yield from (items, oldest, business)


def _window_figures(name: str, text: str, rows: list[QueueRow], figure: WindowFigure) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        name, text + " Absent without contacts." + _NOT_TRUSTED, labels=["site", "queue", "channel", "window"]
    )
    for row in rows:
        for window, figures in row.windows.items():
            value = figure(figures)
            if value is not None:
                family.add_metric([*_labels(row), str(window)], value)
    return family
