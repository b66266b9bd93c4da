"""A worker's partition with a clock of its own: events are told, time passes, alerts go out."""

from collections.abc import Callable

from schemas.board import Alert
from schemas.codec import decode_alert, encode
from schemas.config import Config
from schemas.events import EVERY_SITE, INGEST_SOURCE, AnyEvent, SourceHeartbeat
from services.aggregator.core.partition import Partition
from tests.oracle.telling import Log
from tests.unit.aggregator.core.folding import StateTopic, whole

SITE = "paris"
QUEUE = "support"
RULE = "wait_over_two_minutes"
START_MS = 1_795_341_600_000
"""2026-11-22T10:00:00Z, a Sunday."""


class Watching:
    """One partition. `sent`: every alert the broker was given, in order; those on queues alone are what
    `at` gives, `on_operations` are the others. Instants count from `START_MS`.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.log = Log(SITE)
        self.partition: Partition = whole(self.config, START_MS)
        self.partition.claim()
        self.topic = StateTopic()
        self.sent: list[Alert] = []
        self.on_operations: list[Alert] = []
        self._events: list[AnyEvent] = []
        self._beats = 0

    def tell(
        self, make: Callable[..., AnyEvent], at_ms: int, *, now_ms: int | None = None, **data: object
    ) -> None:
        """Folds one event in at its instant, or at `now_ms`; time does not pass by it."""
        self.log.add(make, START_MS + at_ms, **data)
        self._fold(self.log.events[-1], START_MS + (at_ms if now_ms is None else now_ms))

    def hear(self, at_ms: int) -> None:
        """Ingest says that it is there; with it every source that never sent a heartbeat."""
        self._beats += 1
        at_ms += START_MS
        beat = SourceHeartbeat(
            id=f"beat-{self._beats}",
            source=INGEST_SOURCE,
            site=EVERY_SITE,
            occurred_ms=at_ms,
            received_ms=at_ms,
        )
        self._fold(beat, at_ms)

    def at(self, now_ms: int, *, is_heard: bool = True) -> list[Alert]:
        """Time comes to be `now_ms`; gives what went out to the broker on queues at that."""
        if is_heard:
            self.hear(now_ms)
        self.partition.advance(START_MS + now_ms)
        self.topic.flush(self.partition)
        waiting = self.partition.outbox()
        self.partition.published(waiting)
        alerts = [decode_alert(publication.value or b"") for publication in waiting]
        self.sent += alerts
        self.on_operations += (a for a in alerts if a.source is not None)
        return [a for a in alerts if a.source is None]

    def due_ms(self, now_ms: int) -> int | None:
        """When time must come next."""
        due = self.partition.next_deadline_ms(START_MS + now_ms)
        return None if due is None else due - START_MS

    def restart(self, now_ms: int, config: Config | None = None, *, is_noted: bool = True) -> None:
        """Another worker goes on from what was flushed, with another configuration perhaps.

        `is_noted`: all that was folded and sent was flushed before.
        """
        if is_noted:
            self.topic.flush(self.partition)
        self.config = config or self.config
        self.partition = self.topic.restored(self.config, START_MS + now_ms)
        self._catch_up(START_MS + now_ms)

    def assert_one_wording(self) -> None:
        """No (alert_id, version) ever went out with two contents."""
        seen: dict[tuple[str, int], bytes] = {}
        for alert in (a for a in self.sent if a.accepted is not False):
            wording = encode(alert)
            assert seen.setdefault((alert.alert_id, alert.version), wording) == wording

    def _fold(self, event: AnyEvent, now_ms: int) -> None:
        self._events.append(event)
        self._catch_up(now_ms)

    def _catch_up(self, now_ms: int) -> None:
        """Folds what the log holds after what is folded."""
        for offset in range(self.partition.applied + 1, len(self._events)):
            event = self._events[offset]
            letter = self.partition.fold(
                encode(event), offset=offset, appended_ms=event.received_ms, now_ms=now_ms
            )
            assert letter is None
