"""A source that runs, and what can be seen of it: what it hands over, its metrics, its status."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.board import DeadLetter
from schemas.config import SourceConfig, SourceKind
from schemas.events import SourceEvent
from schemas.sources import SourceStatus
from services.ingest.metrics import Metrics
from services.ingest.past import Past
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Message, Put
from services.ingest.report import Report
from services.ingest.tools import Tools
from services.runtime.clock import now_ms
from services.runtime.kafka import Kafka

PSEUDONYMS = Pseudonyms(b"a key of the tests, 32 bytes long")

Work = Callable[[SourceConfig, Tools], Coroutine[Any, Any, None]]


async def until(condition: Callable[[], object]) -> None:
    """Waits until that holds; the test's own time limit ends it when it never does."""
    while not condition():  # noqa: ASYNC110 - what is waited for is a file's, a metric's or a list's state
        await asyncio.sleep(0.005)


class Heard:
    """What a source handed over; `open` not set: the buffer is full."""

    def __init__(self) -> None:
        self.messages: list[SourceEvent | DeadLetter] = []
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, messages: Sequence[Message]) -> None:
        self.calls += 1
        await self.open.wait()
        self.messages += [message for message in messages if not isinstance(message, SourceStatus)]

    @property
    def events(self) -> list[SourceEvent]:
        return [each for each in self.messages if not isinstance(each, DeadLetter)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [each for each in self.messages if isinstance(each, DeadLetter)]

    def of(self, *kinds: type) -> list[SourceEvent]:
        return [each for each in self.events if isinstance(each, kinds)]


class Running:
    """The source of `config` at its work, until it is told to stop (`ending`)."""

    def __init__(
        self,
        config: SourceConfig,
        work: Work,
        *,
        secret: str = "s3cret",
        past: Past | None = None,
        folder: Path | None = None,
        kafka: Kafka | None = None,
        send: Put | None = None,
        peers: frozenset[SourceKind] = frozenset(),
    ) -> None:
        """`send` left out: what is sent is heard like what is put."""
        self.heard = Heard()
        self.metrics = Metrics(CollectorRegistry(), sources=[config.id])
        self.stop = asyncio.Event()
        self.config = config
        self.report = Report(config, metrics=self.metrics, clock=now_ms)
        self.tools = Tools(
            put=self.heard.put,
            send=send or self.heard.put,
            pseudonyms=PSEUDONYMS,
            report=self.report,
            stop=self.stop,
            secret=secret,
            past=past,
            folder=folder,
            kafka=kafka,
            peers=peers,
        )
        self.task = asyncio.create_task(work(config, self.tools))

    def is_up(self) -> bool:
        return self.value("vigie_source_up") == 1

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(name, {"source": self.config.id, **labels})
        assert found is not None
        return found

    @asynccontextmanager
    async def ending(self) -> AsyncIterator["Running"]:
        """Told to stop at the end, and waited for."""
        try:
            yield self
        finally:
            self.heard.open.set()
            self.stop.set()
            await self.task
