"""What becomes of a person's command: answered, on its way, or not saved. INTERFACE.md §5."""

import asyncio

import pytest
from msgspec.structs import replace

from schemas.board import Alert
from schemas.errors import Unavailable
from schemas.events import AlertCommand
from schemas.vocabulary import AlertState
from services.api.commands import Commands
from tests.doubles.command_log import MemoryCommandLog, Worker
from tests.unit.api.rows import NOW, alert

PATIENCE_S = 60


def accepts(command: AlertCommand) -> Alert:
    return replace(alert(), state=AlertState.ACKNOWLEDGED, command=command.command, accepted=True)


def bench(
    worker: Worker = lambda command: None, *, answer_s: float = PATIENCE_S
) -> tuple[Commands, MemoryCommandLog]:
    log = MemoryCommandLog(worker)
    commands = Commands(log, clock=lambda: NOW, answer_s=answer_s)
    log.answered = commands.answered
    return commands, log


async def acknowledge(commands: Commands) -> Alert | None:
    async with asyncio.timeout(PATIENCE_S):
        return await commands.acknowledge(alert(), by="Léa", note=None)


async def test_the_answer_of_the_worker_is_handed_over() -> None:
    commands, _ = bench(accepts)
    answer = await acknowledge(commands)
    assert answer is not None
    assert answer.accepted


async def test_a_worker_that_takes_long_means_on_its_way() -> None:
    commands, log = bench(answer_s=0.01)
    assert await acknowledge(commands) is None
    assert len(log.written) == 1


async def test_a_log_that_takes_long_means_on_its_way_and_the_command_is_written_all_the_same() -> None:
    commands, log = bench(answer_s=0.01)
    log.is_quick.clear()
    assert await acknowledge(commands) is None
    assert log.written == []
    log.is_quick.set()
    await all_written(commands)
    assert [command.by for command in log.written] == ["Léa"]


async def test_a_log_that_fails_in_time_is_told() -> None:
    commands, log = bench()
    log.is_there = False
    with pytest.raises(Unavailable):
        await acknowledge(commands)


async def test_a_log_that_fails_when_nobody_listens_any_more_hurts_nobody() -> None:
    commands, log = bench(answer_s=0.01)
    log.is_there = False
    log.is_quick.clear()
    assert await acknowledge(commands) is None
    log.is_quick.set()
    await all_written(commands)
    assert log.written == []


async def test_an_answer_counts_though_the_log_has_not_said_that_it_has_the_command() -> None:
    commands, log = bench()
    log.is_quick.clear()
    asked = asyncio.ensure_future(acknowledge(commands))
    await asyncio.sleep(0)
    [command] = commands._waiting
    taken = replace(alert(), command=command, accepted=True)
    commands.answered(taken)
    assert await asked == taken


async def all_written(commands: Commands) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait(set(commands._writing))
