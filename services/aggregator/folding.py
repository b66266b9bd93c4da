"""What the shell asks of a partition: the fold in `core`, or the counting double of the tests.

Nothing is done here; these are the shapes. Instants are epoch milliseconds, `now_ms` comes from the
caller. A partition does no I/O: the shell reads, flushes and publishes for it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from schemas.board import DeadLetter
from schemas.config import Config
from services.aggregator.core.counts import CoreCounts

StateRecord = tuple[bytes, bytes | None]
"""Key and value of a record of `vigie.state`; None takes the key away."""


class Publication(Protocol):
    """A message that is to go out once the state it follows from is flushed."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...


class Folding(Protocol):
    """One partition's state in memory.

    `applied` is the offset of the last event folded in, -1 when none; the shell may raise it before
    `claim` when the log starts later. `epoch` counts the claims.
    """

    applied: int
    epoch: int

    def restore(self, stored: Mapping[bytes, bytes], now_ms: int) -> None:
        """Takes over what the log holds; raises `InvalidMessage` when it cannot be read."""

    def tell_gap(self, events: int | None, now_ms: int) -> None:
        """So many events are missing from the log (None: nobody knows how many): raises an alert."""

    def claim(self) -> None:
        """Epoch + 1; the `applied` record counts as changed."""

    def fold(self, value: bytes | None, *, offset: int, appended_ms: int, now_ms: int) -> DeadLetter | None:
        """Folds one record in, whatever it holds; a dead letter when it can never be an event."""

    def set_lag(self, *, end_reached: bool, last_appended_ms: int | None, now_ms: int) -> None:
        """How far behind the log we are."""

    def advance(self, now_ms: int) -> None:
        """Makes what time alone changes: deadlines, staleness, what silence means."""

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `advance` must be called next; None when nothing is due by the clock."""

    def changes(self) -> list[StateRecord]:
        """Records changed since the last call, `applied` last; empty when nothing changed."""

    def change_bytes(self) -> int:
        """About how large `changes()` would be."""

    def outbox(self) -> Sequence[Publication]:
        """Alerts not yet known to be published; they are part of the flushed state."""

    def published(self, publications: Sequence[Any]) -> None:
        """Takes these of `outbox()` out of it; in the flushed state with the next flush."""

    def rows(self, now_ms: int, *, everything: bool = False) -> Sequence[Publication]:
        """Snapshot rows due now."""

    def observe(self) -> CoreCounts:
        """What was counted since the last call."""


Make = Callable[[int, Config, int], Folding]
"""(number, configuration, now_ms) → an empty partition."""
