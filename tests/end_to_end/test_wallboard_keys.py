"""The page where keys are asked for: closed without one, opened once by its address, then by its cookie."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from schemas.config import Config
from tests.doubles.keys import AUTH, BOARD, OPERATOR
from tests.end_to_end.browser import Watched
from tests.end_to_end.conftest import serve_stage
from tests.end_to_end.wallboard_scenes import SCENES
from tests.end_to_end.wallboard_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DENIED = {
    "fr": "Ce tableau ne vous est pas ouvert. Demandez l’accès à son équipe.",
    "en": "You cannot open this board. Ask its team for access.",
}


@pytest_asyncio.fixture(loop_scope="session")
async def address() -> AsyncIterator[str]:
    """A board with an alert that shows itself to holders of a key."""
    address, cut = await serve_stage(Stage(SCENES["alert"](), config=Config(auth=AUTH)))
    yield address
    await cut()


@contextlib.asynccontextmanager
async def visitor(browser: Browser, address: str) -> AsyncIterator[Page]:
    """A browser of its own: no cookie, no name."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    watched = Watched(page, address)
    yield page
    await context.close()
    assert watched.faults == []


@pytest.mark.parametrize("lang", ["fr", "en"])
async def test_without_a_key_the_page_says_whom_to_ask(browser: Browser, address: str, lang: str) -> None:
    async with visitor(browser, address) as page:
        for query in ("", "&key=vigie_unknown"):
            await page.goto(f"{address}?lang={lang}{query}")
            await expect(page.locator("#notice-title")).to_have_text(DENIED[lang])
            await expect(page.locator("article")).to_have_count(0)
        assert await page.context.cookies() == []


async def test_the_key_in_the_address_opens_the_board_once_and_for_all(
    browser: Browser, address: str
) -> None:
    async with visitor(browser, address) as page:
        asked: list[tuple[str, str]] = []
        page.on("request", lambda request: asked.append((request.url, request.headers.get("referer", ""))))
        await page.goto(f"{address}?view=desk&key={BOARD}&lang=fr")
        await expect(page.locator('article[data-look="critical"]')).to_have_count(1)

        assert page.url == f"{address}?view=desk&lang=fr"
        (cookie,) = await page.context.cookies()
        assert (cookie["value"], cookie["httpOnly"], cookie["sameSite"]) == (BOARD, True, "Strict")
        assert await page.evaluate("document.cookie + document.referrer") == ""
        assert [url for url, _ in asked if BOARD in url] == [asked[0][0]]
        assert {referer for _, referer in asked} == {""}

        await page.goto(f"{address}?view=desk&lang=fr")
        await expect(page.locator('article[data-look="critical"]')).to_have_count(1)


async def test_a_board_s_key_reads_and_an_operator_s_acts(browser: Browser, address: str) -> None:
    async with visitor(browser, address) as page:
        await page.add_init_script("localStorage.setItem('vigie.name', 'Zoé R.')")
        take = page.locator(".strip .take >> nth=0")
        await page.goto(f"{address}?view=desk&lang=fr&key={BOARD}")
        await take.click()
        await expect(page.locator(".strip")).to_contain_text("ce tableau est en lecture seule")
        await page.goto(f"{address}?view=desk&lang=fr&key={OPERATOR}")
        await take.click()
        await expect(page.locator(".strip")).to_contain_text("Zoé R.")
