"""One browser and one running system for all; and a board on a stage: page and api real, rows scripted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.end_to_end.browser import Watched, chromium
from tests.end_to_end.running_system import RunningSystem, running_system
from tests.end_to_end.wallboard_rows import Scene
from tests.end_to_end.wallboard_server import Stage

expect.set_options(timeout=30_000)  # a loaded machine is slow, not wrong

SIZES = {"tv": (1920, 1080), "desk": (1440, 900)}

RunModule = Callable[..., Awaitable[Any]]


@dataclass
class Opened:
    """A page on a stage. `cut` stops the server for good."""

    page: Page
    stage: Stage
    address: str
    watched: Watched
    cut: Callable[[], Awaitable[None]]


Line = Callable[[WebSocketRoute], None] | Callable[[WebSocketRoute], Awaitable[None]]
"""What stands between page and server: may drop frames, or answer itself."""


class OpenBoard(Protocol):
    """Plays a scene and opens the page on it."""

    def __call__(
        self,
        scene: Scene,
        query: str = "lang=fr",
        *,
        view: str = "tv",
        with_clock: bool = False,
        line: Line | None = None,
    ) -> Awaitable[Opened]: ...


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The whole system, started once. Who hurts it leaves it well."""
    with running_system(tmp_path_factory.mktemp("system")) as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium, started once."""
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def open_board(browser: Browser) -> AsyncIterator[OpenBoard]:
    """Opens pages; at the end none may have asked elsewhere, broken its policy or failed."""
    opened: list[Opened] = []

    async def open_one(
        scene: Scene,
        query: str = "lang=fr",
        *,
        view: str = "tv",
        with_clock: bool = False,
        line: Line | None = None,
    ) -> Opened:
        stage = Stage(scene)
        address, cut = await serve_stage(stage)
        width, height = SIZES[view]
        page = await browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
        board = Opened(page, stage, address, Watched(page, address), cut)
        opened.append(board)
        if with_clock:
            await page.clock.install()
        if line is not None:
            await page.route_web_socket("**/api/v1/live*", line)
        await page.goto(f"{address}?{query}")
        if line is None:
            await loaded(page)
        return board

    yield open_one
    for board in opened:
        await board.page.close()
        await board.cut()
    assert [fault for board in opened for fault in board.watched.faults] == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run_module(browser: Browser) -> AsyncIterator[RunModule]:
    """Runs code in a page against one of the wallboard's modules: `m` is the module, `a` the arguments."""
    address, cut = await serve_stage(Stage(Scene(())))
    page = await browser.new_page()
    await page.goto(address)

    async def run(module: str, body: str, *arguments: Any) -> Any:
        script = f"async (a) => {{ const m = await import(new URL('{module}', document.baseURI)); {body} }}"
        return await page.evaluate(script, list(arguments))

    yield run
    await page.close()
    await cut()


async def loaded(page: Page) -> None:
    """The page has its first frame: no tile stands for a queue that is still to come."""
    await expect(page.locator('article[data-look="loading"]')).to_have_count(0)


async def serve_stage(stage: Stage) -> tuple[str, Callable[[], Awaitable[None]]]:
    """The address, and what stops it. The stage is entered and left by one task, as its groups need."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def play() -> None:
        async with stage.running() as address:
            ready.set_result(address)
            await over.wait()

    task = asyncio.create_task(play())

    async def cut() -> None:
        over.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return await ready, cut
