"""Queues of e-mail, letters and social media: backlog, oldest item, share cleared, in the phone's places."""

import re

import pytest
from playwright.async_api import Locator, expect

from schemas.board import Alert
from schemas.vocabulary import Severity
from tests.end_to_end.conftest import OpenBoard
from tests.end_to_end.wallboard_rows import Queue, Scene, alert, changed
from tests.end_to_end.wallboard_scenes import NORMAL, SCENES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EMAIL, SOCIAL, PHONE = NORMAL[5], NORMAL[6], NORMAL[0]
NBSP = "\u00a0"


def figure(root: Locator, queue: Queue, name: str) -> Locator:
    return root.locator(f'article.queue[data-key=\'["paris","{queue.id}"]\'] .figure[data-figure="{name}"]')


async def test_a_tile_shows_the_backlog_and_its_oldest_item(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["normal"](), "lang=fr&queues=service-client,email,social")
    root = board.page.locator("body")
    await expect(figure(root, EMAIL, "longest").locator(".label")).to_have_text(
        re.compile(rf"^Plus ancien · ouvré 12{NBSP}h{NBSP}1\d$")
    )
    await expect(figure(root, EMAIL, "longest").locator(".digits")).to_have_text(f"1{NBSP}j{NBSP}03{NBSP}h")
    await expect(figure(root, EMAIL, "waiting").locator(".label")).to_have_text("En cours")
    await expect(figure(root, EMAIL, "waiting").locator(".digits")).to_have_text("54")
    await expect(figure(root, EMAIL, "abandonment").locator(".label")).to_have_text("Traités")
    await expect(figure(root, EMAIL, "abandonment").locator(".digits")).to_have_text(f"88{NBSP}%")
    await expect(figure(root, EMAIL, "abandonment").locator(".below")).to_have_text("21/24")
    # by both clocks alike: the mean stands there, as on the phone
    await expect(figure(root, SOCIAL, "longest").locator(".label")).to_have_text("Plus ancien · moy. 41:00")
    await expect(figure(root, PHONE, "waiting").locator(".label")).to_have_text("En attente")
    await expect(figure(root, PHONE, "abandonment").locator(".label")).to_have_text("Abandon")


async def test_a_row_says_below_what_its_column_does_not(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["normal"](), "lang=en", view="desk")
    root = board.page.locator("body")
    await expect(figure(root, EMAIL, "waiting").locator(".below")).to_have_text("backlog")
    await expect(figure(root, EMAIL, "longest").locator(".below")).to_have_text("oldest")
    await expect(figure(root, EMAIL, "abandonment").locator(".below")).to_have_text("cleared 21/24")
    await expect(figure(root, EMAIL, "longest").locator(".below")).to_be_visible()
    await expect(figure(root, PHONE, "waiting").locator(".below")).to_be_hidden()


async def test_names_are_told_in_full_with_both_clocks(open_board: OpenBoard) -> None:
    names = {
        "fr": {
            "waiting": "Dossiers en cours, E-mail, 54, dont 38 en attente d’une première réponse",
            "longest": r"Plus ancien dossier en cours, E-mail, 1 jour 3 heures, "
            r"dont 12 heures 1\d minutes en heures ouvrées",
            "abandonment": rf"Traités dans le délai, E-mail, délai de 1 jour 0 heure, "
            rf"au calendrier 88{NBSP}%, 21 sur 24, en heures ouvrées 100{NBSP}%, 24 sur 24",
        },
        "en": {
            "waiting": "Backlog, E-mail, 54, 38 of them waiting for a first reply",
            "longest": r"Oldest open item, E-mail, 1 day 3 hours, "
            r"12 hours 1\d minutes of it in business hours",
            "abandonment": "Cleared within the promise, E-mail, promise of 1 day 0 hours, "
            "by the calendar 88%, 21 of 24, in business hours 100%, 24 of 24",
        },
    }
    for lang, told in names.items():
        board = await open_board(SCENES["normal"](), f"lang={lang}&queues=email", view="desk")
        for name, text in told.items():
            button = figure(board.page.locator("body"), EMAIL, name).locator("button")
            await expect(button).to_have_attribute("aria-label", re.compile(f"^{text}$"))
            assert await button.get_attribute("title") == await button.get_attribute("aria-label")


async def test_without_open_items_the_oldest_is_a_dash_and_nothing_decided_is_no_rate(
    open_board: OpenBoard,
) -> None:
    calm = changed(EMAIL, items=None, wait_s=None, waiting=0, cleared=((0, 0), (0, 0)))
    board = await open_board(Scene((calm,)), "lang=fr")
    root = board.page.locator("body")
    await expect(figure(root, calm, "waiting").locator(".digits")).to_have_text("0")
    await expect(figure(root, calm, "longest").locator(".digits")).to_have_text("—")
    await expect(figure(root, calm, "abandonment").locator(".digits")).to_have_text("—")
    await expect(figure(root, calm, "abandonment").locator(".below")).to_have_text("n = 0")


async def test_a_backlog_without_new_contacts_is_not_without_data(open_board: OpenBoard) -> None:
    quiet = changed(EMAIL, wait_s=None, waiting=0, offered=0, service=(0, 0))
    board = await open_board(Scene((quiet,)), "lang=fr")
    await expect(board.page.locator("article.queue .word")).to_have_text("Normal")


def late(metric: str, value: float, limit: float, **more: object) -> Alert:
    return alert(
        EMAIL, crossed_ago_s=60, metric=metric, value=value, threshold=limit, clear=limit, rule=metric, **more
    )


@pytest.mark.parametrize(
    ("told", "place", "title"),
    [
        (late("backlog", 54, 50, severity=Severity.WARNING), "waiting", "E-mail · en cours 54, limite 50"),
        (
            late("oldest_item_s", 97_920, 86_400),
            "longest",
            f"E-mail · plus ancien 1{NBSP}j{NBSP}03{NBSP}h, limite 24{NBSP}h",
        ),
        (
            late("cleared", 0.875, 0.9, fires_below=True, window="15m"),
            "abandonment",
            f"E-mail · traités dans le délai 88{NBSP}%, objectif 90{NBSP}%",
        ),
    ],
)
async def test_an_alert_on_items_marks_the_figure_that_broke_its_rule(
    open_board: OpenBoard, told: Alert, place: str, title: str
) -> None:
    board = await open_board(Scene((EMAIL,), (told,)), "lang=fr", view="desk")
    root = board.page.locator("body")
    await expect(root.locator(".strip .alert-first")).to_have_text(title)
    await expect(figure(root, EMAIL, place)).to_have_attribute("data-cause", "")
