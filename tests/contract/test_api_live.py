"""The socket of INTERFACE.md §5, with a real web server and a real client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped] # its stubs are not in the lock
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.runtime.clock import now_ms
from tests.doubles.served import ServedApi
from tests.unit.api.reader import Reader
from tests.unit.api.rows import alert, queue_row, site_row


class Screen:
    """A board in a browser: reads frames until something is true of what it shows."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.reader = Reader()

    async def read(self) -> Any:
        """The next frame, applied."""
        async with asyncio.timeout(20):
            text = await self.connection.recv()
        assert isinstance(text, str)
        return self.reader.read(text)

    async def read_until(self, kind: str) -> Any:
        """The next frame of this kind; what comes before is applied too."""
        while (frame := await self.read())["type"] != kind:
            pass
        return frame

    async def closed(self) -> int:
        """The code with which the server closes."""
        try:
            while True:
                await self.read()
        except ConnectionClosed:
            assert self.connection.close_code is not None
            return self.connection.close_code


@pytest.fixture
async def api() -> AsyncIterator[ServedApi]:
    served = ServedApi()
    served.put(site_row(now_ms=now_ms(), alerts=[alert(now_ms=now_ms())]))
    served.put(queue_row(now_ms=now_ms()), queue_row("billing", now_ms=now_ms()))
    async with served.running() as served.address:
        yield served


@asynccontextmanager
async def screen(api: ServedApi, query: str = "", **options: Any) -> AsyncIterator[Screen]:
    async with connect(f"ws://{api.address}/api/v1/live{query}", **options) as connection:
        yield Screen(connection)


async def test_the_server_speaks_first_and_whole(api: ServedApi) -> None:
    async with screen(api) as board:
        frame = await board.read()
    assert (frame["type"], frame["prev"]) == ("snapshot", None)
    assert set(board.reader.queues) == {("paris", "support"), ("paris", "billing")}
    assert len(board.reader.alerts) == 1


async def test_the_first_frame_is_what_rest_answers(api: ServedApi) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://{api.address}/api/v1/board")
    rest = Reader()
    rest.read(json.dumps({**answer.json(), "prev": None}))
    async with screen(api) as board:
        await board.read()
    assert board.reader.board() == rest.board()
    assert board.reader.epoch == rest.epoch


async def test_a_change_is_sent_to_who_looks_at_it(api: ServedApi) -> None:
    async with (
        screen(api, "?site=paris&queues=support,other") as board,
        screen(api, "?queues=billing") as other,
    ):
        await board.read()
        await other.read()
        api.put(queue_row(now_ms=now_ms(), waiting=6))
        frame = await board.read_until("update")
        assert [(row["queue"], row["waiting"]) for row in frame["queues"]] == [("support", 6)]
        api.put_alert(alert("b", queue="billing", now_ms=now_ms()))
        assert (await other.read_until("alert"))["alert"]["alert_id"] == "b"
        assert set(other.reader.queues) == {("paris", "billing")}


async def test_frames_are_what_the_contract_says(api: ServedApi) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://{api.address}/asyncapi.yaml")
    contract = json.loads(answer.text)
    frames = contract["components"]["messages"]
    seen = set[str]()
    async with screen(api) as board:
        api.put_alert(alert("b", now_ms=now_ms()))
        api.put(queue_row(now_ms=now_ms(), waiting=6), queue_row("new", now_ms=now_ms()))
        while seen != {"snapshot", "alert", "update", "heartbeat"}:
            async with asyncio.timeout(20):
                frame = json.loads(await board.connection.recv())
            seen.add(frame["type"])
            payload = {**frames[frame["type"]]["payload"], "components": contract["components"]}
            jsonschema.validate(frame, payload)
            if frame["type"] == "snapshot":
                api.put_alert(alert("c", now_ms=now_ms()))
                api.put(queue_row(now_ms=now_ms(), waiting=7))
                held = {"epoch": frame["epoch"], "seq": frame["seq"]}
                await board.connection.send(json.dumps({"type": "resume", **held}))


async def test_heartbeats_come_while_nothing_happens(api: ServedApi) -> None:
    async with screen(api) as board:
        await board.read()
        first = await board.read_until("heartbeat")
        second = await board.read_until("heartbeat")
    assert second["as_of_ms"] > first["as_of_ms"]


@pytest.mark.parametrize("kind", ["resume", "snapshot"])
async def test_who_asks_for_what_it_missed_gets_the_whole_board(api: ServedApi, kind: str) -> None:
    async with screen(api) as board:
        await board.read()
        await board.connection.send(json.dumps({"type": kind, "epoch": "other", "seq": 3}))
        frame = await board.read_until("snapshot")
    assert frame["recovered"] is False


async def test_who_comes_back_is_told_what_it_missed(api: ServedApi) -> None:
    async with screen(api) as board:
        await board.read()
    api.put(queue_row(now_ms=now_ms(), waiting=6))
    api.put_alert(alert("b", now_ms=now_ms()))
    async with screen(api, "?resume=1") as again:
        again.reader = board.reader
        held = {"epoch": board.reader.epoch, "seq": board.reader.seq}
        await again.connection.send(json.dumps({"type": "resume", **held}))
        frame = await again.read_until("update")
        assert frame["recovered"] is True
        assert "snapshot" not in again.reader.kinds[1:]
        assert again.reader.queues["paris", "support"]["waiting"] == 6
        assert "b" in again.reader.alerts
        await again.read_until("heartbeat")


async def test_who_wants_to_say_what_it_holds_and_says_nothing_gets_the_whole_board(api: ServedApi) -> None:
    async with screen(api, "?resume=1") as board:
        begun_ms = now_ms()
        frame = await board.read()
        assert now_ms() - begun_ms >= 900
    assert (frame["type"], "recovered" in frame) == ("snapshot", False)


async def test_what_makes_no_sense_is_ignored_and_counted(api: ServedApi) -> None:
    nonsense = [
        "",
        "hello",
        "{}",
        '{"type": 7}',
        '{"type": "dance"}',
        "[" * 3000,
        '{"type": "resume"' + " " * 5000 + "}",
    ]
    async with screen(api) as board:
        await board.read()
        for text in nonsense:
            await board.connection.send(text)
        await board.read_until("heartbeat")
        await board.read_until("heartbeat")
    assert "snapshot" not in board.reader.kinds[1:]
    assert f"vigie_board_messages_ignored_total {len(nonsense)}.0" in await scraped(api)


async def test_bytes_are_refused(api: ServedApi) -> None:
    async with screen(api) as board:
        await board.connection.send(b"\x00\x01")
        assert await board.closed() == 1003
    assert 'vigie_board_closed_total{reason="1003"} 1.0' in await scraped(api)


@pytest.mark.parametrize(
    "options",
    [{"origin": "https://evil.example"}, {"additional_headers": {"Origin": "null"}}],
    ids=["page", "null"],
)
async def test_a_page_from_elsewhere_is_told_why_it_is_closed(api: ServedApi, options: Any) -> None:
    async with screen(api, **options) as board:
        assert await board.closed() == 1008
    assert 'vigie_board_closed_total{reason="1008"} 1.0' in await scraped(api)
    assert api.hub.clients == 0


async def test_our_own_page_is_let_in(api: ServedApi) -> None:
    async with screen(api, origin=f"http://{api.address}") as board:
        assert (await board.read())["type"] == "snapshot"


async def test_who_leaves_is_forgotten(api: ServedApi) -> None:
    async with screen(api) as board:
        await board.read()
        assert api.hub.clients == 1
    async with asyncio.timeout(20):
        while api.hub.clients:  # noqa: ASYNC110 # nothing of ours is told when a connection is gone
            await asyncio.sleep(0.01)


async def test_who_takes_nothing_is_closed_and_the_others_are_not_kept_waiting(api: ServedApi) -> None:
    filler = [queue_row(f"q{number}", now_ms=now_ms()) for number in range(200)]
    async with screen(api, max_queue=1, max_size=None) as stuck, screen(api, max_size=None) as board:
        await stuck.read()
        waiting = 0
        async with asyncio.timeout(60):
            while not api.hub.stalled:
                waiting += 1
                api.put(*(queue_row(row.queue, now_ms=now_ms(), waiting=waiting) for row in filler))
                await board.read_until("update")
        await board.read_until("heartbeat")
        assert await stuck.closed() == 4008
    assert 'vigie_board_closed_total{reason="4008"} 1.0' in await scraped(api)


async def test_the_end_of_the_server_is_said(api: ServedApi) -> None:
    served = ServedApi()
    served.put(site_row(now_ms=now_ms()))
    async with asyncio.timeout(60):
        async with served.running() as served.address:
            connection = await connect(f"ws://{served.address}/api/v1/live")
            board = Screen(connection)
            await board.read()
        assert await board.closed() in (1001, 1012)
        await connection.close()


async def scraped(api: ServedApi) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"http://{api.address}/metrics")).text
