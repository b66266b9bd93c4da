"""f. Many boards on one api process, each with eight queues whose rows change each second.

The real api on a real Kafka; beside it a plain FastAPI loop. The same sockets, the same frames,
compression off. Ours is timed from the instant at which the feeder made the rows, so with their way
through Kafka; the plain loop from the instant at which it begins to send. In a storm, a socket that
has no snapshot after `FIRST_S` is counted as if it had it then.
"""

import contextlib
import json
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct

from benchmarks.audience import FIRST_S, Heard
from benchmarks.crowd import age_ms, crowd, make_room
from benchmarks.feeder import feeding
from benchmarks.programs import kafka, new_folder, python, ready, taken
from benchmarks.results import Line, Reach, Say, Size
from services.api import wire
from services.api.board import Board, View
from services.cli.broker import free_ports
from services.runtime.clock import now_ms
from tests.unit.api.rows import queue_row, site_row

PLAIN = "plain FastAPI loop"
SITES = [f"site-{number}" for number in range(10)]
QUEUES = 8
REACHED_WITH = 2000
"""Sockets for which DESIGN.md §4 has figures; as many take part in the storm."""

_FIRST_VISITORS = 20


class Server(Struct, frozen=True):
    """Who is measured. `paths`: where its sockets are, one for each site."""

    pid: int
    address: str
    paths: list[str]


class Found(Struct, frozen=True):
    """Of one server with so many sockets, each figure once for each time that it was measured.

    `told`: percent of the seconds of which a socket heard. `storm_…`: empty where there was none."""

    p50_ms: list[float] = []
    p99_ms: list[float] = []
    told: list[float] = []
    cpu_us: list[float] = []
    kb: list[float] = []
    storm_median_s: list[float] = []
    storm_all_s: list[float] = []
    storm_cpu_ms: list[float] = []


async def measure(size: Size, say: Say) -> list[Line]:
    counts = [20] if size.is_smoke else [500, REACHED_WITH, 5000]
    counts = sorted({min(count, make_room(max(counts), say)) for count in counts})
    lines: list[Line] = []
    with new_folder() as name:
        folder = Path(name)
        for count in counts:
            with_storm = size.is_smoke or count == REACHED_WITH
            async with _plain(folder) as server:
                theirs = await _measure(server, count, size, with_storm=with_storm)
            say(f"   {count} sockets, {PLAIN}: p99 {theirs.p99_ms} ms")
            async with _ours(folder / f"kafka-{count}") as server:
                ours = await _measure(server, count, size, with_storm=with_storm)
            say(f"   {count} sockets, Vigie: p99 {ours.p99_ms} ms")
            lines += _lines(count, ours, theirs)
    return lines


def _lines(count: int, ours: Found, theirs: Found) -> list[Line]:
    p99, kb = (Reach(150), Reach(25)) if count == REACHED_WITH else (None, None)
    found = [
        ("row made → frame there, p50", "ms", ours.p50_ms, theirs.p50_ms, None),
        ("row made → frame there, p99", "ms", ours.p99_ms, theirs.p99_ms, p99),
        ("seconds of which a socket heard", "%", ours.told, theirs.told, None),
        ("CPU for each second told to a socket", "µs", ours.cpu_us, theirs.cpu_us, None),
        ("memory for each socket", "KB", ours.kb, theirs.kb, kb),
        ("all cut → first snapshot, median", "s", ours.storm_median_s, theirs.storm_median_s, None),
        ("all cut → all have a snapshot", "s", ours.storm_all_s, theirs.storm_all_s, None),
        ("all cut: CPU for each that came back", "ms", ours.storm_cpu_ms, theirs.storm_cpu_ms, None),
    ]
    return [
        Line("f", f"{count:,} sockets: {what}", unit, mine, {PLAIN: other}, reach)
        for what, unit, mine, other, reach in found
        if mine
    ]


async def _measure(server: Server, count: int, size: Size, *, with_storm: bool) -> Found:
    seconds, settle_s = size.of(10, 2), size.of(3, 1)
    found = Found()
    async with crowd(server.address, _FIRST_VISITORS, server.paths) as first:
        await first.join()  # what the first ones cost is no matter of the others
        await first.listen(settle_s)
        before = taken(server.pid)
    async with crowd(server.address, count, server.paths) as sockets:
        joined = await sockets.join()
        if joined.missing:
            raise TimeoutError(f"{joined.missing} of {count} sockets never had a snapshot")
        await sockets.listen(settle_s)
        for _ in range(size.repeats):
            begun = taken(server.pid)
            heard = await sockets.listen(seconds)
            ended = taken(server.pid)
            _note(found, heard, ended.cpu_s - begun.cpu_s, due=count * seconds)
        found.kb.append((ended.rss_mb - before.rss_mb) * 1024 / count)
        for _ in range(size.repeats if with_storm else 0):
            begun = taken(server.pid)
            joined = await sockets.storm()
            first_s = [*joined.first_s, *[FIRST_S] * joined.missing]
            found.storm_median_s.append(statistics.median(first_s))
            found.storm_all_s.append(max(first_s))
            found.storm_cpu_ms.append((taken(server.pid).cpu_s - begun.cpu_s) * 1000 / len(joined.first_s))
            await sockets.listen(settle_s)
    return found


def _note(found: Found, heard: Heard, cpu_s: float, *, due: int) -> None:
    found.p50_ms.append(age_ms(heard, 0.5))
    found.p99_ms.append(age_ms(heard, 0.99))
    found.told.append(100 * heard.told / due)
    found.cpu_us.append(cpu_s * 1e6 / heard.told)


@contextlib.asynccontextmanager
async def _ours(folder: Path) -> AsyncIterator[Server]:
    """The api as a container runs it, with rows that change each second."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    log, settings = _settings(folder, address)
    paths = [f"/api/v1/live?site={site}" for site in SITES]
    async with kafka(folder / "data") as broker, feeding(broker.bootstrap, SITES, QUEUES):
        words = (f"--config={settings}", f"--data={folder}", f"--kafka={broker.bootstrap}")
        async with python("services.api", *words, log=log) as process:
            await ready(address, log)
            yield Server(process.pid, address, paths)


def _settings(folder: Path, address: str) -> tuple[Path, Path]:
    folder.mkdir()
    settings = folder / "vigie.toml"
    settings.write_text(f'[http]\napi = "{address}"\n', "utf-8")
    return folder / "api.log", settings


@contextlib.asynccontextmanager
async def _plain(folder: Path) -> AsyncIterator[Server]:
    """The contestant, with a frame of ours to send."""
    (port,) = free_ports(1)
    address, log, frame = f"127.0.0.1:{port}", folder / "plain.log", folder / "frame.json"
    frame.write_text(json.dumps(json.loads(_frame())), "utf-8")
    async with python("benchmarks.contestants.plain_fastapi", str(port), str(frame), log=log) as process:
        await ready(address, log)
        yield Server(process.pid, address, ["/live"])


def _frame() -> str:
    """An update with the rows of one site."""
    board, now, site = Board(), now_ms(), SITES[0]
    board.apply(("site", site), site_row(site, now_ms=now), now)
    rows = [queue_row(f"queue-{number}", site=site, now_ms=now) for number in range(QUEUES)]
    for row in rows:
        board.apply(("queue", site, row.queue), row, now)
    queues = [wire.queue_text(board, row, now) for row in board.queues_of(site, View())]
    body = wire.update_body(queues, [wire.site_text(board, site, now)], [], now)
    return wire.frame("update", body, epoch="0" * 32, seq=1, prev=0)
