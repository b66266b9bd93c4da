"""One partition folded anew, in the time of the log: what an uninterrupted worker would have come to.

Its clock is the append time of the records, a little behind, so that a broker's clock may be ahead of
the worker's. Rules are looked at once a second of that time.
"""

from collections.abc import Iterator

from aiokafka import ConsumerRecord

from schemas.board import Alert
from schemas.codec import decode_alert
from schemas.config import Config
from services.aggregator.core.partition import Partition

BEHIND_MS = 1000


class Afresh:
    """`told`: the last version of every alert so far, by id; `flapped`: those that flapped at some time.
    `appended_ms`: when the last event was appended.
    """

    def __init__(self, number: int, config: Config, start_ms: int, *, behind_ms: int = BEHIND_MS) -> None:
        self._behind_ms = behind_ms
        self.partition = Partition(number, config, start_ms)
        self.clock_ms = start_ms
        self.told: dict[str, Alert] = {}
        self.flapped: set[str] = set()
        self.appended_ms = 0

    def fold(self, record: ConsumerRecord) -> None:
        at_ms = (record.timestamp - self._behind_ms) // 1000 * 1000
        if at_ms > self.clock_ms:
            self.move(at_ms)
        now_ms = max(self.clock_ms, record.timestamp - BEHIND_MS)
        self.partition.fold(record.value, offset=record.offset, appended_ms=record.timestamp, now_ms=now_ms)
        self.appended_ms = record.timestamp

    def move(self, now_ms: int) -> None:
        """Lets time pass up to an instant, unless it has passed already."""
        self.clock_ms = max(self.clock_ms, now_ms)
        self.partition.advance(self.clock_ms)
        going_out = self.partition.outbox()
        if going_out:
            alerts = [decode_alert(each.value or b"") for each in going_out]
            self.told.update({alert.alert_id: alert for alert in alerts})
            self.flapped.update(alert.alert_id for alert in alerts if alert.flapping)
            self.partition.published(going_out)

    def skew_ms(self) -> int:
        """By how much the clock of a source is ahead at the most."""
        return -min((skew for site in self._sites() for skew in site), default=0)

    def _sites(self) -> Iterator[list[int]]:
        for site in self.partition.sites.values():
            yield [0, *site.hearing.skews().values()]
