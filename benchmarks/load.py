"""Calls all day long, at a steady rate: contacts enter a queue, are answered or give up, talk, end.

`python -m benchmarks.load INGEST --rate N --batch N`: a process of its own, so that who measures does
not measure the sender too. It sends until its standard input ends, and says twice a second what ingest
has accepted. `loading` is its other end. What ingest cannot take in time is left out, never sent late.
"""

import argparse
import asyncio
import contextlib
import heapq
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp

from benchmarks.running import QUEUES_PER_SITE, SITES, event
from services.runtime.clock import now_ms
from tests.doubles.started import PATIENCE_S
from tests.end_to_end.running_system import BATCH, STRUCTURED

WARM_UP_S = 7
"""After that the first contacts have ended, and the rate is steady."""

_AGENTS = 160
"""Of each site."""
_EVENTS_PER_CONTACT = 2.8
_CONNECTIONS = 16
_TICK_S = 0.01
_TOLD_EVERY_S = 0.5
_LEFT_OUT_AFTER_S = 1.0


class Calls:
    """What happens, by instant. `due` gives the events that have happened since it was last asked."""

    def __init__(self, rate: float, name: str) -> None:
        self._rate = rate
        self._name = name
        self._rng = random.Random(1)
        self._coming: list[tuple[int, int, str, str, dict[str, str]]] = []
        self._begun = 0
        self._made = 0
        self._owed = 0.0

    def due(self, now: int, elapsed_s: float) -> Iterator[bytes]:
        self._owed += elapsed_s * self._rate / _EVENTS_PER_CONTACT
        while self._owed >= 1:
            self._owed -= 1
            self._begin(now)
        while self._coming and self._coming[0][0] <= now:
            at_ms, _, site, name, data = heapq.heappop(self._coming)
            self._made += 1
            yield event(f"{self._name}-{self._made}", name, site=site, at_ms=at_ms, data=data)

    def _begin(self, now: int) -> None:
        rng = self._rng
        self._begun += 1
        site, queue = rng.choice(SITES), f"line-{rng.randrange(QUEUES_PER_SITE)}"
        visit = {"contact": f"{self._name}-{self._begun}", "queue": queue}
        self._push(now, site, "queue.entered", visit)
        left = now + rng.randrange(500, 3500)
        if rng.random() < 0.2:
            return self._push(left, site, "queue.left", visit | {"outcome": "abandoned"})
        served = visit | {"agent": f"agent-{rng.randrange(_AGENTS)}"}
        self._push(left, site, "agent.accepted", served)
        self._push(left + rng.randrange(1000, 3500), site, "talk.ended", served | {"by": "customer"})
        return None

    def _push(self, at_ms: int, site: str, name: str, data: dict[str, str]) -> None:
        heapq.heappush(self._coming, (at_ms, self._begun, site, name, data))


class Sender:
    """Several connections, each with one request under way."""

    def __init__(self, ingest: str, batch: int) -> None:
        self.accepted = 0
        self._url = f"http://{ingest}/v1/events"
        self._batch = batch
        self._waiting: list[bytes] = []
        self._ready = asyncio.Semaphore(0)

    def put(self, events: Iterator[bytes], most: int) -> None:
        """To be sent by whoever is free; above `most` the oldest are left out."""
        before = len(self._waiting) // self._batch
        self._waiting.extend(events)
        del self._waiting[: max(0, len(self._waiting) - most)]
        for _ in range(len(self._waiting) // self._batch - before):
            self._ready.release()

    async def send(self, http: aiohttp.ClientSession) -> None:
        while True:
            await self._ready.acquire()
            events, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            if not events:
                continue
            body = events[0] if self._batch == 1 else b"[" + b",".join(events) + b"]"
            media = STRUCTURED if self._batch == 1 else BATCH
            try:
                async with http.post(self._url, data=body, headers={"content-type": media}) as answer:
                    text = await answer.read()
            except (aiohttp.ClientError, OSError, TimeoutError):  # it is away: a benchmark killed it
                await asyncio.sleep(0.1)
                continue
            if answer.status == 202:
                self.accepted += int(json.loads(text)["accepted"])
            else:
                await asyncio.sleep(0.1)


async def _send(ingest: str, *, rate: float, batch: int) -> None:
    calls, sender = Calls(rate, f"load-{os.getpid()}"), Sender(ingest, batch)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as tasks:
        working = [tasks.create_task(sender.send(http)) for _ in range(_CONNECTIONS)]
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        last_s = told_s = time.monotonic()
        while not ended.done():
            now_s = time.monotonic()
            sender.put(calls.due(now_ms(), now_s - last_s), round(rate * _LEFT_OUT_AFTER_S) + batch)
            last_s = now_s
            if now_s - told_s >= _TOLD_EVERY_S:
                told_s = now_s
                print(json.dumps([now_s, sender.accepted]), flush=True)
            await asyncio.sleep(_TICK_S)
        for task in working:
            task.cancel()


class Load:
    """The sender, seen from outside. `told`: the instant and the count that it told last."""

    def __init__(self) -> None:
        self.told = (0.0, 0)
        self._changed = asyncio.Condition()

    async def follow(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            async with self._changed:
                at_s, accepted = json.loads(line)
                self.told = (at_s, accepted)
                self._changed.notify_all()

    async def rate_since(self, earlier: tuple[float, int]) -> float:
        """Events per second that ingest has accepted since `earlier`, which was `told`."""
        await self.has_told(earlier[0] + 2 * _TOLD_EVERY_S)
        return (self.told[1] - earlier[1]) / (self.told[0] - earlier[0])

    async def has_told(self, since_s: float) -> None:
        """Returns once it has told something at that instant or later."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: self.told[0] >= since_s)


@contextlib.asynccontextmanager
async def loading(ingest: str, *, rate: float, batch: int = 1, warm_up_s: float) -> AsyncIterator[Load]:
    """A sender at work while the block runs. Its rate is steady after `WARM_UP_S`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.load", ingest, f"--rate={rate}", f"--batch={batch}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    load = Load()
    following = asyncio.create_task(load.follow(process.stdout))
    try:
        await load.has_told(time.monotonic())
        await asyncio.sleep(warm_up_s)
        yield load
    finally:
        process.stdin.close()
        await following
        if await process.wait() != 0:
            raise RuntimeError("the sender failed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("ingest", metavar="HOST:PORT")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--batch", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(_send(given.ingest, rate=given.rate, batch=given.batch))
