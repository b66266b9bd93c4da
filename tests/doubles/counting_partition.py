"""A partition that only counts, with the same promises as the real one (`aggregator.folding`).

It decodes real events and keeps, per queue, how many came and an order-free check sum of their ids:
one event lost or counted twice shows. A contact that waits longer than the limit of its queue gives
an alert by deadline, one that leaves after that resolves it; both go through the outbox.
"""

import heapq
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from msgspec import Struct, field

from schemas import codec
from schemas.board import DeadLetter
from schemas.config import Config
from schemas.errors import InvalidMessage
from schemas.events import QueueEntered, QueueLeft
from schemas.topics import ALERTS, SNAPSHOTS
from schemas.vocabulary import Channel, Reason
from services.aggregator.core.counts import CoreCounts, QueueLabels
from services.aggregator.folding import StateRecord

QueueId = tuple[str, str]
_APPLIED = codec.encode(("applied",))
_ROW_MS = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """A publication, and the row of the outbox it came from."""

    topic: str
    key: bytes
    value: bytes | None


class Waiting(Struct):
    entered_ms: int
    fired_ms: int | None = None


class Tally(Struct):
    """What is known of one queue."""

    epoch: int = 0
    events: int = 0
    checksum: int = 0
    waiting: dict[str, Waiting] = field(default_factory=dict)
    outbox: dict[str, bytes] = field(default_factory=dict)
    padding: str = ""


class Applied(Struct):
    offset: int
    epoch: int


class CountedAlert(Struct):
    alert_id: str
    version: int
    crossed_ms: int
    at_ms: int


class CountingPartition:
    def __init__(self, number: int, config: Config, now_ms: int = 0, *, padding: int = 0) -> None:
        self.number = number
        self.applied = -1
        self.epoch = 0
        self.tallies: dict[QueueId, Tally] = {}
        self.replayed = 0
        self._config = config
        self._padding = "x" * padding
        self._changed: set[QueueId] = set()
        self._claimed = False
        self._flushed = -1
        self._deadlines: list[tuple[int, QueueId, str]] = []
        self._unshown: set[QueueId] = set()
        self._shown_ms: dict[QueueId, int] = {}
        self._new: list[QueueLabels] = []
        self._counted: dict[QueueLabels, int] = {}
        self._lags: list[int] = []

    def restore(self, stored: Mapping[bytes, bytes], now_ms: int) -> None:
        for key, value in stored.items():
            if key == _APPLIED:
                applied = msgspec.json.decode(value, type=Applied)
                self.applied, self.epoch, self._flushed = applied.offset, applied.epoch, applied.offset
                continue
            kind, site, queue = codec.decode_key(key)
            if kind != "tally":
                raise InvalidMessage(f"{kind} is no record of this partition")
            tally = msgspec.json.decode(value, type=Tally)
            self.tallies[site, queue] = tally
            for contact, waiting in tally.waiting.items():
                if waiting.fired_ms is None:
                    self._await((site, queue), contact, waiting.entered_ms)

    def tell_gap(self, events: int | None, now_ms: int) -> None:
        for queue in self.tallies:
            self._alert(queue, "gap", version=1, crossed_ms=now_ms, at_ms=now_ms)

    def claim(self) -> None:
        self.epoch += 1
        self._claimed = True

    def fold(self, value: bytes | None, *, offset: int, appended_ms: int, now_ms: int) -> DeadLetter | None:
        assert offset == self.applied + 1, f"{offset} after {self.applied}"
        self.applied = offset
        try:
            event = codec.decode_event(value or b"")
        except InvalidMessage as error:
            return DeadLetter(
                source="unknown",
                reason=Reason.INVALID,
                detail=error.detail,
                sha256=sha256(value or b"").hexdigest(),
                size=len(value or b""),
                received_ms=now_ms,
            )
        self._lags.append(max(0, now_ms - event.received_ms))
        if isinstance(event, QueueEntered | QueueLeft):
            self._count((event.site, event.queue or ""), event)
        return None

    def set_lag(self, *, end_reached: bool, last_appended_ms: int | None, now_ms: int) -> None:
        """This one never waits until it has caught up."""

    def advance(self, now_ms: int) -> None:
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            due_ms, queue, contact = heapq.heappop(self._deadlines)
            waiting = self.tallies[queue].waiting.get(contact)
            if waiting is not None and waiting.fired_ms is None:
                waiting.fired_ms = now_ms
                self._alert(queue, contact, version=1, crossed_ms=due_ms, at_ms=now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        return self._deadlines[0][0] if self._deadlines else None

    def changes(self) -> list[StateRecord]:
        if not self._changed and not self._claimed and self.applied == self._flushed:
            return []
        records: list[StateRecord] = []
        for queue in self._changed:
            tally = self.tallies[queue]
            tally.epoch, tally.padding = self.epoch, self._padding
            records.append((codec.encode(("tally", *queue)), codec.encode(tally)))
        records.append((_APPLIED, codec.encode(Applied(self.applied, self.epoch))))
        self._changed.clear()
        self._claimed, self._flushed = False, self.applied
        return records

    def change_bytes(self) -> int:
        return len(self._changed) * (len(self._padding) + 200)

    def outbox(self) -> Sequence[Sent]:
        return [
            Sent(ALERTS.name, codec.encode(name), value)
            for tally in self.tallies.values()
            for name, value in tally.outbox.items()
        ]

    def published(self, publications: Iterable[object]) -> None:
        values = {each.value for each in publications if isinstance(each, Sent)}
        for queue, tally in self.tallies.items():
            for name in [name for name, value in tally.outbox.items() if value in values]:
                del tally.outbox[name]
                self._changed.add(queue)

    def rows(self, now_ms: int, *, everything: bool = False) -> Sequence[Sent]:
        due = [
            queue
            for queue in (self.tallies if everything else self._unshown)
            if everything or now_ms - self._shown_ms.get(queue, 0) >= _ROW_MS
        ]
        for queue in due:
            self._shown_ms[queue] = now_ms
            self._unshown.discard(queue)
        return [
            Sent(SNAPSHOTS.name, codec.queue_key(*queue), codec.encode(self.tallies[queue])) for queue in due
        ]

    def observe(self) -> CoreCounts:
        counts = CoreCounts(queues=self._new, offered=self._counted, event_lags_ms=self._lags)
        self._new, self._counted, self._lags = [], {}, []
        return counts

    def _count(self, queue: QueueId, event: QueueEntered | QueueLeft) -> None:
        labels = QueueLabels(*queue, Channel.PHONE)
        tally = self.tallies.get(queue)
        if tally is None:
            tally = self.tallies[queue] = Tally()
            self._new.append(labels)
        tally.events += 1
        tally.checksum = (tally.checksum + zlib.crc32(event.id.encode())) & 0xFFFFFFFF
        if isinstance(event, QueueEntered):
            tally.waiting[event.contact] = Waiting(event.occurred_ms)
            self._await(queue, event.contact, event.occurred_ms)
            self._counted[labels] = self._counted.get(labels, 0) + 1
        else:
            gone = tally.waiting.pop(event.contact, None)
            if gone is not None and gone.fired_ms is not None:
                crossed_ms = gone.entered_ms + self._limit_ms(queue)
                self._alert(queue, event.contact, version=2, crossed_ms=crossed_ms, at_ms=event.occurred_ms)
        self._changed.add(queue)
        self._unshown.add(queue)

    def _limit_ms(self, queue: QueueId) -> int:
        return round(self._config.queue(*queue).wait_limit_in_force_s * 1000)

    def _await(self, queue: QueueId, contact: str, entered_ms: int) -> None:
        heapq.heappush(self._deadlines, (entered_ms + self._limit_ms(queue), queue, contact))

    def _alert(self, queue: QueueId, contact: str, *, version: int, crossed_ms: int, at_ms: int) -> None:
        alert_id = f"{contact}|{crossed_ms}"
        alert = CountedAlert(alert_id=alert_id, version=version, crossed_ms=crossed_ms, at_ms=at_ms)
        self.tallies[queue].outbox[f"{alert_id}|{version}"] = codec.encode(alert)
        self._changed.add(queue)
        self._unshown.add(queue)
