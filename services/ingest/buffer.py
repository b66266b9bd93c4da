"""What sources have said and Kafka does not have yet: in order, bounded, never dropped.

When it is full, whoever puts waits: the source is read no further, and its own connection holds it
back (STYLE.md 18).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger()


class Buffer(Generic[T]):
    """At most `capacity` items. Says once that it is full, and once that it has room again."""

    def __init__(self, capacity: int, *, on_size: Callable[[float], None]) -> None:
        self._capacity = capacity
        self._on_size = on_size
        self._items: deque[T] = deque()
        self._changed = asyncio.Condition()
        self._is_full = False

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, items: Sequence[T]) -> None:
        """The items are in the buffer, in their order; waits for room, and goes in by parts if need be."""
        async with self._changed:
            left = deque(items)
            while left:
                if len(self._items) >= self._capacity:
                    self._tell_full()
                    await self._changed.wait()
                    continue
                while left and len(self._items) < self._capacity:
                    self._items.append(left.popleft())
                self._tell_size()

    async def first(self, count: int) -> list[T]:
        """The oldest items, `count` at most, which stay in the buffer; waits while there is none."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._items)
            return [self._items[i] for i in range(min(count, len(self._items)))]

    async def remove(self, count: int) -> None:
        """The oldest `count` items are gone, and who waits for room has it."""
        async with self._changed:
            for _ in range(count):
                self._items.popleft()
            if self._is_full and len(self._items) <= self._capacity // 2:
                self._is_full = False
                log.info("buffer_has_room", events=len(self._items), capacity=self._capacity)
            self._tell_size()

    async def emptied(self) -> None:
        """Returns once nothing is in the buffer."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._items)

    def _tell_size(self) -> None:
        self._on_size(len(self._items))
        self._changed.notify_all()

    def _tell_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            log.warning("buffer_full", events=len(self._items), capacity=self._capacity)
