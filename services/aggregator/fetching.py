"""When to fetch, and how much: as late as possible, so that what is folded is new.

What is fetched ahead grows old while the fetch before it is folded. So while events trickle in, one
fetch is asked for only when the last is folded; a backlog, in full fetches, is read ahead.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from services.aggregator.holdings import Fetch

_POLL_MS = 500
_NEWER_MS = 10
"""What was fetched before we asked is joined by what comes within this time."""

Records = Mapping[Any, Sequence[Any]]


class Consumer(Protocol):
    """What is asked of aiokafka's consumer, or of its double in tests."""

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Records: ...


class Fetching:
    """Hands fetches over, one after the other. `assignment()` gives the number in force now."""

    def __init__(
        self,
        consumer: Consumer,
        *,
        assignment: Callable[[], int],
        hand_over: Callable[[Fetch], Awaitable[None]],
        max_records: int,
        pace_s: float,
    ) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._hand_over = hand_over
        self._max_records = max_records
        self._pace_s = pace_s
        self._in_hand = 0
        self._all_folded = asyncio.Event()

    def folded(self) -> None:
        """To be called once for each fetch that was handed over, whatever became of it."""
        self._in_hand -= 1
        if not self._in_hand:
            self._all_folded.set()

    async def run(self) -> None:
        """Fetches for ever."""
        while True:
            fetch = await self._fetch()
            size = _size(fetch.records)
            if not size:
                continue
            begun_s = time.monotonic()
            self._in_hand += 1
            self._all_folded.clear()
            await self._hand_over(fetch)
            if size < self._max_records:
                await self._all_folded.wait()
            if size < self._max_records // 4:
                await asyncio.sleep(max(0.0, self._pace_s - (time.monotonic() - begun_s)))

    async def _fetch(self) -> Fetch:
        ahead = await self._getmany(0, self._max_records)
        size = _size(ahead.records)
        if size >= self._max_records // 4:
            return ahead
        newer = await self._getmany(_NEWER_MS if size else _POLL_MS, self._max_records - size)
        return newer if newer.assignment != ahead.assignment else _joined(ahead, newer)

    async def _getmany(self, timeout_ms: int, max_records: int) -> Fetch:
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        number = self._assignment()  # no await in between: the fetch is of this assignment
        return Fetch(number, {tp.partition: records for tp, records in fetched.items()})


def _size(records: Records) -> int:
    return sum(map(len, records.values()))


def _joined(older: Fetch, newer: Fetch) -> Fetch:
    numbers = older.records.keys() | newer.records.keys()
    return Fetch(
        older.assignment,
        {number: [*older.records.get(number, ()), *newer.records.get(number, ())] for number in numbers},
    )
