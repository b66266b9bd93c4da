"""From event to pixel: the running system, its page in a real Chromium, and a Kafka that freezes."""

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.end_to_end.browser import Watched
from tests.end_to_end.conftest import loaded
from tests.end_to_end.running_system import SITE, RunningSystem

pytestmark = [
    pytest.mark.broker,
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(400),
]

QUEUE = "page"
STILL_S = 4.0
"""Longer than a row may be old (SEMANTICS.md §6): what was on its way has arrived."""

PATIENT_MS = 60_000
"""How long the page may take in a test: far above what it does."""


@pytest_asyncio.fixture(loop_scope="session")
async def page(system: RunningSystem, browser: Browser) -> AsyncIterator[Page]:
    """The desk's page of one queue, in English; at the end it may have done nothing it must not do."""
    await system.tell("queue.left", contact="nobody", queue=QUEUE, outcome="abandoned")  # makes it heard
    address = f"http://{system.addresses['api']}/"
    opened = await browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(PATIENT_MS)
    watched = Watched(opened, address)
    await opened.goto(f"{address}?site={SITE}&queues={QUEUE}&lang=en&view=desk")
    await loaded(opened)
    yield opened
    await opened.close()
    assert watched.faults == []


async def shows(page: Page, state: str) -> float:
    """Seconds until the queue is shown in this state."""
    begun_s = time.monotonic()
    await expect(page.locator(f'article.queue[data-state="{state}"]')).to_have_count(1, timeout=PATIENT_MS)
    return time.monotonic() - begun_s


async def test_from_a_posted_event_to_a_taken_alert(system: RunningSystem, page: Page) -> None:
    waiting = page.locator('.figure[data-figure="waiting"] .digits')
    await expect(waiting).to_have_text("0")
    begun_s = time.monotonic()
    await system.tell("queue.entered", contact="seen", queue=QUEUE)
    await expect(waiting).to_have_text("1")
    print(f"\nposted → number on the page {(time.monotonic() - begun_s) * 1000:.0f} ms")

    card = page.locator(".strip .alert").first  # critical ones come first; a silent source may be there too
    await expect(card.locator(".alert-queue")).to_have_text("Queue page", timeout=PATIENT_MS)
    while await page.evaluate("document.activeElement.className") != "take":
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#name-dialog")).to_be_visible()
    await page.keyboard.type("Zoé R.")
    await page.keyboard.press("Enter")
    await expect(card.locator(".alert-aside")).to_contain_text("Zoé R.")
    await expect(page.locator("article.queue[data-taken]")).to_contain_text("Zoé R.")
    [alert] = [a for a in (await open_alerts(system)) if a["queue"] == QUEUE]
    assert (alert["state"], alert["acknowledged_by"]) == ("acknowledged", "Zoé R.")

    await system.tell("queue.left", contact="seen", queue=QUEUE, outcome="abandoned")
    await expect(waiting).to_have_text("0")
    await expect(page.locator("article.queue[data-taken]")).to_have_count(0)


async def test_a_kafka_that_stands_still_is_shown_as_stale_and_its_return_as_live(
    system: RunningSystem, page: Page
) -> None:
    await expect(page.locator('article.queue[data-state="stale"]')).to_have_count(0)
    before = system.pids
    system.signal("kafka", signal.SIGSTOP)  # killed, it would be back before anybody saw it
    try:
        stale_s = await shows(page, "stale")
        print(f"\nKafka stopped → stale on the page {stale_s:.1f} s")
        assert stale_s < 50
        await asyncio.sleep(STILL_S)
        await expect(page.locator('article.queue[data-state="stale"]')).to_have_count(1)
    finally:
        system.signal("kafka", signal.SIGCONT)
    begun_s = time.monotonic()
    await expect(page.locator('article.queue[data-state="stale"]')).to_have_count(0, timeout=PATIENT_MS)
    print(f"Kafka goes on → live on the page {time.monotonic() - begun_s:.1f} s")
    await system.tell("queue.entered", contact="after", queue=QUEUE)
    await expect(page.locator('.figure[data-figure="waiting"] .digits')).to_have_text("1")
    await system.tell("queue.left", contact="after", queue=QUEUE, outcome="abandoned")
    await system.well()
    assert system.pids == before


async def test_a_killed_api_is_missed_and_its_return_is_the_whole_board_anew(
    system: RunningSystem, page: Page
) -> None:
    """Its `epoch` is another then; what changed while it was away is on the page, and goes on changing."""
    waiting = page.locator('.figure[data-figure="waiting"] .digits')
    offered = page.locator('.figure[data-figure="abandonment"] .below')
    await expect(waiting).to_have_text("0")
    rates = await offered.text_content()
    epoch, before = await epoch_of(system), system.pids
    async with page.expect_websocket(timeout=PATIENT_MS):  # it opens another
        system.signal("api", signal.SIGKILL)
        await system.tell("queue.entered", contact="meanwhile", queue=QUEUE)
    await expect(waiting).to_have_text("1", timeout=PATIENT_MS)
    await expect(page.locator("#link")).to_have_text(re.compile("^Live"), timeout=PATIENT_MS)
    await expect(page.locator('article.queue[data-state="stale"]')).to_have_count(0, timeout=PATIENT_MS)
    assert await epoch_of(system) != epoch
    await system.tell("queue.left", contact="meanwhile", queue=QUEUE, outcome="abandoned")
    await expect(waiting).to_have_text("0")
    row = await system.row(QUEUE)
    ratio = row["windows"]["15m"]["abandonment"]
    await expect(offered).to_have_text(f"{ratio['numerator']}/{ratio['denominator']}")
    assert await offered.text_content() != rates
    await system.well()
    after = system.pids
    assert {name for name in before if before[name] != after[name]} == {"api"}


async def epoch_of(system: RunningSystem) -> str:
    """Which run of the api answers."""
    epoch: str = json.loads((await system.get("api", "/api/v1/board?queues=none"))[1])["epoch"]
    return epoch


async def open_alerts(system: RunningSystem) -> list[dict[str, str]]:
    _, text = await system.get("api", f"/api/v1/alerts?site={SITE}&state=firing,acknowledged")
    alerts: list[dict[str, str]] = json.loads(text)["alerts"]
    return alerts
