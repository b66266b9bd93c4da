"""The stream of events, as Faust runs it: one stream function, its channel, a task and a timer.

Faust starts, supervises and stops; it reads and writes no Kafka here (`enable_kafka = False`): the
records move by aiokafka's public interface, whole fetches through a channel of one, which costs a
tenth of a Faust topic. The loops: `worker`. What happens to a fetch: `holdings`.

Any failure in the stream function, the task, the timer or the rebalance listener ends the process:
memory may be ahead of the log, and Faust would restart the function, drop its fetch and go on.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import faust
import structlog
from faust.app.base import BootStrategy
from prometheus_client import CollectorRegistry

from schemas.config import Config
from schemas.errors import VigieError
from services.aggregator.cancellation import unless_cancelled_within
from services.aggregator.folding import Make
from services.aggregator.holdings import Fetch
from services.aggregator.metrics import Metrics
from services.aggregator.settings import Settings
from services.aggregator.worker import Worker

log = structlog.get_logger()

_TICK_S = 1.0
_DRAIN_S = 3.0
"""For the fold in progress, its flush, the last commit and the good-bye to the group."""

_END_S = 8.0
"""After a failure the process is gone within this time, whatever hangs."""


class _Boot(BootStrategy):  # type: ignore[misc] # faust's types are not followed
    """Agents, tasks and timers only."""

    enable_kafka = False
    enable_sensors = False
    enable_web = False


class App(faust.App):  # type: ignore[misc] # faust's types are not followed
    """A Faust app with our worker inside: drains before it stops, never outlives a failure."""

    BootStrategy = _Boot
    worker: Worker | None = None
    reason: BaseException | None = None
    _ended: asyncio.Event | None = None

    async def run_worker(self, worker: Worker) -> None:
        """Runs `worker` to its end; Faust crashes the app with whatever it raises."""
        self.worker, self._ended = worker, asyncio.Event()
        try:
            await unless_cancelled_within(worker.run())
        finally:
            self._ended.set()
        if not self.should_stop:
            raise RuntimeError("the worker ended by itself")

    async def on_stop(self) -> None:
        if self.worker is not None and self._ended is not None:
            log.info("stopping")
            self.worker.stop()
            try:
                await asyncio.wait_for(self._ended.wait(), _DRAIN_S)
                log.info("drained")
            except TimeoutError:
                log.warning("not_drained", after_s=_DRAIN_S)
        await super().on_stop()

    async def crash(self, reason: BaseException) -> None:
        if self.reason is None:
            self.reason = reason = _innermost(reason)
            expected = isinstance(reason, VigieError)
            log.error("worker_failed", detail=str(reason), exc_info=None if expected else reason)
            asyncio.get_running_loop().call_later(_END_S, os._exit, 1)
        await super().crash(reason)


def create_app(
    settings: Settings, config: Config, *, make: Make, registry: CollectorRegistry, metrics: Metrics
) -> App:
    """The app, whole; nothing is opened before Faust starts it. `make` builds an empty partition."""
    app = App(
        settings.group,
        datadir=str(settings.data),
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
    )
    fetches = app.channel(maxsize=1)

    async def apply_events(stream: AsyncIterator[Fetch]) -> None:
        async for fetch in stream:
            try:
                await _worker(app).apply(fetch)
            except Exception as error:
                await app.crash(error)
                return

    async def run() -> None:
        app.flow_control.resume()  # without Faust's consumer nobody else does, and channels stand still
        worker = Worker(
            settings,
            config,
            make=make,
            metrics=metrics,
            registry=registry,
            hand_over=fetches.put,
            crash=app.crash,
        )
        await app.run_worker(worker)

    async def tick() -> None:
        if app.worker is not None:
            await app.worker.tick()

    app.agent(fetches, name="apply_events")(apply_events)
    app.task(run)
    app.timer(interval=_TICK_S)(tick)
    return app


def _innermost(error: BaseException) -> BaseException:
    """What a TaskGroup wraps; the first of several."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _worker(app: App) -> Worker:
    assert app.worker is not None, "fetches come from the worker"
    return app.worker
