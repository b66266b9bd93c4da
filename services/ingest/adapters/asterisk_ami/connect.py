"""Keeps one Asterisk connected: connects, talks, and after a loss tries again for as long as it takes.

Meanwhile what was told before this process started is read back from the log: until that is known no
frame is translated, for nobody could say whose visit it is about, or who has left unseen.
Waits between attempts grow and are drawn at random (full jitter), so that many workers do not knock
at once. What changed is logged once, not each attempt; attempts are counted.
"""

import asyncio
import random
from typing import NoReturn

import structlog

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.adapters.asterisk_ami.frames import action
from services.ingest.adapters.asterisk_ami.session import LoginRefused, Lost, Pace, Session
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.metrics import Metrics
from services.ingest.past import Past
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Put

log = structlog.get_logger()


async def run(
    source: SourceConfig,
    *,
    put: Put,
    secret: str,
    pseudonyms: Pseudonyms,
    metrics: Metrics,
    stop: asyncio.Event,
    past: Past | None = None,
    pace: Pace | None = None,
) -> None:
    """Talks to the source until `stop`. `past` None: nothing was told before.

    Raises `Misconfigured` when user or secret cannot be sent.
    """
    _check(source, secret)
    line = _Line(
        source,
        put=put,
        secret=secret,
        pseudonyms=pseudonyms,
        metrics=metrics,
        past=past,
        pace=pace or Pace(),
    )
    talking = asyncio.create_task(line.keep(), name=f"source {source.id}")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((talking, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        talking.cancel()
        results = await asyncio.gather(talking, return_exceptions=True)
        metrics.source_up.labels(source.id).set(0)
    if isinstance(results[0], Exception):
        raise results[0]


def delay_s(attempt: int, *, pace: Pace, draw: float) -> float:
    """The wait before attempt `attempt` (from 1) with `draw` in [0, 1): exponential, full jitter."""
    grown_s: float = pace.retry_first_s * 2 ** min(attempt - 1, 30)
    return draw * min(pace.retry_most_s, grown_s)


class _Line:
    """The connection over its losses. The translator outlives them: snapshots are compared with it."""

    def __init__(
        self,
        source: SourceConfig,
        *,
        put: Put,
        secret: str,
        pseudonyms: Pseudonyms,
        metrics: Metrics,
        past: Past | None,
        pace: Pace,
    ) -> None:
        self._source = source
        self._put = put
        self._secret = secret
        self._metrics = metrics
        self._past = past
        self._pace = pace
        self._recalled = asyncio.Event()
        self._translator = Translator(source, pseudonyms)
        self._is_up = False
        self._fault: str | None = None
        self._told: str | None = None
        self._attempts = 0

    async def keep(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recall())
            tasks.create_task(self._stay_connected())

    async def _recall(self) -> None:
        if self._past is not None:
            await self._past(self._translator.recall)
        self._translator.go_on()
        self._recalled.set()

    async def _stay_connected(self) -> NoReturn:
        while True:
            self._attempts += 1
            try:
                await self._talk()
            except LoginRefused as refused:
                self._lost(refused.reason, level="error")
                wait_s = self._pace.refused_s * (1 + random.random())
            except Lost as lost:
                self._lost(lost.reason, level="warning")
                wait_s = delay_s(self._attempts, pace=self._pace, draw=random.random())
            await asyncio.sleep(wait_s)
            self._metrics.source_reconnects.labels(self._source.id).inc()

    async def _talk(self) -> None:
        session = Session(
            self._source,
            streams=await self._open(),
            translator=self._translator,
            put=self._put,
            metrics=self._metrics,
            pace=self._pace,
            recalled=self._recalled,
            on_up=self._up,
            on_fault=self._see_fault,
        )
        try:
            await session.run(self._secret)
        finally:
            await session.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = self._source
        try:
            async with asyncio.timeout(self._pace.connect_s):
                return await asyncio.open_connection(source.host, source.port)
        except TimeoutError as error:
            raise Lost(f"{source.host}:{source.port} does not answer") from error
        except OSError as error:
            raise Lost(f"{source.host}:{source.port}: {error.strerror or error}") from error

    def _up(self) -> None:
        if self._is_up:
            return
        self._is_up = True
        log.info("source_connected", source=self._source.id, attempt=self._attempts)
        self._told, self._attempts = None, 0
        self._show()

    def _see_fault(self, fault: str | None) -> None:
        """What makes the source's events unusable is said once, and once that it is mended."""
        if fault == self._fault:
            return
        if fault is not None:
            log.error("source_unusable", source=self._source.id, reason=fault)
        else:
            log.info("source_usable", source=self._source.id)
        self._fault = fault
        self._show()

    def _show(self) -> None:
        is_fit = self._is_up and self._fault is None
        self._metrics.source_up.labels(self._source.id).set(1 if is_fit else 0)

    def _lost(self, reason: str, *, level: str) -> None:
        """Says so when the line was up or the reason is another one."""
        if self._is_up or reason != self._told:
            getattr(log, level)("source_lost", source=self._source.id, reason=reason)
        self._is_up, self._told = False, reason
        self._show()


def _check(source: SourceConfig, secret: str) -> None:
    try:
        action("Login", {"Username": source.user or "", "Secret": secret})
    except ValueError as error:
        raise Misconfigured(f"[[sources]] {source.id}: user or secret holds a line end") from error
