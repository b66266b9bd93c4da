"""Hands events to ingest: the same batch until it is taken, so nothing is lost and nothing counts twice.

Ids make a repeat harmless (INTERFACE.md §4); so when in doubt, send again.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from schemas.errors import Misconfigured, Unavailable
from services.cli.demo.timeline import CloudEvent
from services.runtime.own_key import HINT

BATCH = 500
"""Events in one request: about 200 kB, well below the 1 MiB that ingest takes."""
_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=15)
_CONTENT_TYPE = "application/cloudevents-batch+json"
_REFUSED_FOR_GOOD = frozenset({401, 403, 404, 405, 413, 415})

log = structlog.get_logger()


class Rejection(Struct, frozen=True):
    """One event of a batch that ingest did not take."""

    index: int
    reason: str
    detail: str | None = None


class Answer(Struct, frozen=True):
    accepted: int = 0
    rejected: list[Rejection] = []


class Poster:
    """One way to ingest. `url`: its base address."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._is_away = False

    async def ready(self, stop: asyncio.Event) -> None:
        """Returns once ingest answers and does not say that it is not ready, or when `stop` is set."""
        delay_s = _FIRST_DELAY_S
        while not stop.is_set():
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.get(f"{self._url}/health/ready", timeout=_TIMEOUT) as answer:
                    if answer.status != 503:
                        return
            self._say_away("not ready")
            await pause(stop, delay_s)
            delay_s = min(2 * delay_s, 1.0)

    async def deliver(self, events: Sequence[CloudEvent], stop: asyncio.Event) -> None:
        """Returns once ingest has taken all of `events`, in order, or when `stop` is set.

        Raises `Misconfigured` when ingest will never take them.
        """
        for first in range(0, len(events), BATCH):
            await self._deliver(events[first : first + BATCH], stop)

    async def try_once(self, events: Sequence[CloudEvent]) -> None:
        """One attempt for one batch; raises `Unavailable` or `Misconfigured`."""
        try:
            async with self._session.post(
                f"{self._url}/v1/events",
                data=msgspec.json.encode(list(events)),
                headers={"content-type": _CONTENT_TYPE},
                timeout=_TIMEOUT,
            ) as answer:
                retry_after_s = _seconds(answer.headers.get("retry-after"))
                _judge(answer.status, await answer.read(), retry_after_s)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}", retry_after_s=0) from error
        self._say_back()

    async def _deliver(self, batch: Sequence[CloudEvent], stop: asyncio.Event) -> None:
        delay_s = _FIRST_DELAY_S
        while not stop.is_set():
            try:
                await self.try_once(batch)
                return
            except Unavailable as error:
                self._say_away(error.detail)
                await pause(stop, max(delay_s, min(error.retry_after_s, _LONGEST_DELAY_S)))
                delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _say_away(self, detail: str) -> None:
        if not self._is_away:
            log.warning("ingest_away", url=self._url, detail=detail)
        self._is_away = True

    def _say_back(self) -> None:
        if self._is_away:
            log.info("ingest_back", url=self._url)
        self._is_away = False


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits `seconds`, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _judge(status: int, body: bytes, retry_after_s: float) -> None:
    """What an answer of ingest means for who sent the batch."""
    if status in _REFUSED_FOR_GOOD:
        hint = f"; {HINT}" if status in (401, 403) else ""
        raise Misconfigured(f"ingest answers {status}: {body[:300].decode('utf-8', 'replace')}{hint}")
    if status not in (200, 202, 400):
        raise Unavailable(f"ingest answers {status}", retry_after_s=retry_after_s)
    answer = msgspec.json.decode(body, type=Answer)
    if answer.rejected:
        first = answer.rejected[0]
        log.warning("events_rejected", count=len(answer.rejected), reason=first.reason, detail=first.detail)


def _seconds(header: str | None) -> float:
    """`Retry-After` in seconds; 0 when absent or a date."""
    return float(header) if header is not None and header.isdecimal() else 0.0
