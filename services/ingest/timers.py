"""Things to do at an instant of the source's clock. Pure: somebody else says what time it is."""

import heapq
from collections.abc import Callable


class Timers:
    """Due in order of instant, then of setting. What is no longer wanted finds that out when it runs."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._set = 0

    def at(self, due_ms: int, do: Callable[[int], None]) -> None:
        """`do(due_ms)` once `due_ms` has come."""
        heapq.heappush(self._heap, (due_ms, self._set, do))
        self._set += 1

    def run(self, now_ms: int, *, after: Callable[[int], None]) -> None:
        """Everything due at or before `now_ms`, each followed by `after(due_ms)`."""
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, do = heapq.heappop(self._heap)
            do(due_ms)
            after(due_ms)

    def next_ms(self) -> int | None:
        return self._heap[0][0] if self._heap else None
