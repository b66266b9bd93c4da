"""The source panel: how each source stands, in words, and what is known of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect

from schemas import codec
from schemas.sources import SourceState, SourceStatus
from tests.end_to_end.browser import Watched
from tests.end_to_end.conftest import RunModule, serve_stage
from tests.end_to_end.wallboard_scenes import SCENES
from tests.end_to_end.wallboard_server import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE = codec.decode_source(Path("schemas/examples/board/source_status.json").read_bytes())


def statuses(now_ms: int) -> list[SourceStatus]:
    """One that listens with everything to tell, one that is lost, one that cannot be used."""
    site = {"site": "paris", "as_of_ms": now_ms, "since_ms": now_ms - 3_600_000}
    crm = replace(EXAMPLE, **site, connected_ms=now_ms - 60_000, event_ms=now_ms - 4000, is_open=True)
    bare = {"types": {}, "unknown": {}, "unsigned": {}, "letters": [], "dead_letters": 0, "label": None}
    lost = replace(crm, **bare, is_open=False, source="pbx9", kind="freeswitch_esl", state=SourceState.LOST)
    return [
        crm,
        replace(lost, connected_ms=None, reason="10.0.0.9:8021 does not answer", reconnects=12),
        replace(lost, source="pbx8", kind="asterisk_ami", state=SourceState.UNUSABLE, reason="no Timestamp"),
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> AsyncIterator[tuple[Stage, str]]:
    stage = Stage(SCENES["normal"]())
    address, cut = await serve_stage(stage)
    for status in statuses(stage.clock()):
        stage.api.sources.apply(status)
    yield stage, address
    await cut()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, stage: tuple[Stage, str]) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    watched = Watched(page, stage[1])
    await page.goto(f"{stage[1]}?view=desk&lang=en")
    await expect(page.locator("article").first).to_be_visible()
    yield page
    await context.close()
    assert watched.faults == []


async def test_the_key_s_opens_the_panel_and_escape_closes_it(page: Page) -> None:
    await page.keyboard.press("s")
    await expect(page.locator("#sources-dialog")).to_be_visible()
    await expect(page.locator("#sources-title")).to_have_text("Sources")
    await page.keyboard.press("Escape")
    await expect(page.locator("#sources-dialog")).to_be_hidden()


async def test_each_source_says_how_it_stands(page: Page) -> None:
    await page.locator("#sources").click()
    crm = page.locator('[data-source="paris/crm"]')
    lost = page.locator('[data-source="paris/pbx9"]')
    unusable = page.locator('[data-source="paris/pbx8"]')

    await expect(crm.locator(".source-name")).to_have_text("Chat")
    await expect(crm.locator(".source-state")).to_contain_text("Listening since")
    await expect(crm.locator(".source-counts")).to_have_text("42 events · 1 refusal")
    await expect(lost.locator(".source-state")).to_have_text("Lost: 10.0.0.9:8021 does not answer")
    await expect(unusable.locator(".source-state")).to_have_text("Unusable: no Timestamp")
    assert [await each.get_attribute("data-look") for each in (crm, lost, unusable)] == [
        "live",
        "warning",
        "warning",
    ]


async def test_a_source_opens_to_everything_that_is_known_of_it(page: Page) -> None:
    await page.locator("#sources").click()
    crm = page.locator('[data-source="paris/crm"]')
    await crm.locator("summary").press("Enter")

    await expect(crm.locator("dl")).to_contain_text("message_created 30, conversation_created 12")
    await expect(crm.locator("dl")).to_contain_text("inbox_updated 1")
    await expect(crm.locator("dl")).to_contain_text("wrong 2")
    await expect(crm.locator("dl")).to_contain_text("none is asked for (allow_unsigned)")
    await expect(crm.locator(".letters")).to_contain_text(
        "Unreadable: message_created: conversation: missing"
    )
    await expect(crm.locator(".letters")).to_contain_text("sha256 000000000000")


async def test_the_panel_stays_true_and_open_while_one_looks(page: Page, stage: tuple[Stage, str]) -> None:
    await page.locator("#sources").click()
    lost = page.locator('[data-source="paris/pbx9"]')
    await lost.locator("summary").press("Enter")
    await expect(lost.locator("dl")).to_contain_text("12")
    now_ms = stage[0].clock()
    again = replace(
        statuses(now_ms)[1], state=SourceState.CONNECTED, reason=None, connected_ms=now_ms, reconnects=13
    )
    stage[0].api.sources.apply(again)

    await expect(lost.locator(".source-state")).to_contain_text("Connected since")
    await expect(lost.locator("dl")).to_contain_text("13")
    assert await lost.get_attribute("open") is not None
    assert await page.evaluate("document.activeElement.closest('.source').dataset.source") == "paris/pbx9"


async def test_a_source_that_only_posts_and_one_never_heard_are_told_apart(run_module: RunModule) -> None:
    told = await run_module(
        "sources.js",
        """const { TEXTS } = await import(new URL('texts.js', document.baseURI));
        const context = { texts: TEXTS.fr, timeZone: "Europe/Paris" };
        const at = (heard_ms, freshness, state) => ({ kind: "http", state, heard_ms, freshness });
        const each = (state) => [at(1, "live", state), at(null, "unknown", state), at(1, "stale", state)];
        const asked = [...each(null), ...each("listening")];
        return asked.map((source) => [m.lookOf(source), m.stateText(source, context)]);""",
    )
    assert told == 2 * [
        ["live", "Envoie d’elle-même"],
        ["unknown", "Jamais reçue"],
        ["stale", "Envoie d’elle-même"],
    ]
