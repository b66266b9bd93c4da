"""What is folded is as new as can be; nothing of an older assignment is joined to a newer one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiokafka import TopicPartition

from services.aggregator.fetching import Fetching, Records
from services.aggregator.holdings import Fetch

MAX = 16


class Log:
    """Gives what was fetched ahead, then what is new; `asked` holds the time-outs it was asked with."""

    def __init__(self) -> None:
        self.ahead: dict[int, list[str]] = {}
        self.newer: asyncio.Queue[dict[int, list[str]]] = asyncio.Queue()
        self.asked: list[int] = []
        self.on_newer: Callable[[], None] = lambda: None

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Records:
        self.asked.append(timeout_ms)
        if timeout_ms:
            found = await self.newer.get()
            self.on_newer()
        else:
            found, self.ahead = self.ahead, {}
        return {TopicPartition("events", number): records for number, records in found.items()}


class Reader:
    """A fetching at work; `taken` is what it handed over."""

    def __init__(self) -> None:
        self.log = Log()
        self.assignment = 1
        self.taken: list[Fetch] = []
        self.fetching = Fetching(
            self.log,
            assignment=lambda: self.assignment,
            hand_over=self._take,
            max_records=MAX,
            pace_s=0.0,
        )

    async def _take(self, fetch: Fetch) -> None:
        self.taken.append(fetch)

    async def turns(self) -> None:
        """Lets it get on as far as it can."""
        for _ in range(20):
            await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.fetching.run())
        await self.turns()
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_was_fetched_ahead_is_joined_by_what_is_newer() -> None:
    reader = Reader()
    reader.log.ahead = {0: ["a"], 1: ["b"]}
    reader.log.newer.put_nowait({1: ["c"], 2: ["d"]})

    async with reader.running():
        assert reader.taken == [Fetch(1, {0: ["a"], 1: ["b", "c"], 2: ["d"]})]


async def test_nothing_is_fetched_while_a_small_fetch_is_folded() -> None:
    reader = Reader()
    reader.log.newer.put_nowait({0: ["a"]})

    async with reader.running():
        asked = len(reader.log.asked)
        reader.log.newer.put_nowait({0: ["b"]})
        await reader.turns()
        assert len(reader.log.asked) == asked
        assert len(reader.taken) == 1

        reader.fetching.folded()
        await reader.turns()
        assert [fetch.records for fetch in reader.taken] == [{0: ["a"]}, {0: ["b"]}]


async def test_a_backlog_is_read_ahead() -> None:
    reader = Reader()
    reader.log.ahead = {0: ["x"] * MAX}

    async with reader.running():
        assert len(reader.taken) == 1
        reader.log.newer.put_nowait({0: ["y"]})
        await reader.turns()
        assert len(reader.taken) == 2, "the full fetch is not folded yet, and the next is there"

        reader.log.newer.put_nowait({0: ["z"]})
        reader.fetching.folded()
        await reader.turns()
        assert len(reader.taken) == 2, "one of the two is not folded yet"
        reader.fetching.folded()
        await reader.turns()
        assert len(reader.taken) == 3


async def test_what_was_fetched_under_an_older_assignment_is_dropped() -> None:
    reader = Reader()
    reader.log.ahead = {0: ["old"]}
    reader.log.newer.put_nowait({0: ["new"]})
    reader.log.on_newer = lambda: setattr(reader, "assignment", 2)

    async with reader.running():
        assert reader.taken == [Fetch(2, {0: ["new"]})]
