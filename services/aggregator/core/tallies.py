"""What is counted for Prometheus: each fact once, never taken back. SEMANTICS.md §13."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from schemas.vocabulary import Outcome
from services.aggregator.core.counts import QueueLabels
from services.aggregator.core.visits import Visit

_ANSWERED = Outcome.ANSWERED


class Tallies:
    """Increments and observations of one site since they were last drained; lost at a restart."""

    def __init__(self) -> None:
        self._unwrapped: dict[tuple[str, str], QueueLabels] = {}
        self.reset()

    def reset(self) -> None:
        """Starts again from 0."""
        self.queues: list[QueueLabels] = []
        self.offered: Counter[QueueLabels] = Counter()
        self.left: Counter[tuple[QueueLabels, Outcome]] = Counter()
        self.waits_ms: defaultdict[QueueLabels, list[int]] = defaultdict(list)
        self.handles_ms: defaultdict[QueueLabels, list[int]] = defaultdict(list)

    def add(self, other: "Tallies") -> None:
        """Adds what another site counted."""
        self.queues += other.queues
        self.offered += other.offered
        self.left += other.left
        for labels, waits in other.waits_ms.items():
            self.waits_ms[labels] += waits
        for labels, handles in other.handles_ms.items():
            self.handles_ms[labels] += handles

    def seen(self, labels: QueueLabels) -> None:
        """A queue is there: its series start at 0."""
        self.queues.append(labels)

    def told(self, labels: QueueLabels, before: Visit | None, after: Visit) -> None:
        """A visit's story moved on."""
        if before is None:
            self.offered[labels] += 1
        if after.outcome is not None and (before is None or before.outcome is None):
            self.left[labels, after.outcome] += 1
            if after.outcome is _ANSWERED:
                self.waits_ms[labels].append(after.wait_ms)
        if after.talk_ended_ms is None or (before is not None and before.wrapped):
            return
        if after.wrapped:
            self._unwrapped.pop(after.key, None)
            self.handles_ms[labels].append(after.handle_ms)
        else:
            self._unwrapped[after.key] = labels

    def quiet(self, visits: Iterable[Visit]) -> None:
        """Nothing came for long: handle times without a told end of wrap-up are taken as they are."""
        for visit in visits:
            labels = self._unwrapped.pop(visit.key, None)
            if labels is not None:
                self.handles_ms[labels].append(visit.handle_ms)
