"""One run: the system, the players, and the verdict."""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
from msgspec import Struct

from tests.end_to_end.running_system import RunningSystem, running_system
from tests.many_sources.players import (
    Asterisk,
    GrowingFile,
    Player,
    SharedMailbox,
    SignedPosts,
    Stage,
    Topic,
)
from tests.many_sources.vendors import (
    AmazonConnect,
    Chatwoot,
    FreeSwitch,
    GenesysCloud,
    QueueLog,
    TwilioFlex,
)
from tests.soak import verdict, watching
from tests.soak.watching import Use, Watch

Say = Callable[[str], None]

SITES = ("paris", "lyon", "lille")
SETTLE_S = 120.0
LAST_S = 300.0
"""The end of the run, over which nothing may grow."""
MB_PER_MIN = 1.0


class Looked(Struct, frozen=True):
    """What ingest said of itself."""

    at_s: float
    tasks: float


def run(seconds: float, seed: int, folder: Path, say: Say) -> list[str]:
    """Everything that is not as it should be."""
    players = _players(random.Random(seed), folder)
    settings = "".join(f'[[sites]]\nid = "{site}"\ntime_zone = "Europe/Paris"\n' for site in SITES)
    settings += "".join(player.settings() for player in players)
    env = {name: value for player in players for name, value in player.environment().items()}
    with running_system(folder, f"\n{settings}", env=env) as system:
        found = asyncio.run(_play(system, players, seconds, folder, say))
        (folder / "vigie.log").write_text("\n".join(system.started.lines) + "\n", "utf-8")
        return found + verdict.exceptions(system.started.lines)


def _players(rng: random.Random, folder: Path) -> list[Player]:
    """Ten kinds on the first site, others on the two others."""
    first, second, third = SITES

    def drawn() -> random.Random:
        return random.Random(rng.random())

    return [
        Asterisk(first, drawn()),
        SignedPosts(first, drawn()),
        Topic(first, drawn()),
        SharedMailbox(first, drawn()),
        GrowingFile(first, drawn(), folder / "history.jsonl"),
        FreeSwitch(first, drawn()),
        TwilioFlex(first, drawn()),
        AmazonConnect(first, drawn()),
        GenesysCloud(first, drawn()),
        Chatwoot(first, drawn()),
        Asterisk(second, drawn()),
        QueueLog(third, drawn(), folder / "queue_log"),
        SignedPosts(third, drawn()),
    ]


async def _play(
    system: RunningSystem, players: Sequence[Player], seconds: float, folder: Path, say: Say
) -> list[str]:
    stop = asyncio.Event()
    watch = Watch(lambda: {"up": system.started.process.pid, **system.pids})
    looked: list[Looked] = []
    async with aiohttp.ClientSession() as http:
        stage = Stage(system.addresses["ingest"], system.bootstrap, http)
        watching_task = asyncio.create_task(watch.run())
        looking = asyncio.create_task(_look(system, looked))
        playing = [asyncio.create_task(player.play(stage, stop)) for player in players]
        await _wait(playing, seconds, players, say)
        stop.set()
        await asyncio.gather(*playing)
        for task in (watching_task, looking):
            task.cancel()
        differences = await _compare(system, players, folder, say)
    for line in watching.report(watch.uses):
        say(line)
    return differences + growth(watch.uses.get("ingest", []), looked)


async def _wait(
    playing: Sequence["asyncio.Task[None]"], seconds: float, players: Sequence[Player], say: Say
) -> None:
    """Until the time is over; who ends before it failed."""
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        done, _ = await asyncio.wait(playing, timeout=min(15.0, left_s), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        total = sum((player.offered for player in players), Counter())
        say(f"{max(0, left_s):.0f} s left; over: {dict(total)}")


async def _look(system: RunningSystem, looked: list[Looked]) -> None:
    while True:
        _, text = await system.get("ingest", "/metrics")
        tasks = next(line for line in text.splitlines() if line.startswith("vigie_ingest_tasks "))
        looked.append(Looked(time.monotonic(), float(tasks.split()[1])))
        await asyncio.sleep(2)


async def _compare(system: RunningSystem, players: Sequence[Player], folder: Path, say: Say) -> list[str]:
    """The board beside what the players told, then `vigie verify`."""
    told = sum((player.offered for player in players), Counter())
    end_s = time.monotonic() + SETTLE_S
    while (shown := await _shown(system)) != told and time.monotonic() < end_s:  # noqa: ASYNC110 - Kafka's other side
        await asyncio.sleep(1)
    found = [
        f"queue {queue}: {shown[queue]} offered on the board, {told[queue]} told"
        for queue in sorted(told.keys() | shown.keys())
        if shown[queue] != told[queue]
    ]
    verified = await verdict.verify(system.bootstrap, folder / "vigie.toml")
    while verified.is_unfinished and not verified.differences and time.monotonic() < end_s:
        await asyncio.sleep(2)
        verified = await verdict.verify(system.bootstrap, folder / "vigie.toml")
    say(f"vigie verify: code {verified.code}, {len(verified.differences) or 'no'} differences")
    if verified.code != 0 and not verified.differences:
        found.append(f"vigie verify ended with {verified.code}: {verified.said}")
    return found + verified.differences + await _ill_sources(system)


async def _shown(system: RunningSystem) -> Counter[str]:
    _, text = await system.get("api", "/api/v1/board?window=60m")
    rows = [row for site in json.loads(text)["sites"] for row in site["queues"]]
    return Counter({row["queue"]: row["windows"]["60m"]["offered"] for row in rows})


async def _ill_sources(system: RunningSystem) -> list[str]:
    """What the source panel says that nobody expects. Players have gone: that they are lost is no fault."""
    _, text = await system.get("api", "/api/v1/sources")
    return [
        f"source {each['source']}: {each['dead_letters']} dead letters, {each['letters'][:1]}"
        for each in json.loads(text)["sources"]
        if each["dead_letters"]
    ]


def growth(uses: Sequence[Use], looked: Sequence[Looked]) -> list[str]:
    """Memory, open files and tasks of ingest over the last minutes."""
    if not uses or uses[-1].at_s - uses[0].at_s < LAST_S * 1.5:
        return []  # a short run says nothing of growth
    since_s = uses[-1].at_s - LAST_S
    late = [use for use in uses if use.at_s >= since_s]
    found = []
    mb_per_min = _slope([use.at_s for use in late], [use.rss_mb for use in late])
    if mb_per_min > MB_PER_MIN:
        found.append(f"ingest: memory grows by {mb_per_min:.2f} MB/min")
    files = _slope([use.at_s for use in late], [use.fds for use in late])
    tasks = [look for look in looked if look.at_s >= since_s]
    count = _slope([look.at_s for look in tasks], [look.tasks for look in tasks])
    for what, per_min in (("open files", files), ("tasks", count)):
        if per_min > 1.0:
            found.append(f"ingest: {what} grow by {per_min:.2f} a minute")
    return found


def _slope(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Per minute, by least squares."""
    return 60 * statistics.linear_regression(at_s, values).slope if len(values) > 2 else 0.0
