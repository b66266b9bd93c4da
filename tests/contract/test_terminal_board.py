"""`vigie board` against the real api: what it prints once, what it draws when frames come or stop."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace

from schemas.config import Config
from schemas.errors import Unavailable
from schemas.vocabulary import WindowName
from services.cli import board
from services.runtime import own_key
from services.runtime.clock import now_ms
from services.runtime.process import serve
from tests.doubles.keys import AUTH, BOARD
from tests.doubles.served import ServedApi, free_port
from tests.unit.api.rows import alert, queue_row, site_row


@contextlib.asynccontextmanager
async def served(config: Config | None = None) -> AsyncIterator[ServedApi]:
    api = ServedApi(config=config)
    api.put(site_row(now_ms=now_ms(), alerts=[alert(now_ms=now_ms())]))
    api.put(queue_row(now_ms=now_ms()), queue_row("billing", now_ms=now_ms()))
    async with api.running() as address:
        api.address = f"http://{address}"
        yield api


def view(api: ServedApi, *, site: str | None = None, is_json: bool = False) -> board.View:
    return board.View(api=api.address, site=site, window=WindowName.M15, is_json=is_json)


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_true():  # noqa: ASYNC110  # what is looked at is text, it cannot wake us
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def watching(shown: board.View) -> AsyncIterator[io.StringIO]:
    out = io.StringIO()
    task = asyncio.create_task(board.watch(shown, out))
    try:
        yield out
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_board_is_printed_once() -> None:
    out = io.StringIO()
    async with served() as api:
        await board.show(view(api), out)
    assert "Live" in out.getvalue().splitlines()[0]
    assert "queue" in out.getvalue()
    assert "\x1b" not in out.getvalue()


async def test_json_is_the_board_of_the_api() -> None:
    out = io.StringIO()
    async with served() as api:
        await board.show(view(api, is_json=True), out)
    printed = json.loads(out.getvalue())
    assert printed["type"] == "snapshot"
    assert [len(site["queues"]) for site in printed["sites"]] == [2]


async def test_unknown_site_shows_nothing_rather_than_all() -> None:
    out = io.StringIO()
    async with served() as api:
        await board.show(view(api, site="nowhere"), out)
    assert out.getvalue() == "No site yet. Queues appear with their first event.\n"


async def test_the_key_is_shown_where_one_is_asked_for() -> None:
    out = io.StringIO()
    async with served(Config(auth=AUTH)) as api:
        shown = replace(view(api), headers=own_key.headers(None, {"VIGIE_KEY": BOARD}))
        await board.show(shown, out)
        assert "Live" in out.getvalue().splitlines()[0]
        async with watching(shown) as drawn:
            await until(lambda: "billing" in drawn.getvalue().lower())
        with pytest.raises(Unavailable, match=r"401.*VIGIE_KEY"):
            await board.show(view(api), out)


async def test_watch_draws_what_changes() -> None:
    async with served() as api, watching(view(api)) as out:
        await until(lambda: "billing" in out.getvalue().lower())
        api.put(queue_row("billing", now_ms=now_ms(), entered_ms=[now_ms() - 600_000] * 17))
        await until(lambda: " 17 " in out.getvalue().split("window")[-1])
        assert "10:0" in out.getvalue().split("window")[-1]


@contextlib.asynccontextmanager
async def serving(address: str) -> AsyncIterator[None]:
    """An api at this address, until the end of the block."""
    api, stop = ServedApi(), asyncio.Event()
    api.put(site_row(now_ms=now_ms()), queue_row("billing", now_ms=now_ms()))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(api.hub.run(stop))
        tasks.create_task(serve(api.app, address, stop))
        while not await is_open(address):  # noqa: ASYNC110  # a port cannot wake us
            await asyncio.sleep(0.02)
        yield
        stop.set()


async def is_open(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def test_watch_says_that_it_reconnects_and_comes_back() -> None:
    address = f"127.0.0.1:{free_port()}"
    shown = board.View(api=f"http://{address}", site=None, window=WindowName.M15, is_json=False)
    out = io.StringIO()
    async with serving(address):
        task = asyncio.create_task(board.watch(shown, out))
        await until(lambda: "billing" in out.getvalue().lower())
    await until(lambda: "reconnecting" in last_screen(out))
    async with serving(address):
        await until(lambda: "reconnecting" not in last_screen(out))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def last_screen(out: io.StringIO) -> str:
    """What was drawn last, header included."""
    return out.getvalue().rpartition("window")[0].rpartition("\n")[2]


async def test_watch_as_json_prints_a_frame_a_line() -> None:
    async with served() as api, watching(view(api, is_json=True)) as out:
        await until(lambda: out.getvalue().count("\n") >= 3)
        kinds = [json.loads(line)["type"] for line in out.getvalue().splitlines()[:3]]
    assert kinds[0] == "snapshot"
    assert set(kinds[1:]) <= {"update", "heartbeat", "alert"}
