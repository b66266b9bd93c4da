"""One Asterisk heard twice, by its manager and by its queue_log, through the real Kafka: each contact once.

The run that was recorded happens again, now: a manager plays its frames while its queue_log is written.
Ingest is killed in the middle and started again.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas import codec
from schemas.events import AgentAccepted, AgentStateChanged, ContactEvent, QueueEntered, SourceEvent
from schemas.topics import EVENTS
from schemas.vocabulary import Outcome, WindowName
from services.ingest.adapters.asterisk_ami import recording as ami
from services.runtime.clock import now_ms
from tests.contract.test_queue_log_capture import by_ami, config, logged, visits
from tests.data import asterisk
from tests.doubles import ami_frames
from tests.doubles.ami_server import AmiServer
from tests.doubles.queue_log_file import QueueLogFile
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.served import free_port
from tests.doubles.started import PATIENCE_S, Started
from tests.integration.test_ingest_log import records
from tests.unit.aggregator.core.folding import fold, rows

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SITE = "paris-twice"
SECRET = "s3cret"
LAST_S = 1_795_321_818
"""The second in which the run ends."""
CUT_S = 1_795_321_500
"""Ingest is killed there: callers wait, agents talk."""


@pytest.fixture
async def manager() -> AsyncIterator[AmiServer]:
    shift_s = now_ms() // 1000 - LAST_S - 1
    async with AmiServer(secret=SECRET, clock_us=now_ms() * 1000) as manager:
        manager.shift_s = shift_s
        yield manager


def ingest(folder: Path, *, kafka: str, port: int) -> Started:
    wraps = ", ".join(f"{queue} = {wrap_s:g}" for queue, wrap_s in asterisk.WRAP_UP_S.items())
    file = folder / "vigie.toml"
    file.write_text(
        f'[http]\ningest = "127.0.0.1:{free_port()}"\n[[sites]]\nid = "{SITE}"\n'
        f'[[sources]]\nid = "pbx1"\nkind = "asterisk_ami"\nsite = "{SITE}"\nport = {port}\n'
        f'user = "wallboard"\nsecret_env = "PBX_SECRET"\nwrap_up_s = {{ {wraps} }}\n'
        f'[[sources]]\nid = "log"\nkind = "asterisk_queue_log"\nsite = "{SITE}"\n'
        f'file = "{folder / "queue_log"}"\nwrap_up_s = {{ {wraps} }}\n'
    )
    options = ["--config", str(file), "--data", str(folder / "data"), "--kafka", kafka]
    return Started(
        [sys.executable, "-m", "services.ingest", *options],
        env={"VIGIE_PSEUDONYM_KEY": "k" * 16, "PBX_SECRET": SECRET},
    )


def frames() -> tuple[bytes, bytes]:
    """The recorded frames before and after the cut."""
    data = asterisk.capture()
    place = data.rfind(b"\r\n\r\n", 0, data.index(f"Timestamp: {CUT_S}.".encode())) + 4
    return data[:place], data[place:]


def lines(shift_s: int) -> tuple[list[bytes], list[bytes]]:
    """The lines before and after the cut, moved."""
    both: tuple[list[bytes], list[bytes]] = ([], [])
    for raw in asterisk.QUEUE_LOG.read_bytes().splitlines():
        epoch, rest = raw.split(b"|", 1)
        both[int(epoch) >= CUT_S].append(b"%d|%s" % (int(epoch) + shift_s, rest))
    return both


def wanted(data: bytes) -> set[str]:
    """The contact facts that AMI tells of these frames: their ids do not depend on when they come."""
    recording = ami.read([data], ami_frames.source(id="pbx1", wrap_up_s=asterisk.WRAP_UP_S), PSEUDONYMS)
    kinds = (QueueEntered, AgentAccepted)
    return {event.id for event in recording.events if isinstance(event, kinds)}


async def told(kafka: str) -> list[SourceEvent]:
    found = await records(kafka, EVENTS.name)
    events = [codec.decode_event(record.value) for batch in found.values() for record in batch]
    return [event for event in events if event.site == SITE]  # type: ignore[misc] # of a source


async def until_told(kafka: str, *, pbx1: set[str], log: set[str]) -> list[SourceEvent]:
    """Once the log has these ids of both sources; raises `AssertionError` with those that do not come."""
    missing = {"pbx1": pbx1, "log": log}
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                events = await told(kafka)
                ids = {name: {e.id for e in events if e.source == name} for name in ("pbx1", "log")}
                missing = {"pbx1": pbx1 - ids["pbx1"], "log": log - ids["log"]}
                if not any(missing.values()):
                    return events
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"never told: {missing}") from None


async def test_each_contact_is_counted_once(manager: AmiServer, broker: str, tmp_path: Path) -> None:
    (before, after), (lines_before, lines_after) = frames(), lines(manager.shift_s)
    log = QueueLogFile(tmp_path / "queue_log")
    with ingest(tmp_path, kafka=broker, port=manager.port) as started:
        async with asyncio.timeout(PATIENCE_S):
            await manager.until_connected(1)
        log.write(*lines_before)
        await manager.play(before)
        await until_told(broker, pbx1=wanted(before), log=wanted(before))
        os.kill(started.process.pid, signal.SIGKILL)
        await asyncio.to_thread(started.wait_for_end)
        async with asyncio.timeout(PATIENCE_S):
            await manager.until_connected(0)  # else the dead one is taken for the next
    log.rotate()
    log.write(*lines_after[:50])
    with ingest(tmp_path, kafka=broker, port=manager.port) as again:
        async with asyncio.timeout(PATIENCE_S):
            await manager.until_connected(1)
        await manager.play(after)
        log.write(*lines_after[50:])
        whole = wanted(asterisk.capture())
        await until_told(broker, pbx1=whole, log=whole)
        await until_over(broker)
        events = await told(broker)
        again.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(again.wait_for_end) == 0
    log.close()

    assert_once(events, manager.shift_s)


async def until_over(kafka: str) -> None:
    """Until each source has told the end of all that it told the beginning of."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            events = await told(kafka)
            for source in ("pbx1", "log"):
                own = [event for event in events if event.source == source]
                if any(visit.outcome is None for visit in visits(own).values()):
                    break
            else:
                return
            await asyncio.sleep(0.2)


def assert_once(events: list[SourceEvent], shift_s: int) -> None:
    heard = [
        msgspec.structs.replace(event, site="paris", received_ms=event.occurred_ms)
        for event in events
        if isinstance(event, ContactEvent | AgentStateChanged)
    ]
    now = max(event.occurred_ms for event in heard) + 1_000
    queues, _ = rows(fold(heard, config(), now), now)
    for queue in ("support", "sales"):
        window, own = queues["paris", queue].windows[WindowName.M15], asterisk.own_counters()[queue]
        assert (window.offered, window.answered) == (asterisk.OFFERED[queue], own.answered)
        assert window.abandoned + window.left.get(Outcome.TIMEOUT, 0) == own.abandoned
        assert queues["paris", queue].waiting == 0

    together, by_frames = visits(heard), visits(by_ami())
    outcomes = {(each.callid, each.queue): each.outcome for each in logged()}
    assert {visit.key: str(visit.outcome) for visit in together.values()} == {
        visit.key: outcomes[visit.key[0], visit.queue] for visit in by_frames.values()
    }
    assert {key: visit.wait_ms for key, visit in together.items()} == {
        key: visit.wait_ms for key, visit in by_frames.items()
    }
    assert {visit.entered_ms - shift_s * 1000 for visit in together.values()} == {
        visit.entered_ms for visit in by_frames.values()
    }
    assert {event.source for event in heard if isinstance(event, AgentStateChanged)} == {"pbx1"}
