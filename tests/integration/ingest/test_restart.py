"""Ingest is killed while callers wait and an agent talks: started again, it tells what it would have told."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from schemas import codec
from schemas.board import QueueRow, SiteRow
from schemas.config import Config, SiteConfig
from schemas.events import (
    AgentStateChanged,
    AnyEvent,
    ContactEnded,
    QueueLeft,
    SourceEvent,
    SourceHeartbeat,
    WrapEnd,
)
from schemas.topics import EVENTS
from schemas.vocabulary import Outcome, WindowName
from tests.doubles.ami_frames import START_MS, frame, member, member_row
from tests.doubles.ami_server import AmiServer
from tests.doubles.served import free_port
from tests.doubles.started import PATIENCE_S, Started
from tests.integration.test_ingest_log import records
from tests.unit.aggregator.core.folding import fold, rows

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SECRET = "s3cret"
KILLED, WHOLE = "restart-killed", "restart-whole"
"""Two sites that hear the same Asterisk, each by an ingest of its own."""


@pytest.fixture
async def manager() -> AsyncIterator[AmiServer]:
    async with AmiServer(secret=SECRET, clock_us=START_MS * 1000) as manager:
        for agent in ("Alice", "Bruno"):
            manager.know_member(member_row(agent))
        yield manager


def ingest(folder: Path, site: str, *, kafka: str, port: int) -> Started:
    file = folder / f"{site}.toml"
    file.write_text(
        f'[http]\ningest = "127.0.0.1:{free_port()}"\n[[sites]]\nid = "{site}"\n'
        f'[[sources]]\nid = "pbx1"\nkind = "asterisk_ami"\nsite = "{site}"\nport = {port}\n'
        'user = "wallboard"\nsecret_env = "PBX_SECRET"\nwrap_up_s = 3\n'
    )
    options = ["--config", str(file), "--data", str(folder / site), "--kafka", kafka]
    return Started(
        [sys.executable, "-m", "services.ingest", *options],
        env={"VIGIE_PSEUDONYM_KEY": "k" * 16, "PBX_SECRET": SECRET},
    )


async def told(kafka: str, site: str) -> list[SourceEvent]:
    """What the log has of the site, in its order."""
    found = await records(kafka, EVENTS.name)
    events = [codec.decode_event(record.value) for batch in found.values() for record in batch]
    return [event for event in events if event.source == "pbx1" and event.site == site]  # type: ignore[misc] # of a source


async def until_told(
    kafka: str, site: str, is_enough: Callable[[list[SourceEvent]], bool]
) -> list[SourceEvent]:
    async with asyncio.timeout(PATIENCE_S):
        while not is_enough(events := await told(kafka, site)):  # noqa: ASYNC110 - the log does not call
            await asyncio.sleep(0.2)
    return events


def has(*ids: str) -> Callable[[list[SourceEvent]], bool]:
    return lambda events: set(ids) <= {event.id for event in events}


async def say(manager: AmiServer, event: str, at_s: float, call: str, **more: object) -> None:
    headers = {"Uniqueid": call, "Linkedid": call, "Queue": "support", "CallerIDNum": "+33102030405"}
    await manager.event(frame(event, at_s, **{**headers, **more}))


async def connect(manager: AmiServer, at_s: float, call: str, agent: str) -> None:
    await say(manager, "QueueCallerLeave", at_s, call)
    await say(manager, "AgentConnect", at_s, call, **member(agent), HoldTime=5, RingTime=2)


async def complete(manager: AmiServer, at_s: float, call: str, agent: str) -> None:
    headers = {**member(agent), "HoldTime": 5, "TalkTime": 10, "Reason": "caller"}
    await say(manager, "AgentComplete", at_s, call, **headers)
    await say(manager, "Hangup", at_s, call)


async def before(manager: AmiServer) -> None:
    """2.1 is in its second visit, 1.1 waits, 3.1 talks to Alice."""
    await say(manager, "QueueCallerJoin", 1, "2.1")
    await say(manager, "QueueCallerLeave", 5, "2.1")
    await say(manager, "QueueCallerJoin", 6.5, "2.1")
    await say(manager, "QueueCallerJoin", 7, "1.1")
    await say(manager, "QueueCallerJoin", 8, "3.1")
    await connect(manager, 9, "3.1", "Alice")


async def meanwhile(manager: AmiServer) -> None:
    """1.1 gives up."""
    await say(manager, "QueueCallerAbandon", 20, "1.1", HoldTime=13)
    await say(manager, "QueueCallerLeave", 20, "1.1")
    await say(manager, "Hangup", 20.001, "1.1")


async def after(manager: AmiServer) -> None:
    """2.1 is answered by Bruno, and all ends."""
    await connect(manager, 40, "2.1", "Bruno")
    await complete(manager, 50, "3.1", "Alice")
    await complete(manager, 55, "2.1", "Bruno")
    await say(manager, "Newexten", 70, "4.1")  # nobody's matter; the clock goes on


LAST = ("2.1/support/2/wrap_end", "3.1/support/1/wrap_end")


async def test_killed_while_callers_wait_it_tells_what_an_uninterrupted_one_tells(
    manager: AmiServer, broker: str, tmp_path: Path
) -> None:
    killed = ingest(tmp_path, KILLED, kafka=broker, port=manager.port)
    whole = ingest(tmp_path, WHOLE, kafka=broker, port=manager.port)
    with killed, whole:
        for each in (killed, whole):
            await asyncio.to_thread(each.wait_for, "source_connected")
        await before(manager)
        await until_told(broker, KILLED, has("3.1/support/1/accepted"))
        os.kill(killed.process.pid, signal.SIGKILL)
        await asyncio.to_thread(killed.wait_for_end)
        async with asyncio.timeout(PATIENCE_S):
            await manager.until_connected(1)
        await meanwhile(manager)
        with ingest(tmp_path, KILLED, kafka=broker, port=manager.port) as again:
            await asyncio.to_thread(again.wait_for, "source_connected")
            await until_told(broker, KILLED, has("1.1/support/1/left/unknown"))
            await after(manager)
            interrupted = await until_told(broker, KILLED, has(*LAST))
            uninterrupted = await until_told(broker, WHOLE, has(*LAST))

    assert [" sources=pbx1 " in line for line in again.lines if " past_read " in line] == [True]
    assert_same_facts(interrupted, uninterrupted)
    assert_same_figures(interrupted, uninterrupted)


def facts(events: list[SourceEvent]) -> dict[str, SourceEvent]:
    """What was told of contacts, but of when and by whom it was heard."""
    kinds = (SourceHeartbeat, AgentStateChanged)
    return {
        event.id: msgspec.structs.replace(event, site="", received_ms=0)
        for event in reversed(events)
        if not isinstance(event, kinds)
    }


def assert_same_facts(interrupted: list[SourceEvent], uninterrupted: list[SourceEvent]) -> None:
    """But of who left unseen: nobody knows how, nor when the call was over."""
    mine, theirs = facts(interrupted), facts(uninterrupted)
    unknown = mine.pop("1.1/support/1/left/unknown")
    abandoned, ended = theirs.pop("1.1/support/1/left/abandoned"), theirs.pop("1.1/ended")

    assert isinstance(unknown, QueueLeft)
    assert (unknown.outcome, unknown.inferred) == (Outcome.UNKNOWN, True)
    assert unknown.occurred_ms >= abandoned.occurred_ms
    assert isinstance(ended, ContactEnded)
    assert mine == theirs
    assert sum(isinstance(fact, WrapEnd) for fact in mine.values()) == 2


def assert_same_figures(interrupted: list[SourceEvent], uninterrupted: list[SourceEvent]) -> None:
    """Past the limit of everybody's wait: nobody waits, nothing fires."""
    mine, my_site = figures(interrupted, KILLED)
    theirs, their_site = figures(uninterrupted, WHOLE)

    assert (my_site.alerts, mine.waiting) == ([], 0)
    assert (their_site.alerts, theirs.waiting) == ([], 0)
    assert mine.agents == theirs.agents
    window, wanted = mine.windows[WindowName.M15], theirs.windows[WindowName.M15]
    assert (window.offered, window.answered, window.asa_s, window.aht_s) == (
        wanted.offered,
        wanted.answered,
        wanted.asa_s,
        wanted.aht_s,
    )
    assert (wanted.offered, wanted.abandoned, +Counter(wanted.left)) == (4, 1, {Outcome.KEY: 1})
    assert (window.abandoned, +Counter(window.left)) == (0, {Outcome.KEY: 1, Outcome.UNKNOWN: 1})


def figures(events: list[SourceEvent], site: str) -> tuple[QueueRow, SiteRow]:
    """As a worker counts that reads all of it 190 s after the first one joined."""
    now_ms = START_MS + 190_000
    config = Config(sites=[SiteConfig(id=site)], from_file=True)
    heard: list[AnyEvent] = [msgspec.structs.replace(e, received_ms=e.occurred_ms) for e in events]
    queues, sites = rows(fold(heard, config, now_ms), now_ms)
    return queues[site, "support"], sites[site]
