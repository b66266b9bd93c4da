"""Reads a history from a file once, whole, and again when the file has become another.

How far it has come is remembered only once all of it is in the log: a start after a crash begins at the
beginning, and ids make that harmless.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import structlog

from schemas.config import SourceConfig
from services.ingest.adapters.file.translate import lines_of, translate
from services.ingest.handover import messages_of, store
from services.ingest.line import until_stopped
from services.ingest.marks import Mark
from services.ingest.tools import Tools
from services.ingest.translated import Translated

LOOK_S = 2.0
READ_BYTES = 1 << 20
TOLD_EVERY = 50_000

log = structlog.get_logger()


async def run(source: SourceConfig, tools: Tools, *, look_s: float = LOOK_S) -> None:
    """Reads the file as often as it changes, until told to stop."""
    await until_stopped(_work(source, tools, look_s), report=tools.report, stop=tools.stop)


async def _work(source: SourceConfig, tools: Tools, look_s: float) -> None:
    path = Path(source.file or "")
    mark = Mark(tools.folder, source.id)
    while True:
        try:
            found = _fingerprint(path)
            if found != mark.read():
                await _read(path, source, tools)
                mark.write(found)
            tools.report.up()
        except OSError as error:
            tools.report.lost(f"{path}: {error.strerror or error}")
        await asyncio.sleep(look_s)


def _fingerprint(path: Path) -> str:
    """Another file under this name, or more in it, has another."""
    found = path.stat()
    return json.dumps([found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns])


async def _read(path: Path, source: SourceConfig, tools: Tools) -> None:
    log.info("file_reading", source=source.id, file=str(path))
    told = await asyncio.to_thread(_translated, path, source, tools)
    fault, told.fault = told.fault, None
    messages = messages_of(told, report=tools.report, now_ms=tools.clock())
    tools.report.fault(fault)
    for start in range(0, len(messages), TOLD_EVERY):
        if start:
            log.info("file_progress", source=source.id, sent=start, of=len(messages))
        await store(messages[start : start + TOLD_EVERY], send=tools.send, report=tools.report)
    log.info("file_read", source=source.id, events=len(told.events), refused=len(told.spoiled))


def _translated(path: Path, source: SourceConfig, tools: Tools) -> Translated:
    with path.open("rb") as file:
        return translate(lines_of(_chunks(file.fileno())), source, tools.pseudonyms, now_ms=tools.clock())


def _chunks(number: int) -> Iterator[bytes]:
    while chunk := os.read(number, READ_BYTES):
        yield chunk
