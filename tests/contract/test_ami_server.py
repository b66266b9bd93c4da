"""The double of Asterisk's manager answers as the recorded one does, frame form and order alike."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader, action
from services.ingest.adapters.asterisk_ami.wire import event_of, instant_us
from tests.data import asterisk
from tests.doubles.ami_frames import START_MS, frame, member, member_row
from tests.doubles.ami_server import NONCE, AmiServer


class Manager:
    """A client that knows nothing but the wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames: list[Frame] = []
        self.frames = FrameReader()

    async def ask(self, name: str, **fields: str) -> Frame:
        self._writer.write(action(name, {"ActionID": "1", **fields}))
        return await self.next()

    async def next(self) -> Frame:
        while not self._frames:
            data = await self._reader.read(65_536)
            assert data, "closed"
            self._frames = self.frames.feed(data)
        return self._frames.pop(0)

    async def hears(self) -> bool:
        """Whether another whole frame comes before the connection ends."""
        try:
            await self.next()
        except (AssertionError, OSError):
            return False
        return True

    async def is_closed(self) -> bool:
        return await self._reader.read(1) == b""

    async def log_in(self) -> None:
        assert (await self.ask("Login", Username="wallboard", Secret="s3cret")).get("Response") == "Success"

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def server() -> AsyncIterator[AmiServer]:
    async with AmiServer(clock_us=1_795_321_195_437_000) as server:
        yield server


@pytest.fixture
async def manager(server: AmiServer) -> AsyncIterator[Manager]:
    manager = Manager(*await asyncio.open_connection("127.0.0.1", server.port))
    yield manager
    manager.close()


def recorded(response_or_event: str) -> list[Frame]:
    return [
        each
        for each in FrameReader().feed(asterisk.capture())
        if response_or_event in (each.get("Response"), event_of(each))
    ]


def keys(frame: Frame) -> list[str]:
    return [line.partition(":")[0] for line in frame.raw.split("\n")]


async def test_it_greets_and_lets_in_as_recorded(manager: Manager) -> None:
    answer = await manager.ask("Login", Username="wallboard", Secret="s3cret")
    booted = await manager.next()

    assert manager.frames.banner == "Asterisk Call Manager/11.0.0"
    assert answer.get("Message") == recorded("Success")[0].get("Message")
    assert keys(booted) == keys(recorded("FullyBooted")[0])


async def test_it_lets_in_by_md5_challenge(manager: Manager) -> None:
    challenge = await manager.ask("Challenge", AuthType="MD5")
    key = hashlib.md5((challenge.get("Challenge") + "s3cret").encode(), usedforsecurity=False).hexdigest()
    answer = await manager.ask("Login", AuthType="MD5", Username="wallboard", Key=key)

    assert challenge.get("Challenge") == NONCE
    assert answer.get("Response") == "Success"


async def test_it_refuses_a_wrong_secret_and_hangs_up(server: AmiServer, manager: Manager) -> None:
    answer = await manager.ask("Login", Username="wallboard", Secret="no")

    assert (answer.get("Response"), answer.get("Message")) == ("Error", "Authentication failed")
    assert await manager.is_closed()
    assert (server.logins, server.refused) == (0, 1)


async def test_it_says_nothing_of_queues_before_login(manager: Manager) -> None:
    assert (await manager.ask("QueueStatus")).get("Response") == "Error"


async def test_its_snapshot_has_the_form_of_the_recorded_one(server: AmiServer, manager: Manager) -> None:
    server.know_member(member_row("Alice"))
    await manager.log_in()
    await manager.next()
    answer = await manager.ask("QueueStatus")
    rows = [await manager.next() for _ in range(3)]

    assert keys(answer) == keys(recorded("Success")[1])
    assert [event_of(row) for row in rows] == ["QueueParams", "QueueMember", "QueueStatusComplete"]
    assert set(keys(rows[1])) <= set(keys(recorded("QueueMember")[0]))
    assert keys(rows[2]) == keys(recorded("QueueStatusComplete")[0])


async def test_its_snapshot_is_true_at_the_moment(server: AmiServer, manager: Manager) -> None:
    await manager.log_in()
    await manager.next()
    await server.event(frame("QueueCallerJoin", 1, Uniqueid="1.1", Queue="support", CallerIDNum="100"))
    await server.event(frame("QueueCallerJoin", 2, Uniqueid="2.1", Queue="support"))
    await server.event(frame("QueueMemberPause", 3, **member("Alice", Paused=1)))
    await server.event(frame("QueueCallerLeave", 41.5, Uniqueid="2.1", Queue="support"))
    played = [event_of(await manager.next()) for _ in range(4)]
    await manager.ask("QueueStatus")
    _, alice, entry, complete = [await manager.next() for _ in range(4)]

    assert played == ["QueueCallerJoin", "QueueCallerJoin", "QueueMemberPause", "QueueCallerLeave"]
    assert (alice.get("Name"), alice.get("Paused")) == ("Alice", "1")
    assert (entry.get("Uniqueid"), entry.get("Wait")) == ("1.1", "40")
    assert event_of(complete) == "QueueStatusComplete"


async def test_it_plays_the_capture_byte_for_byte_but_for_answers(
    server: AmiServer, manager: Manager
) -> None:
    start = asterisk.capture()[:200_000]
    events = [
        each.raw
        for each in FrameReader().feed(start)
        if event_of(each) and not event_of(each).startswith(("FullyBooted", "QueueParams", "QueueStatus"))
    ]
    events = [raw for raw in events if not raw.startswith("Event: QueueMember\n")]
    await manager.log_in()
    await manager.next()
    playing = asyncio.create_task(server.play(start))
    heard = [(await manager.next()).raw for _ in events]
    await playing

    assert heard == events


async def test_it_plays_it_at_another_time(server: AmiServer, manager: Manager) -> None:
    """Every instant moves alike; what never was stays 0, and names of channels stay what they are."""
    server.shift_s = 86_400
    await manager.log_in()
    await manager.next()
    heard = []
    for event, at_s, never in (("QueueMemberPause", 1.25, 0), ("AgentConnect", 2.5, 0)):
        moved = frame(event, at_s, Uniqueid="1795321200.7", LastCall=1_795_321_190, LoginTime=never)
        await server.play(moved.raw.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        heard.append(await manager.next())

    first_us = (START_MS // 1000 + server.shift_s) * 1_000_000
    assert [instant_us(each) for each in heard] == [first_us + 1_250_000, first_us + 2_500_000]
    assert {each.get("LastCall") for each in heard} == {str(1_795_321_190 + server.shift_s)}
    assert {(each.get("LoginTime"), each.get("Uniqueid")) for each in heard} == {("0", "1795321200.7")}


async def test_it_cuts_in_the_middle_of_a_frame(server: AmiServer, manager: Manager) -> None:
    await manager.log_in()
    await manager.next()
    playing = asyncio.create_task(server.play(asterisk.capture(), cut_at=50_000))
    heard = 0
    while await manager.hears():
        heard += 1
    await playing

    assert heard > 50


async def test_ping_tells_the_clock(manager: Manager) -> None:
    await manager.log_in()
    await manager.next()
    pong = await manager.ask("Ping")

    assert pong.get("Ping") == "Pong"
    assert 1_795_321_195_437_000 <= (instant_us(pong) or 0) < 1_795_321_795_437_000
