"""The state of a queue: which one wins, its shape, its word, its colour."""

from collections.abc import Sequence
from enum import Enum

from schemas.board import Alert, QueueRow
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Freshness, Severity, WindowName


class State(Enum):
    """What a queue is: (shape, word, colour)."""

    STALE = ("▒", "Stale", "2")
    UNKNOWN = ("?", "Never heard", "2")
    CATCHING_UP = ("»", "Catching up", "2")
    CRITICAL = ("■", "Critical", "1;31")
    WARNING = ("▲", "Warning", "33")
    SOON = ("◇", "Soon", "1")
    NO_DATA = ("∅", "No data", "")
    CLOSED = ("□", "Closed", "")
    NORMAL = ("○", "Normal", "")

    @property
    def shape(self) -> str:
        return self.value[0]

    @property
    def word(self) -> str:
        return self.value[1]

    @property
    def colour(self) -> str:
        return self.value[2]

    @property
    def is_live(self) -> bool:
        return self not in (State.STALE, State.UNKNOWN, State.CATCHING_UP)


BY_FRESHNESS = {
    Freshness.STALE: State.STALE,
    Freshness.UNKNOWN: State.UNKNOWN,
    Freshness.CATCHING_UP: State.CATCHING_UP,
}


def state_of(row: QueueRow, alerts: Sequence[Alert], window: WindowName) -> State:
    """The one state that wins: what cannot be trusted first, then what is worst.

    The wallboard's order; closed wins over no data (docs/decisions/0011).
    """
    if row.freshness is not Freshness.LIVE:
        return BY_FRESHNESS[row.freshness]
    mine = [a for a in alerts if a.site == row.site and a.queue == row.queue and a.state in OPEN_ALERT_STATES]
    counting = {a.severity for a in mine if a.state is not AlertState.SUPPRESSED}
    if Severity.CRITICAL in counting:
        return State.CRITICAL
    if Severity.WARNING in counting:
        return State.WARNING
    if row.pre_breach is not None and row.pre_breach.count > 0:
        return State.SOON
    if not row.open:
        return State.CLOSED
    seen = row.windows.get(window)
    is_any = row.waiting or (row.backlog is not None and row.backlog.open)
    return State.NORMAL if is_any or (seen is not None and seen.offered) else State.NO_DATA
