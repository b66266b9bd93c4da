"""Takes the picture of every state, to be looked at beside the references.

`python -m tests.end_to_end.screenshots FOLDER [NAME …]`
"""

import asyncio
import re
import sys
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.end_to_end.browser import chromium
from tests.end_to_end.wallboard_scenes import SCENES
from tests.end_to_end.wallboard_server import Stage

TV = (1920, 1080)
DESK = (1440, 900)
EIGHT = "queues=service-client,facturation,support,ventes,chat,email,social,courrier"
TEN = "queues=service-client,support,chat,facturation,sinistres,social,assistance,chat-app,ventes,courrier"
MIXED = "queues=assistance,chat-app,sinistres,courrier,chat,facturation,ventes,social"
PICTURES: dict[str, tuple[str, tuple[int, int], str]] = {
    "tv-normal": ("normal", TV, "lang=fr&" + EIGHT),
    "tv-alert": ("alert", TV, "lang=fr&" + EIGHT),
    "tv-alert-en": ("alert", TV, "lang=en&" + EIGHT),
    "tv-states": ("states", TV, "lang=fr&" + MIXED),
    "tv-steps": ("steps", TV, "lang=fr"),
    "tv-worst": ("worst", TV, "lang=fr"),
    "tv-worst-8": ("worst-8", TV, "lang=fr"),
    "tv-many": ("many", TV, "lang=fr"),
    "tv-empty": ("empty", TV, "lang=fr"),
    "desk-normal": ("normal", DESK, "lang=fr&" + EIGHT),
    "desk-alert": ("alert", DESK, "lang=fr&" + EIGHT),
    "desk-alert-en": ("alert", DESK, "lang=en&" + EIGHT),
    "desk-states": ("states", DESK, "lang=fr&" + TEN),
    "desk-steps": ("steps", DESK, "lang=fr&all"),
    "desk-worst": ("worst", DESK, "lang=fr"),
    "desk-empty": ("empty", DESK, "lang=fr"),
    "tv-disconnected": ("normal", TV, "lang=fr&cut&" + EIGHT),
    "tv-reconnecting": ("normal", TV, "lang=fr&reconnecting"),
    "desk-disconnected": ("alert", DESK, "lang=fr&cut&" + EIGHT),
}
FROM_THEN_ON = re.compile(r"^14:(32:(0[7-9]|[1-5])|33)")
SHOW_ALL = "#alerts-more"


async def take(browser: Browser, name: str, folder: Path) -> None:
    """One picture, from 14:32:07 on; cut pages 42 s later."""
    scene, (width, height), query = PICTURES[name]
    stage = Stage(SCENES[scene]())
    page = await browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    await page.clock.install()
    async with stage.running() as address:
        await page.goto(f"{address}?{query}")
        if scene != "empty":
            await expect(page.locator("#clock")).to_have_text(FROM_THEN_ON, timeout=15_000)
        if "&all" in query:
            await page.click(SHOW_ALL)
        await page.wait_for_timeout(100)
        if "cut" not in query and "reconnecting" not in query:
            await page.screenshot(path=folder / f"{name}.png")
    if "cut" in query or "reconnecting" in query:
        await page.wait_for_timeout(200)
        await page.clock.run_for(41_800 if "cut" in query else 3_500)
        await page.screenshot(path=folder / f"{name}.png")
    await page.close()


async def main(folder: Path, names: list[str]) -> None:
    async with chromium() as browser:
        for name in names or PICTURES:
            await take(browser, name, folder)
            print(folder / f"{name}.png")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
