"""g. What the processes of a running system hold, with an hour of contacts behind them, and how it grows.

`vigie up` as people start it. Everything comes in by ingest: the past as fast as the worker folds it, with
the instants at which it happened, then contacts as they happen.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import aiohttp
import msgspec
from msgspec import Struct

from benchmarks.centre import Centre, Scale, settings
from benchmarks.programs import Taken, taken
from benchmarks.results import Line, Reach, Say, Size
from benchmarks.running import system
from services.cli.demo.post import Poster
from services.runtime.clock import now_ms
from tests.end_to_end.running_system import RunningSystem

PROCESSES = ("aggregator", "api", "ingest", "notifier", "kafka")

_WHOLE = Scale(queues=200, agents=2000, opened=5000, rate=10.0)
_GROWTH = [
    Scale(queues=queues, agents=10 * queues, opened=25 * queues, rate=queues / 20)
    for queues in (50, 200, 800)
]
_SMALL = Scale(queues=5, agents=20, opened=20, rate=1.0)

_AHEAD_EVENTS = 4000
"""The past waits while the worker is so far behind: a backlog would be in its memory too."""
_POSTED_S = 20
_FOLDED_S = 900.0


class Found(Struct, frozen=True):
    """By process: MB after the warm-up, and percent of a core while contacts came."""

    mb: dict[str, float]
    cpu: dict[str, float]


async def measure(size: Size, say: Say) -> list[Line]:
    if size.is_smoke:
        return _lines(f"{_SMALL}", await _measure(_SMALL, past_s=5, live_s=3, say=say))
    found = await _measure(_WHOLE, past_s=3600, live_s=60, say=say)
    lines = _lines(f"{_WHOLE}, after an hour", found, {"aggregator": Reach(200)})
    for scale in _GROWTH:
        found = await _measure(scale, past_s=300, live_s=30, say=say)
        lines += _lines(f"{scale}, after 5 min", found)
    return lines


def _lines(what: str, found: Found, reach: Mapping[str, Reach] = MappingProxyType({})) -> list[Line]:
    memory = [
        Line("g", f"{what}: memory of {name}", "MB", [mb], reach=reach.get(name))
        for name, mb in found.mb.items()
    ]
    return memory + [
        Line("g", f"{what}: CPU of {name}", "% of a core", [share]) for name, share in found.cpu.items()
    ]


async def _measure(scale: Scale, *, past_s: int, live_s: int, say: Say) -> Found:
    centre = Centre(scale)
    async with system(settings(scale)) as running, aiohttp.ClientSession() as http:
        poster = Poster(http, f"http://{running.addresses['ingest']}")
        begun_s = time.monotonic()
        at_ms = await _past(centre, running, poster, past_s)
        say(f"   {scale}: {past_s} s of the past told in {time.monotonic() - begun_s:.0f} s")
        living = asyncio.create_task(_live(centre, poster, at_ms))
        try:
            found = await _look(running, live_s)
        finally:
            living.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await living
        say(f"   {scale}: aggregator {found.mb['aggregator']:.0f} MB")
        return found


async def _past(centre: Centre, system: RunningSystem, poster: Poster, past_s: int) -> int:
    """Tells what has happened until now; gives the instant until which it has been told."""
    stop = asyncio.Event()
    at_ms = now_ms() - past_s * 1000
    await poster.deliver(list(centre.begin(at_ms)), stop)
    while at_ms < now_ms() - 1000:
        events = []
        for _ in range(_POSTED_S):
            if at_ms < now_ms() - 1000:
                at_ms += 1000
                events += list(centre.second(at_ms))
        await poster.deliver(events, stop)
        await _until(lambda: _is_near(system))
    await _until(lambda: _shows(system, centre.waiting))
    return at_ms


async def _is_near(system: RunningSystem) -> bool:
    return await system.lag() <= _AHEAD_EVENTS


async def _shows(system: RunningSystem, waiting: int) -> bool:
    """Whether so many wait on the board, so that all that was told is in it."""
    _, text = await system.get("api", "/api/v1/board?window=5m")
    board = msgspec.json.decode(text)
    return bool(waiting == sum(row["waiting"] for site in board["sites"] for row in site["queues"]))


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_FOLDED_S):
        while not await is_so():  # noqa: ASYNC110 # another process is asked
            await asyncio.sleep(0.3)


async def _live(centre: Centre, poster: Poster, at_ms: int) -> None:
    """Each second is told when it has come."""
    stop = asyncio.Event()
    while True:
        at_ms += 1000
        await asyncio.sleep(max(0, at_ms - now_ms()) / 1000)
        await poster.deliver(list(centre.second(at_ms)), stop)


async def _look(system: RunningSystem, seconds: int) -> Found:
    """Half the time warms up; in the other half it is looked at each second."""
    await asyncio.sleep(seconds / 2)
    seen: dict[str, list[Taken]] = {name: [] for name in PROCESSES}
    for _ in range(1 + max(1, seconds // 2)):
        for name in PROCESSES:
            seen[name].append(taken(system.pids[name]))
        await asyncio.sleep(1)
    return Found(
        {name: statistics.median(each.rss_mb for each in found) for name, found in seen.items()},
        {name: found[-1].share(found[0]) for name, found in seen.items()},
    )
