"""Keeps one source connected: after a loss it is tried again, for as long as it takes.

Waits between attempts grow and are drawn at random (full jitter), so that many workers do not knock at
once. What changed is logged once, not each attempt; attempts are counted.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from msgspec import Struct

from services.ingest.report import Report

READ_BYTES = 65_536

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Patience(Struct, frozen=True, kw_only=True):
    """Between attempts, in seconds. Defaults are for real systems, shorter ones for tests."""

    first_s: float = 0.5
    most_s: float = 30.0
    refused_s: float = 30.0


class Lost(Exception):
    """The connection is gone; `reason` is a sentence for the log: never a secret, never a payload."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LoginRefused(Lost):
    """The source does not let us in: trying again soon is of no use."""


def delay_s(attempt: int, *, patience: Patience, draw: float) -> float:
    """The wait before attempt `attempt` (from 1) with `draw` in [0, 1): exponential, full jitter."""
    grown_s: float = patience.first_s * 2 ** min(attempt - 1, 30)
    return draw * min(patience.most_s, grown_s)


async def connected(host: str, port: int, *, within_s: float) -> Streams:
    """A connection by TCP. Raises `Lost`."""
    try:
        async with asyncio.timeout(within_s):
            return await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise Lost(f"{host}:{port} does not answer") from error
    except OSError as error:
        raise Lost(f"{host}:{port}: {error.strerror or error}") from error


async def read_within(reader: asyncio.StreamReader, patience_s: float, *, peer: str) -> bytes:
    """What comes within that time, perhaps nothing. Raises `Lost`; `peer` is who closed the connection."""
    try:
        async with asyncio.timeout(max(patience_s, 0.001)):
            data = await reader.read(READ_BYTES)
    except TimeoutError:
        return b""
    except OSError as error:
        raise Lost(f"connection lost: {error.strerror or error}") from error
    if not data:
        raise Lost(f"connection closed by {peer}")
    return data


async def keep(talk: Callable[[], Awaitable[object]], *, report: Report, patience: Patience) -> NoReturn:
    """Runs `talk` over and over: one connection each, which ends by raising `Lost`, or by returning.

    `talk` says `report.up()` once the source is connected and whole.
    """
    while True:
        try:
            await talk()
            report.lost("connection closed")
            wait_s = delay_s(report.attempts, patience=patience, draw=random.random())
        except LoginRefused as refused:
            report.lost(refused.reason, is_refused=True)
            wait_s = patience.refused_s * (1 + random.random())
        except Lost as lost:
            report.lost(lost.reason)
            wait_s = delay_s(report.attempts, patience=patience, draw=random.random())
        await asyncio.sleep(wait_s)
        report.try_again()


async def until_stopped(work: Coroutine[Any, Any, object], *, report: Report, stop: asyncio.Event) -> None:
    """Runs `work` until `stop`; then it is cancelled, and the source is reported as stopped.

    Raises what `work` raises.
    """
    working = asyncio.create_task(work, name=f"source {report.source.id}")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()
        results = await asyncio.gather(working, return_exceptions=True)
        report.stopped()
    if isinstance(results[0], Exception):
        raise results[0]
