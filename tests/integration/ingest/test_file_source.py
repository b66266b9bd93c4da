"""A history read from a real file: once, again when it has become another, and whatever happens to it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from schemas.board import DeadLetter
from schemas.config import SourceConfig
from schemas.errors import Unavailable
from schemas.events import QueueEntered
from services.ingest.adapters.file.connect import run
from services.ingest.publisher import Message, Put
from tests.doubles.running_source import Running, until

HEADER = "what,at,ref,where\n"


def row(number: int) -> str:
    return f"queue.entered,{1_795_341_600 + number},c{number},support\n"


def source(file: Path) -> SourceConfig:
    columns = {"type": "what", "time": "at", "contact": "ref", "queue": "where"}
    return SourceConfig(id="old", kind="file", site="paris", file=str(file), columns=columns)


def start(file: Path, folder: Path, *, send: Put | None = None) -> Running:
    return Running(source(file), partial(run, look_s=0.02), folder=folder, send=send)


async def test_a_file_is_read_once_and_not_again_by_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text(HEADER + "".join(map(row, range(1200))))
    async with start(file, tmp_path / "marks").ending() as first:
        await until(first.is_up)
        assert len(first.heard.of(QueueEntered)) == 1200
    async with start(file, tmp_path / "marks").ending() as second:
        await until(second.is_up)
        assert second.heard.events == []


async def test_what_is_added_is_read_with_the_same_ids_for_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text(HEADER + row(1))
    async with start(file, tmp_path / "marks").ending() as it:
        await until(lambda: len(it.heard.events) == 1)
        with file.open("a") as more:
            more.write(row(2))
        await until(lambda: len(it.heard.events) == 3)

    assert [event.id for event in it.heard.events][1:] == [
        it.heard.events[0].id,
        "c2/queue.entered/1795341602000",
    ]


async def test_a_file_that_is_not_there_is_said_once_and_read_once_it_is(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    with capture_logs() as logs:
        async with start(file, tmp_path / "marks").ending() as it:
            await until(lambda: it.report.status("i").reason is not None)
            assert str(file) in str(it.report.status("i").reason)
            await asyncio.sleep(0.1)
            file.write_text(HEADER + row(1))
            await until(it.is_up)

    assert [entry["event"] for entry in logs if entry["event"].startswith("source")] == [
        "source_lost",
        "source_connected",
    ]


async def test_a_crash_before_the_end_reads_all_of_it_again(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text(HEADER + "".join(map(row, range(1200))))
    sent: list[Message] = []

    async def takes_one_chunk(messages: Sequence[Message]) -> None:
        if sent:
            raise Unavailable("the log does not answer")
        sent.extend(messages)

    it = start(file, tmp_path / "marks", send=takes_one_chunk)
    await until(lambda: sent)
    it.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await it.task
    async with start(file, tmp_path / "marks").ending() as again:
        await until(again.is_up)

    ids = [event.id for event in again.heard.events]
    assert len(sent) == 500
    assert [message.id for message in sent if not isinstance(message, DeadLetter)] == ids[:500]  # type: ignore[union-attr]
    assert len(ids) == 1200
