"""Beside occupancy: how many of their slots agents who take several contacts at once have in use."""

import pytest
from playwright.async_api import expect

from tests.end_to_end.conftest import OpenBoard
from tests.end_to_end.wallboard_rows import Scene, changed
from tests.end_to_end.wallboard_scenes import OTHERS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CHAT = changed(OTHERS[0], occupancy=0.78, slots=0.54)
NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("lang", "name"),
    [
        ("fr", f"Occupation, Chat du site, 78{NBSP}%, occupation des créneaux 54{NBSP}%"),
        ("en", "Occupancy, Chat du site, 78%, slot occupancy 54%"),
    ],
)
async def test_it_is_told_beside_occupancy(open_board: OpenBoard, lang: str, name: str) -> None:
    board = await open_board(Scene(queues=(CHAT,)), f"lang={lang}", view="desk")
    button = board.page.locator('article.queue .figure[data-figure="occupancy"] button')
    await expect(button).to_have_attribute("aria-label", name)
    await expect(button).to_have_attribute("title", name)


async def test_where_no_capacity_is_told_nothing_is_said_of_slots(open_board: OpenBoard) -> None:
    board = await open_board(Scene(queues=(changed(CHAT, slots=None),)), "lang=fr", view="desk")
    button = board.page.locator('article.queue .figure[data-figure="occupancy"] button')
    await expect(button).to_have_attribute("aria-label", f"Occupation, Chat du site, 78{NBSP}%")
    assert await button.get_attribute("title") is None
