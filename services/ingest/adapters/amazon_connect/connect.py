"""Keeps one source connected to its queue, its stream, or both: what comes by webhook is `receiver.py`'s.

What was told before is read back first: who left and is still to be decided, how agents stood.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.adapters.amazon_connect import checkpoint
from services.ingest.adapters.amazon_connect.aws import client, need_library
from services.ingest.adapters.amazon_connect.kinesis import Stream
from services.ingest.adapters.amazon_connect.pace import Pace
from services.ingest.adapters.amazon_connect.sqs import Queue
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.handover import hand_over
from services.ingest.line import Patience, keep, until_stopped
from services.ingest.marks import Mark
from services.ingest.tools import Tools


def pulls(source: SourceConfig) -> bool:
    """Whether we go to Amazon; else it only comes to us."""
    return source.queue_url is not None or source.stream is not None


async def run(
    source: SourceConfig, tools: Tools, *, pace: Pace | None = None, patience: Patience | None = None
) -> None:
    """Reads until told to stop. Raises `Misconfigured` when the library for it is not installed."""
    try:
        need_library(source)
    except Misconfigured as error:
        tools.report.lost(error.faults[0], is_refused=True)
        raise
    await until_stopped(
        _Reading(source, tools, pace=pace or Pace(), patience=patience or Patience()).work(),
        report=tools.report,
        stop=tools.stop,
    )


class _Reading:
    """The translator and the progress of a source; they outlive its connections."""

    def __init__(self, source: SourceConfig, tools: Tools, *, pace: Pace, patience: Patience) -> None:
        self._source = source
        self._tools = tools
        self._pace = pace
        self._patience = patience
        self._translator = Translator(source, tools.pseudonyms, is_stream=source.stream is not None)
        self._mark = Mark(tools.folder, source.id)
        self._progress = checkpoint.progress_of(self._mark.read(), source, now_ms=tools.clock())
        self._stream: Stream | None = None
        self._down = 0

    async def work(self) -> None:
        await self._tools.recall(self._translator.recall)
        self._translator.go_on(self._tools.clock())
        legs = [
            *([self._read_queue] if self._source.queue_url is not None else []),
            *([self._read_stream] if self._source.stream is not None else []),
        ]
        self._down = len(legs)
        async with asyncio.TaskGroup() as tasks:
            for leg in legs:
                tasks.create_task(keep(leg, report=self._tools.report, patience=self._patience))
            tasks.create_task(self._look_at_the_clock())

    async def _read_queue(self) -> None:
        """One connection. Ends by raising `Lost`."""
        async with client("sqs", self._source) as opened:
            queue = Queue(opened, self._source, self._tools, translator=self._translator, pace=self._pace)
            await queue.check()
            with self._up():
                if self._tools.is_trial:  # to receive a message is to hide it, and to count that it was
                    await asyncio.Event().wait()
                await queue.run()

    async def _read_stream(self) -> None:
        """One connection. Ends by raising `Lost`."""
        async with client("kinesis", self._source) as opened:
            stream = Stream(
                opened,
                self._tools,
                translator=self._translator,
                progress=self._progress,
                mark=self._mark,
                pace=self._pace,
                patience=self._patience,
            )
            await stream.check()
            self._stream = stream
            try:
                with self._up():
                    await stream.run()
            finally:
                self._stream = None

    @contextlib.contextmanager
    def _up(self) -> Iterator[None]:
        """The source is whole when queue and stream both are; each is lost, and found again, for itself."""
        self._down -= 1
        if self._down == 0:
            self._tools.report.up()
        try:
            yield
        finally:
            self._down += 1

    async def _look_at_the_clock(self) -> None:
        """Hands on what falls due; of agents only while nothing of them can be under way."""
        translator, tools = self._translator, self._tools
        while True:
            await asyncio.sleep(self._pace.look_s)
            due_ms, now_ms = translator.next_due_ms(), tools.clock()
            if due_ms is not None and due_ms <= now_ms:
                due = translator.due(now_ms, with_agents=self._is_all_heard())
                await hand_over(due, put=tools.put, report=tools.report, clock=tools.clock)

    def _is_all_heard(self) -> bool:
        """Whether nothing of agents can be under way."""
        if self._source.stream is None:
            return True
        return self._stream is not None and self._stream.is_read_to_its_end()
