"""What left for the boards lately, so that one that missed some of it can be given just that.

Pure. SEMANTICS.md §9: the last 1,000 frames or 60 s, whichever is less. It holds keys, not rows: of
several changes of a row only the newest matters to who comes back.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from schemas.board import Alert
from services.api.board import Key, View

MAX_FRAMES = 1000
MAX_AGE_MS = 60_000


class Left(Struct, frozen=True):
    """What left at once. `seq`: the version of the board then, the highest it can hold; `alerts` with
    their texts.

    `is_sayable`: False when no update has a word for it, as for a site that is gone.
    """

    seq: int
    at_ms: int
    keys: tuple[Key, ...]
    alerts: tuple[tuple[Alert, str], ...]
    is_sayable: bool = True

    @property
    def frames(self) -> int:
        return len(self.alerts) + bool(self.keys)


class Missed(Struct, frozen=True):
    """What somebody has to be sent: rows by key, and alerts as texts, oldest first."""

    keys: tuple[Key, ...]
    alerts: list[str]


class History:
    """The newest frames that left, oldest first."""

    def __init__(self) -> None:
        self._left: deque[Left] = deque()
        self._frames = 0
        self._forgotten_seq = 0
        """The highest `seq` of what is no longer held."""

    def add(self, left: Left) -> None:
        self._left.append(left)
        self._frames += left.frames
        self._forget(left.at_ms)

    def missed(self, seq: int, view: View, now_ms: int) -> Missed | None:
        """What `view` shows of all that left since somebody held `seq`; None: more than is held.

        While rows are held back, frames promise less than they hold; then what somebody has may be given
        once more, which harms nobody.
        """
        self._forget(now_ms)
        since = [left for left in self._left if left.seq > seq]
        if seq < self._forgotten_seq or not all(left.is_sayable for left in since):
            return None
        keys = dict.fromkeys(key for left in since for key in left.keys if view.shows_key(key))
        return Missed(tuple(keys), list(_texts(since, view)))

    def _forget(self, now_ms: int) -> None:
        while self._left and (self._frames > MAX_FRAMES or now_ms - self._left[0].at_ms > MAX_AGE_MS):
            left = self._left.popleft()
            self._frames -= left.frames
            self._forgotten_seq = left.seq


def _texts(since: Iterable[Left], view: View) -> Iterable[str]:
    return (text for left in since for alert, text in left.alerts if view.shows(alert.site, alert.queue))
