"""The real api without Kafka: rows are applied to its board by the test (or by a script).

`python -m tests.doubles.served` serves the page on a free port with a queue whose wait grows.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from schemas.board import Alert
from schemas.config import Config
from services.api.app import WALLBOARD, create_app
from services.api.board import Board, Row
from services.api.commands import Commands
from services.api.deliveries import Deliveries
from services.api.hub import Hub
from services.api.metrics import BoardCollector, Metrics
from services.api.sources import Sources
from services.runtime.clock import now_ms
from services.runtime.process import serve
from tests.doubles.command_log import MemoryCommandLog
from tests.unit.api.rows import key_of


class ServedApi:
    """Board, hub and application, put together as `services/api/__main__.py` does.

    `put` and `put_alert` do what the consumer does; `missing_parts` is what readiness says.
    """

    def __init__(
        self,
        *,
        config: Config | None = None,
        clock: Callable[[], int] = now_ms,
        wallboard: Path = WALLBOARD,
        answer_s: float = 2.0,
    ) -> None:
        self.clock = clock
        self.metrics = Metrics(CollectorRegistry())
        self.board = Board()
        self.hub = Hub(self.board, epoch="epoch1", clock=clock, on_sent=self.metrics.lag.observe)
        collector = BoardCollector(self.board, self.hub, clock, config or Config())
        self.metrics.registry.register(collector)
        self.log = MemoryCommandLog()
        self.commands = Commands(self.log, clock=clock, answer_s=answer_s)
        self.log.answered = self.put_alert
        self.deliveries = Deliveries()
        self.sources = Sources()
        self.missing_parts: list[str] = []
        self.address = ""
        self.app: ASGIApp = create_app(
            self.board,
            self.hub,
            commands=self.commands,
            deliveries=self.deliveries,
            sources=self.sources,
            readiness=self,
            metrics=self.metrics,
            config=config or Config(),
            clock=clock,
            wallboard=wallboard,
        )

    def missing(self) -> list[str]:
        return self.missing_parts

    def put(self, *rows: Row) -> None:
        for row in rows:
            self.board.apply(key_of(row), row, self.clock())
        self.hub.wake()

    def put_alert(self, alert: Alert) -> None:
        self.board.apply_alert(alert)
        self.commands.answered(alert)
        self.hub.wake()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """host:port of the api, served by the real web server until the end of the block."""
        stop = asyncio.Event()
        address = f"127.0.0.1:{free_port()}"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(stop))
            tasks.create_task(serve(self.app, address, stop))
            await until_listening(address)
            try:
                yield address
            finally:
                stop.set()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until_listening(address: str) -> None:
    """Returns once somebody answers on host:port."""
    host, port = address.split(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def _demonstrate() -> None:
    from tests.unit.api.rows import alert, queue_row, site_row

    api = ServedApi()
    async with api.running() as address:
        print(f"http://{address}")
        start_ms = now_ms()
        while True:
            entered = [start_ms - 100_000, start_ms - 30_000]
            firing = [alert(now_ms=start_ms + 20_000)] if now_ms() > start_ms + 20_000 else []
            api.put(
                site_row(now_ms=now_ms(), alerts=firing),
                queue_row(now_ms=now_ms(), entered_ms=entered),
                queue_row("billing", now_ms=now_ms()),
            )
            await asyncio.sleep(1)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_demonstrate())
