"""What is remembered of single parts, so that the next word of one can be read. Pure and bounded."""

from collections import OrderedDict

from schemas.events import AnyEvent, HoldEnd, HoldStart, WrapEnd, WrapStart

MAX_PARTS = 20_000
"""Parts (contact and agent) of each kind: the one begun longest ago is forgotten first. Then the end of a
hold is taken for an answer that comes again, which no figure depends on.
"""

Part = tuple[str, str]


class Parts:
    """Since when a contact's part with an agent is on hold, or in wrap-up; kept once it is over, so that
    what is told again is read as before.
    """

    def __init__(self) -> None:
        self._since_ms: OrderedDict[Part, int] = OrderedDict()

    def begin(self, part: Part, at_ms: int) -> None:
        self._since_ms[part] = max(at_ms, self._since_ms.get(part, 0))
        self._since_ms.move_to_end(part)
        if len(self._since_ms) > MAX_PARTS:
            self._since_ms.popitem(last=False)

    def is_begun(self, part: Part, at_ms: int, *, not_before_ms: int = 0) -> bool:
        """Whether it had begun before that instant: the last one, and not in an earlier session."""
        return not_before_ms <= self._since_ms.get(part, at_ms) < at_ms

    def end(self, part: Part) -> None:
        self._since_ms.pop(part, None)


class Memory:
    def __init__(self) -> None:
        self.holds = Parts()
        self.wraps = Parts()

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started."""
        if isinstance(event, HoldStart | HoldEnd | WrapStart | WrapEnd) and event.agent is not None:
            part, parts = (event.contact, event.agent), self.wraps
            if isinstance(event, HoldStart | HoldEnd):
                parts = self.holds
            if isinstance(event, HoldStart | WrapStart):
                parts.begin(part, event.occurred_ms)
            else:
                parts.end(part)
