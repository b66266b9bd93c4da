"""What was told already, and what of it is still open. Pure and bounded: for a source that we go to.

Each notification tells a whole conversation again: what is in the log already is left out. What is open
here is compared with what Genesys Cloud says is open: a notification that was missed is never sent again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from schemas.events import (
    AgentAccepted,
    AnyEvent,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
)

MAX_IDS = 50_000
"""Ids of facts that are not told again: a dozen for each contact. Beyond, the oldest is told once more,
which whoever counts knows (docs/decisions/0009, 15).
"""
MAX_OPEN = 20_000
"""Contacts without an end: the one heard of longest ago is forgotten, and then ends by itself, unknown."""


class Open(Struct):
    """A contact without an end. `waiting`: segment → queue; `talking`: agent → queue. `heard_ms`: the
    instant of its newest fact.
    """

    heard_ms: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    talking: dict[str, str] = field(default_factory=dict)


class Told:
    def __init__(self) -> None:
        self.heard_ms = 0
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._open: OrderedDict[str, Open] = OrderedDict()

    def new(self, events: Iterable[SourceEvent]) -> list[SourceEvent]:
        """Those that were not told; they are now."""
        return [event for event in events if self._is_new(event)]

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started."""
        self._is_new(event)

    def open(self) -> Iterator[tuple[str, Open]]:
        """The contacts without an end, the one heard of longest ago first."""
        yield from list(self._open.items())

    def _is_new(self, event: AnyEvent) -> bool:
        if event.id in self._ids:
            return False
        self._ids[event.id] = None
        if len(self._ids) > MAX_IDS:
            self._ids.popitem(last=False)
        self._note(event)
        return True

    def _note(self, event: AnyEvent) -> None:
        match event:
            case ContactCreated():
                self._of(event.contact, event.occurred_ms)
            case QueueEntered(segment=str(segment)):
                self._of(event.contact, event.occurred_ms).waiting[segment] = event.queue
            case QueueLeft():
                found = self._of(event.contact, event.occurred_ms)
                found.waiting.pop(event.segment or "", None)
            case AgentAccepted():
                found = self._of(event.contact, event.occurred_ms)
                found.talking[event.agent] = event.queue or ""
            case TalkEnded(agent=str(agent)):
                self._of(event.contact, event.occurred_ms).talking.pop(agent, None)
            case ContactEnded():
                self._open.pop(event.contact, None)
            case _:
                pass

    def _of(self, contact: str, at_ms: int) -> Open:
        found = self._open.setdefault(contact, Open())
        self._open.move_to_end(contact)
        found.heard_ms = max(found.heard_ms, at_ms)
        self.heard_ms = max(self.heard_ms, at_ms)
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)
        return found
