"""b. From the instant before an event is posted until a socket of the api has a frame that shows it.

Every site has a contact that comes and goes; the socket shows the whole board. The load is sent by
another process, over 200 queues of 20 sites.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from benchmarks.load import WARM_UP_S, loading
from benchmarks.results import Line, Reach, Say, Size, percentile
from benchmarks.running import SITE_SETTINGS, SITES, Probe, system, watching
from tests.end_to_end.running_system import RunningSystem

RATES = ((200, 1), (2000, 20), (5000, 20))
"""Events per second, events per post."""

_PROBES = 200
_PAUSE_MS = 800
"""Between two changes of one site, give or take half of it."""
_AT_MOST_S = 40.0
"""A repeat that takes longer is cut; what was not seen then counts as old as it is."""
_DRAIN_S = 300.0
_SHOWN_S = 2.0
"""Once all is folded, the board shows it within this time."""


@dataclass
class Found:
    """Of one rate, a value for each repeat: changes watched, milliseconds, events per second, events."""

    probes: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    ingest_p50: list[float] = field(default_factory=list)
    ingest_p99: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)


async def measure(size: Size, say: Say, running: RunningSystem | None = None) -> list[Line]:
    """`running`: a system that knows the sites; else one is started."""
    if running is None:
        async with system(SITE_SETTINGS) as started:
            return await measure(size, say, started)
    lines: list[Line] = []
    async with watching(running.addresses["api"]) as board, aiohttp.ClientSession() as http:
        sites = SITES[: size.of(len(SITES), 3)]
        probes = [Probe(site, board, http, running.addresses["ingest"]) for site in sites]
        for whole, batch in RATES:
            rate = size.of(whole, whole // 10)
            found = await _at(running, probes, size, say, rate=rate, batch=batch)
            reach = Reach(250) if whole == 2000 else None
            lines += _lines(found, rate=rate, batch=batch, reach=reach)
    return lines


async def _at(
    running: RunningSystem, probes: Sequence[Probe], size: Size, say: Say, *, rate: int, batch: int
) -> Found:
    """Every repeat begins with an empty log and ends with its own backlog, if there is one."""
    found, ingest = Found(), running.addresses["ingest"]
    pause_s = size.of(_PAUSE_MS, 200) / 1000
    for _ in range(size.repeats):
        async with loading(ingest, rate=rate, batch=batch, warm_up_s=size.of(WARM_UP_S, 1)) as load:
            before = load.told
            seen_ms, ingest_ms = await _probe(probes, size.of(_PROBES, 5), pause_s=pause_s)
            accepted, behind = await load.rate_since(before), await running.lag()
        await _drained(running)
        found.probes.append(len(seen_ms))
        found.p50.append(percentile(seen_ms, 0.5))
        found.p99.append(percentile(seen_ms, 0.99))
        found.ingest_p50.append(percentile(ingest_ms, 0.5))
        found.ingest_p99.append(percentile(ingest_ms, 0.99))
        found.accepted.append(accepted)
        found.behind.append(behind)
        say(
            f"   {rate} events/s: {len(seen_ms)} probes, p50 {found.p50[-1]:.0f} ms, "
            f"p99 {found.p99[-1]:.0f} ms; {accepted:,.0f} accepted/s, {behind:,.0f} not folded yet"
        )
    return found


async def _probe(probes: Sequence[Probe], count: int, *, pause_s: float) -> tuple[list[float], list[float]]:
    """So many changes or some more, each as old as it was when seen, and when ingest had answered; in ms."""
    seen_ms: list[float] = []
    ingest_ms: list[float] = []
    end_s = time.monotonic() + _AT_MOST_S

    async def change(probe: Probe) -> None:
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
        told = await probe.tell()
        if told.posted_s >= end_s:
            return  # it was told so that nobody is left waiting
        ingest_ms.append((told.accepted_s - told.posted_s) * 1000)
        await asyncio.wait({told.seen}, timeout=max(0.0, end_s - time.monotonic()))
        until_s = told.seen.result() if told.seen.done() else time.monotonic()
        seen_ms.append((until_s - told.posted_s) * 1000)

    async def repeat(probe: Probe) -> None:
        while len(seen_ms) < count and time.monotonic() < end_s:
            await change(probe)  # in
            await change(probe)  # and out

    await asyncio.gather(*map(repeat, probes))
    return seen_ms, ingest_ms


async def _drained(running: RunningSystem) -> None:
    """What one repeat has left behind is no matter of the next."""
    async with asyncio.timeout(_DRAIN_S):
        while await running.lag():  # noqa: ASYNC110 (another process has it)
            await asyncio.sleep(0.2)
    await asyncio.sleep(_SHOWN_S)


def _lines(found: Found, *, rate: int, batch: int, reach: Reach | None) -> list[Line]:
    at = f"at {rate:,} events/s"
    posts = "single posts" if batch == 1 else f"posts of {batch}"
    return [
        Line("b", f"event → frame, p50, {at}, {posts}", "ms", found.p50),
        Line("b", f"event → frame, p99, {at}", "ms", found.p99, reach=reach),
        Line("b", f"changes watched, {at}", "", found.probes),
        Line("b", f"of it until ingest answers, p50, {at}", "ms", found.ingest_p50),
        Line("b", f"of it until ingest answers, p99, {at}", "ms", found.ingest_p99),
        Line("b", f"accepted, {at}", "events/s", found.accepted),
        Line("b", f"accepted and not folded yet at the end, {at}", "events", found.behind),
    ]
