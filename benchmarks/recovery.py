"""e. How soon the board is live: after a cold start, and after `kill -9` of each process.

Live: an event posted after the kill shows at a socket. Ingest is back once it has accepted one, the
notifier once it says that it is ready.
"""

import asyncio
import os
import signal
import time
from collections import defaultdict
from pathlib import Path

import aiohttp

from benchmarks.load import loading
from benchmarks.programs import new_folder
from benchmarks.results import Line, Reach, Say, Size
from benchmarks.running import SITE_SETTINGS, SITES, Probe, watching
from tests.doubles.started import PATIENCE_S, Started, all_gone
from tests.end_to_end.running_system import RunningSystem, prepare, until

RATE = 20
"""Of the load, in events per second."""

PROCESSES = {
    "ingest": "until it accepts an event",
    "aggregator": "until an event shows",
    "api": "until an event shows at a new socket",
    "notifier": "until it is ready",
    "kafka": "until an event shows",
}
_STEADY_S = 10
"""Between two kills."""


async def measure(size: Size, say: Say) -> list[Line]:
    empty: list[float] = []
    again: list[float] = []
    back: dict[str, list[float]] = defaultdict(list)
    for number in range(size.repeats):
        with new_folder() as folder:
            empty.append(await _start(Path(folder), size))
            again.append(await _start(Path(folder), size, back))
        killed = ", ".join(f"{process} {back[process][number]:.1f}" for process in PROCESSES)
        say(f"   first frame after {empty[-1]:.1f} s, {again[-1]:.1f} s on the same data; killed: {killed} s")
    return [
        Line("e", "`vigie up`, no data yet → first frame", "s", empty, reach=Reach(12)),
        Line("e", "`vigie up` on the same data → first frame", "s", again, reach=Reach(12)),
        *_killed_lines(back),
    ]


def _killed_lines(back: dict[str, list[float]]) -> list[Line]:
    reach = {"aggregator": Reach(15)}
    return [
        Line("e", f"{process} killed, {what}", "s", back[process], reach=reach.get(process))
        for process, what in PROCESSES.items()
    ]


async def _start(folder: Path, size: Size, back: dict[str, list[float]] | None = None) -> float:
    """Seconds until the first frame. `back`: where to note how soon each process is back, once killed."""
    command, addresses = prepare(folder, SITE_SETTINGS)
    begun_s = time.monotonic()
    with Started(command) as started:
        async with watching(addresses["api"]) as board:
            async with asyncio.timeout(PATIENCE_S):
                first_s = await board.first_frame - begun_s
            system = await asyncio.to_thread(RunningSystem, started, addresses)
        if back is not None:
            await _kill_each(system, size, back)
        started.process.send_signal(signal.SIGTERM)
        if (code := await asyncio.to_thread(started.wait_for_end)) != 0:
            raise RuntimeError(f"vigie up ended with {code}")
    return first_s


async def _kill_each(system: RunningSystem, size: Size, back: dict[str, list[float]]) -> None:
    """Kills each process once, in the order of an event's way, under a light load."""
    ingest = system.addresses["ingest"]
    async with (
        loading(ingest, rate=RATE, warm_up_s=size.of(5, 1)),
        watching(system.addresses["api"]) as board,
        aiohttp.ClientSession() as http,
    ):
        probe = Probe(SITES[0], board, http, ingest)
        for process in PROCESSES:
            back[process].append(await _kill(system, process, probe))
            await (await probe.tell()).seen_s()
            await system.well()
            await asyncio.sleep(size.of(_STEADY_S, 0))


async def _kill(system: RunningSystem, process: str, probe: Probe) -> float:
    """Seconds from the kill until what `PROCESSES` says."""
    pid = system.pids[process]
    os.kill(pid, signal.SIGKILL)
    killed_s = time.monotonic()
    await asyncio.to_thread(all_gone, [pid])
    if process == "notifier":
        await until(lambda: _is_ready(system, process), f"{process} is ready")
        return time.monotonic() - killed_s
    told = await probe.tell()
    return (told.accepted_s if process == "ingest" else await told.seen_s()) - killed_s


async def _is_ready(system: RunningSystem, service: str) -> bool:
    try:
        status, _ = await system.get(service, "/health/ready")
    except (aiohttp.ClientError, OSError):
        return False
    return status == 200
