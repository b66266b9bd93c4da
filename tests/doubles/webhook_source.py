"""Ingest's HTTP with one source that sends webhooks, around a log in memory: adapters are served by it."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry

from schemas.config import SourceConfig
from services.ingest.admission import Admission
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.ingest.past import Past
from services.ingest.receiving import Receiver
from services.ingest.report import Report
from services.ingest.tools import Tools
from services.ingest.webhooks import Hook, path_of
from services.runtime.clock import now_ms
from services.runtime.process import serve
from tests.doubles.event_log import MemoryLog
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.served import free_port


class WebhookSource:
    """`make`: the adapter's own factory. `clock` gives epoch milliseconds."""

    def __init__(
        self,
        source: SourceConfig,
        make: Callable[[SourceConfig, Tools], Receiver],
        *,
        secret: str = "",
        previous_secret: str = "",
        past: Past | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.log = MemoryLog()
        self.metrics = Metrics(CollectorRegistry(), sources=[source.id])
        self.report = Report(source, metrics=self.metrics, clock=clock, is_webhook=True)
        self.source = source
        self.path = path_of(source)
        self._stop = asyncio.Event()
        tools = Tools(
            put=self.log.send,
            send=self.log.send,
            pseudonyms=PSEUDONYMS,
            report=self.report,
            stop=self._stop,
            secret=secret,
            previous_secret=previous_secret,
            past=past,
            clock=clock,
        )
        self._hook = Hook(source, make(source, tools), tools)
        self._address = f"127.0.0.1:{free_port()}"
        self.app = create_app(
            publisher=self.log,
            door=Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset())),
            metrics=self.metrics,
            clock=clock,
            webhooks={source.id: self._hook.endpoint(publisher=self.log, metrics=self.metrics)},
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["WebhookSource"]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(self.app, self._address, self._stop))
            attending = tasks.create_task(self._hook.attend())
            await asyncio.sleep(0)
            try:
                async with aiohttp.ClientSession(f"http://{self._address}") as self.http:
                    yield self
            finally:
                self._stop.set()
                attending.cancel()

    async def post(
        self, content: bytes, headers: Mapping[str, str] | None = None, *, query: str = "", path: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer."""
        url = (path or self.path) + (f"?{query}" if query else "")
        async with self.http.post(url, data=io.BytesIO(content), headers=headers) as answer:
            return answer.status, await answer.json()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"source": self.source.id, **labels})
