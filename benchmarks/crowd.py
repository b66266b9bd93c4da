"""Sockets by the thousand, in processes of their own, and what they heard together."""

import asyncio
import contextlib
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from benchmarks.audience import Heard, Joined
from benchmarks.programs import end
from benchmarks.results import Say

PER_PROCESS = 2500
_SPARE_FILES = 500
_LINE_BYTES = 16 * 1024 * 1024
_T = TypeVar("_T", bound=Struct)


def make_room(sockets: int, say: Say) -> int:
    """Lets this process and its children open so many sockets each; gives how many they can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + _SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        say(f"   {soft} open files are allowed here (ulimit -Hn): {soft - _SPARE_FILES} sockets at most")
    return min(sockets, soft - _SPARE_FILES)


class Crowd:
    """All sockets to one server."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes

    async def join(self) -> Joined:
        return _together(await self._all("join", Joined))

    async def storm(self) -> Joined:
        """All are cut, and come back at once."""
        return _together(await self._all("storm", Joined))

    async def listen(self, seconds: float) -> Heard:
        ages: Counter[int] = Counter()
        for each in await self._all(f"listen {seconds}", Heard):
            ages.update(each.ages)
        return Heard(dict(ages))

    async def _all(self, order: str, kind: type[_T]) -> list[_T]:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{order}\n".encode())
        return [msgspec.json.decode(await _line(each), type=kind) for each in self._processes]


@contextlib.asynccontextmanager
async def crowd(address: str, sockets: int, paths: Sequence[str]) -> AsyncIterator[Crowd]:
    """So many sockets, not yet open, spread over the paths and over as few processes as can bear them."""
    count = -(-sockets // PER_PROCESS)
    processes: list[Process] = []
    try:
        for number in range(count):
            share = sockets // count + (number < sockets % count)
            words = (sys.executable, "-m", "benchmarks.audience", address, str(share), *paths)
            processes.append(
                await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES)
            )
        yield Crowd(processes)
    finally:
        await asyncio.gather(*map(end, processes))


def age_ms(heard: Heard, share: float) -> float:
    """How old at most the rows were in this share of the frames."""
    left = share * heard.told
    for tenths, count in sorted(heard.ages.items()):
        left -= count
        if left <= 0:
            return tenths / 10
    raise ValueError("nobody has heard anything")


def _together(joined: Sequence[Joined]) -> Joined:
    return Joined([s for each in joined for s in each.first_s], sum(each.missing for each in joined))


async def _line(process: Process) -> bytes:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the sockets' process ended")
    return line
