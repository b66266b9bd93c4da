"""The whole system for a benchmark, and a board to watch: one socket of the api, connected anew when cut.

Instants are those of the monotonic clock of this machine, in seconds.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from benchmarks.programs import new_folder
from services.runtime.clock import now_ms
from tests.doubles.started import PATIENCE_S
from tests.end_to_end.running_system import STRUCTURED, RunningSystem, iso, running_system

SITES = [f"site-{number:02d}" for number in range(20)]
QUEUES_PER_SITE = 10
PROBE = "probe"
"""A queue of each site in which one contact at most waits: it shows when an event has arrived."""

SITE_SETTINGS = "".join(f'\n[[sites]]\nid = "{site}"\n' for site in SITES)

_AGAIN_S = 0.02


class _Row(Struct):
    site: str
    queue: str
    waiting: int


class _Site(Struct):
    behind_s: float = 0.0
    queues: list[_Row] = []


class _Frame(Struct):
    type: str
    queues: list[_Row] = []
    sites: list[_Site] = []


_frames = msgspec.json.Decoder(_Frame)


class Board:
    """A socket on everything. `behind_s`: the most that a site has been behind the log."""

    def __init__(self, api: str) -> None:
        self.behind_s = 0.0
        self.first_frame: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._url = f"http://{api}/api/v1/live"
        self._wanted: dict[tuple[str, str], tuple[int, asyncio.Future[float]]] = {}

    def shows(self, site: str, queue: str, waiting: int) -> asyncio.Future[float]:
        """The instant at which a frame will be here that says so."""
        seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._wanted[site, queue] = (waiting, seen)
        return seen

    async def run(self) -> None:
        """Reads for ever, connecting as often as it takes."""
        async with aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with http.ws_connect(self._url, max_msg_size=0) as socket:
                        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                            self._read(message.data, time.monotonic())
                await asyncio.sleep(_AGAIN_S)

    def _read(self, text: str, at_s: float) -> None:
        frame = _frames.decode(text)
        if not self.first_frame.done():
            self.first_frame.set_result(at_s)
        for row in frame.queues:
            self._look(row, at_s)
        for site in frame.sites:
            self.behind_s = max(self.behind_s, site.behind_s)
            for row in site.queues:
                self._look(row, at_s)

    def _look(self, row: _Row, at_s: float) -> None:
        key = (row.site, row.queue)
        waiting, seen = self._wanted.get(key, (None, None))
        if seen is not None and row.waiting == waiting:
            del self._wanted[key]
            seen.set_result(at_s)


@contextlib.asynccontextmanager
async def watching(api: str) -> AsyncIterator[Board]:
    """A board that is read while the block runs."""
    board = Board(api)
    reading = asyncio.create_task(board.run())
    try:
        yield board
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


class Probe:
    """A contact that enters and leaves the probe queue of a site, over and over: each is seen as a change."""

    def __init__(self, site: str, board: Board, http: aiohttp.ClientSession, ingest: str) -> None:
        self._site = site
        self._board = board
        self._http = http
        self._url = f"http://{ingest}/v1/events"
        self._name = f"probe-{site}-{now_ms()}"
        self._count = 0

    async def tell(self) -> "Told":
        """The next change is in the log; posted again while ingest or the log is away."""
        self._count += 1
        data = {"contact": f"{self._name}-{(self._count + 1) // 2}", "queue": PROBE}
        is_in = self._count % 2 == 1
        if not is_in:
            data |= {"outcome": "abandoned"}
        name, event_id = "queue.entered" if is_in else "queue.left", f"{self._name}-{self._count}"
        content = event(event_id, name, site=self._site, at_ms=now_ms(), data=data)
        seen = self._board.shows(self._site, PROBE, int(is_in))
        posted_s = time.monotonic()
        while not await self._is_accepted(content):
            if time.monotonic() - posted_s > PATIENCE_S:
                raise RuntimeError(f"ingest has not accepted an event for {PATIENCE_S:g} s")
            await asyncio.sleep(_AGAIN_S)
        return Told(posted_s, time.monotonic(), seen)

    async def _is_accepted(self, content: bytes) -> bool:
        try:
            async with self._http.post(self._url, data=content, headers={"content-type": STRUCTURED}) as said:
                text = await said.text()
        except (aiohttp.ClientError, OSError):
            return False
        if said.status not in (202, 429, 503):
            raise RuntimeError(f"ingest answers {said.status}: {text}")
        return said.status == 202


class Told:
    """A change on its way: when it was posted, when ingest had accepted it, when it was seen."""

    def __init__(self, posted_s: float, accepted_s: float, seen: asyncio.Future[float]) -> None:
        self.posted_s = posted_s
        self.accepted_s = accepted_s
        self.seen = seen

    async def seen_s(self) -> float:
        async with asyncio.timeout(PATIENCE_S):
            return await self.seen


def event(event_id: str, name: str, *, site: str, at_ms: int, data: Mapping[str, str]) -> bytes:
    """A CloudEvent as it is posted."""
    envelope = {"specversion": "1.0", "id": event_id, "source": "benchmarks", "site": site}
    return msgspec.json.encode(envelope | {"type": f"vigie.{name}.v1", "time": iso(at_ms), "data": data})


@contextlib.asynccontextmanager
async def system(settings_text: str, *, env: dict[str, str] | None = None) -> AsyncIterator[RunningSystem]:
    """`vigie up` in a folder of its own while the block runs. Started and ended beside this event loop."""
    stack = ExitStack()
    folder = stack.enter_context(new_folder())
    try:
        manager = running_system(Path(folder), settings_text, env=env)
        yield await asyncio.to_thread(stack.enter_context, manager)
    finally:
        await asyncio.to_thread(stack.__exit__, *sys.exc_info())
