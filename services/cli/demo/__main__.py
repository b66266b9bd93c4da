"""`python -m services.cli.demo`: plays the simulated centre to ingest, in real time, until told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import aiohttp
import structlog
from msgspec import Struct

from schemas.errors import Misconfigured, Unavailable
from services.cli.demo.past import tell_ends_first
from services.cli.demo.post import BATCH, Poster, pause
from services.cli.demo.profile import CONTACTS_PER_MIN, SITE, SOURCE
from services.cli.demo.rush import Phase
from services.cli.demo.simulation import Simulation
from services.cli.demo.timeline import CloudEvent, timestamp
from services.runtime import log as logs
from services.runtime import own_key
from services.runtime.clock import now_ms
from services.runtime.process import follow_supervisor

TICK_S = 0.1
HEARTBEAT_S = 5.0
_GOODBYE_S = 3.0

log = structlog.get_logger()


class Show(Struct, frozen=True, kw_only=True):
    """What is played, and to whom. `start_ms` None: from the moment ingest is ready.

    `headers` show the key, where ingest asks for one.
    """

    ingest: str
    headers: dict[str, str] = {}
    rate: float
    seed: int
    site: str
    start_ms: int | None


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 when told to stop, 1 failed, 2 wrong use or ingest that will never take the events."""
    show = _parse(argv)
    logs.set_up("demo")
    code = 0
    try:
        asyncio.run(_until_stopped(show))
    except* Misconfigured as group:
        log.error("misconfigured", fault=str(group.exceptions[0]))
        code = 2
    except* Exception as group:
        log.error("failed", exc_info=group)
        code = 1
    return code


def _parse(argv: Sequence[str] | None) -> Show:
    parser = argparse.ArgumentParser(prog="vigie demo", description="A simulated contact centre.")
    parser.add_argument("--ingest", default="http://127.0.0.1:8081", metavar="URL", help="address of ingest")
    parser.add_argument(
        "--rate", type=float, default=CONTACTS_PER_MIN, metavar="N", help="contacts per minute, of all queues"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed and start: same events")
    parser.add_argument("--site", default=SITE, metavar="ID")
    parser.add_argument(
        "--start",
        type=int,
        metavar="MS",
        help="epoch milliseconds of the beginning; started again with the same one, nothing counts twice",
    )
    own_key.add_argument(parser, "ingest")
    given = parser.parse_args(argv)
    if not 1 <= given.rate <= 2000:
        parser.error("--rate must lie between 1 and 2000")
    try:
        headers = own_key.headers(given.key_file, os.environ)
    except Misconfigured as error:
        parser.error(str(error))
    return Show(
        ingest=given.ingest,
        headers=headers,
        rate=given.rate,
        seed=given.seed,
        site=given.site,
        start_ms=given.start,
    )


async def _until_stopped(show: Show) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    follow_supervisor(lambda: loop.call_soon_threadsafe(stop.set))
    async with aiohttp.ClientSession(headers=show.headers) as session:
        await play(show, Poster(session, show.ingest), stop)


async def play(show: Show, poster: Poster, stop: asyncio.Event) -> None:
    """Sends the past at once, then the present as it happens; closes the centre when `stop` is set."""
    await poster.ready(stop)
    start_ms = show.start_ms if show.start_ms is not None else now_ms()
    centre = Simulation(show.seed, show.rate, start_ms, site=show.site)
    log.info("demo_started", site=show.site, rate=show.rate, seed=show.seed, start=timestamp(start_ms))
    await poster.deliver(tell_ends_first(centre.step(now_ms())), stop)
    log.info("demo_live", site=show.site)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_live(centre, poster, stop))
        tasks.create_task(_beat(show.site, poster, stop))
    await _say_goodbye(centre, poster)


async def _live(centre: Simulation, poster: Poster, stop: asyncio.Event) -> None:
    phase = centre.rush.phase
    while not stop.is_set():
        await poster.deliver(centre.step(now_ms()), stop)
        if centre.rush.phase is not phase:
            phase = centre.rush.phase
            _tell(centre, phase)
        await pause(stop, TICK_S)


def _tell(centre: Simulation, phase: Phase) -> None:
    names = {Phase.BUILDING: "rush_started", Phase.HELPING: "rush_helped", Phase.QUIET: "rush_over"}
    log.info(names[phase], queue=centre.rush.queue.id)


async def _beat(site: str, poster: Poster, stop: asyncio.Event) -> None:
    """A heartbeat each 5 s. One that cannot be sent is not sent late: its clock would be wrong by then."""
    while not stop.is_set():
        try:
            await poster.try_once([heartbeat(site, now_ms())])
        except Unavailable as error:
            log.debug("heartbeat_lost", detail=error.detail)
        await pause(stop, HEARTBEAT_S)


def heartbeat(site: str, clock_ms: int) -> CloudEvent:
    """The source is there, and this is its clock."""
    return CloudEvent(
        id=f"heartbeat-{clock_ms}",
        source=SOURCE,
        type="vigie.source.heartbeat.v1",
        time=timestamp(clock_ms),
        site=site,
        data={"clock_ms": clock_ms},
    )


async def _say_goodbye(centre: Simulation, poster: Poster) -> None:
    """Leaves nobody waiting on the board, if ingest is still there to hear it."""
    last = centre.close()
    try:
        async with asyncio.timeout(_GOODBYE_S):
            for first in range(0, len(last), BATCH):
                await poster.try_once(last[first : first + BATCH])
    except (Unavailable, TimeoutError) as error:
        log.info("demo_not_closed", detail=str(error))
    log.info("demo_stopped")


if __name__ == "__main__":
    sys.exit(main())
