"""Telling a history event by event: what tests of figures are written with."""

from collections.abc import Callable

from schemas.events import AnyEvent


class Log:
    """Events of one source on one site, in the order told; ids rise, receipt is at once.

    `add(QueueEntered, at_ms, contact="c", queue="q")` tells one; `source`, `rank`, `id` and any
    other field of the envelope may be given too.
    """

    def __init__(self, site: str, source: str = "pbx") -> None:
        self.site = site
        self.source = source
        self.events: list[AnyEvent] = []

    def add(self, make: Callable[..., AnyEvent], at_ms: int, **data: object) -> None:
        envelope: dict[str, object] = {
            "id": f"e{len(self.events):06d}",
            "source": self.source,
            "site": self.site,
            "occurred_ms": at_ms,
            "received_ms": at_ms,
        }
        self.events.append(make(**(envelope | data)))

    def in_order(self) -> list[AnyEvent]:
        """The events in order of occurrence."""
        return sorted(self.events, key=lambda e: (e.occurred_ms, e.id))
