"""What came of one source, counted since the process started: what the source panel shows."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from schemas.board import DeadLetter
from schemas.events import SourceEvent

MAX_TYPES = 200
"""Words of a sender that are counted one by one; further ones are counted together."""
SHOWN_TYPES = 40
SHOWN_LETTERS = 10
OTHERS = "…"


class Tally:
    """Counts and the last dead letters. Words are the sender's own, so there is a bound to them."""

    def __init__(self) -> None:
        self.received_ms: int | None = None
        self.outcomes: Counter[str] = Counter()
        self.unsigned: Counter[str] = Counter()
        self._events = 0
        self._event_ms: int | None = None
        self._types: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._letters: list[DeadLetter] = []
        self._letter_count = 0

    def types(self, counts: Mapping[str, int]) -> None:
        """So many payloads of each type came."""
        _count(self._types, counts)

    def unknown(self, counts: Mapping[str, int]) -> None:
        """So many of each came that nobody knows."""
        _count(self._unknown, counts)

    def event(self, event: SourceEvent) -> None:
        """This is on its way into the log."""
        self._events += 1
        self._event_ms = max(self._event_ms or 0, event.occurred_ms)

    def letter(self, letter: DeadLetter) -> None:
        """So is this."""
        self._letter_count += 1
        self._letters = [letter, *self._letters[: SHOWN_LETTERS - 1]]

    def fields(self) -> dict[str, Any]:
        """As `SourceStatus` has them."""
        return {
            "event_ms": self._event_ms,
            "received_ms": self.received_ms,
            "events": self._events,
            "types": dict(self._types.most_common(SHOWN_TYPES)),
            "unknown": dict(self._unknown.most_common(SHOWN_TYPES)),
            "outcomes": dict(self.outcomes),
            "unsigned": dict(self.unsigned),
            "dead_letters": self._letter_count,
            "letters": list(self._letters),
        }


def _count(counts: Counter[str], more: Mapping[str, int]) -> None:
    for word, n in more.items():
        counts[word if word in counts or len(counts) < MAX_TYPES else OTHERS] += n
