"""The processes that sections f and g start and look at: until they are ready, what they take, their end."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil  # type: ignore[import-untyped] # its stubs are not in the lock
from msgspec import Struct

from schemas.config import KafkaConfig
from services.cli.broker import EmbeddedBroker
from services.cli.topics import declare

PATIENCE_S = 120.0
_END_S = 20.0


def new_folder() -> "tempfile.TemporaryDirectory[str]":
    """Gone afterwards, whatever those who were ended have left in it."""
    return tempfile.TemporaryDirectory(prefix="vigie-bench-", ignore_cleanup_errors=True)


class Taken(Struct, frozen=True):
    """What is held, and what has been used so far."""

    rss_mb: float
    cpu_s: float
    at_s: float

    def share(self, before: "Taken") -> float:
        """Percent of a core since `before`."""
        return 100 * (self.cpu_s - before.cpu_s) / (self.at_s - before.at_s)


def taken(pid: int) -> Taken:
    """Of a process and of those that it started."""
    whole = psutil.Process(pid)
    family = [whole, *whole.children(recursive=True)]
    times = [each.cpu_times() for each in family]
    rss = sum(each.memory_info().rss for each in family)
    return Taken(rss / (1 << 20), sum(each.user + each.system for each in times), time.monotonic())


@contextlib.asynccontextmanager
async def kafka(folder: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker of our own with Vigie's topics."""
    broker = await asyncio.to_thread(EmbeddedBroker, folder)
    try:
        await asyncio.to_thread(broker.start)
        await declare(broker.bootstrap, KafkaConfig().partitions)
        yield broker
    finally:
        await asyncio.to_thread(broker.close)


@contextlib.asynccontextmanager
async def python(module: str, *words: str, log: Path) -> AsyncIterator[Process]:
    """`python -m MODULE WORDS…`; what it says goes to `log`. Asked to end at the end, then ended."""
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *words, stdin=PIPE, stdout=said, stderr=said, env=os.environ
        )
    try:
        yield process
    finally:
        await end(process)


async def end(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def ready(address: str, log: Path) -> None:
    """Returns once `/health/ready` says so; `TimeoutError` with the end of the log when it never does."""
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"http://{address}/health/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise TimeoutError(f"{address} is not ready; it says: {_end_of(log)}") from error


def _end_of(log: Path) -> str:
    return log.read_text("utf-8")[-2000:]
