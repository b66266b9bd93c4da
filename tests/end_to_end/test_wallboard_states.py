"""Every state of a queue, on the wall and at the desk: by shape, by word, by plate."""

import re

import pytest
from msgspec.structs import replace
from playwright.async_api import Locator, expect

from schemas.vocabulary import AlertState, Severity
from tests.end_to_end.conftest import OpenBoard
from tests.end_to_end.wallboard_rows import Scene, alert, changed
from tests.end_to_end.wallboard_scenes import NORMAL, SCENES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STATES = {
    "service-client": ("normal", "Normal"),
    "support": ("soon", "Bientôt"),
    "chat": ("warning", "À surveiller"),
    "facturation": ("critical", "Critique"),
    "sinistres": ("critical", "Critique"),
    "social": ("stale", "Figé"),
    "assistance": ("catching_up", "Rattrapage"),
    "chat-app": ("unknown", "Jamais reçu"),
    "ventes": ("no_data", "Sans donnée"),
    "courrier": ("closed", "Fermé"),
}
AT_DESK = {
    "service-client": r"Normal",
    "support": r"Bientôt",
    "chat": r"À surveiller\s· 6:4\d",
    "facturation": r"Critique\s· 1:1\d",
    "sinistres": r"Critique\s· Léa M\. s’en occupe",
    "social": r"Figé depuis 4:1\d",
    "assistance": r"Rattrapage, 8\ss de retard",
    "chat-app": r"Jamais reçu",
    "ventes": r"Sans donnée\s· 15\smin",
    "courrier": r"Fermé, ouvre samedi à 9:00",
}


def article(page_root: Locator, queue: str) -> Locator:
    return page_root.locator(f'article.queue[data-key=\'["paris","{queue}"]\']')


async def test_each_state_has_its_shape_and_its_word_on_the_wall(open_board: OpenBoard) -> None:
    scene = SCENES["states"]()
    kept = ("service-client", "support", "chat", "facturation", "sinistres", "social")
    first = await open_board(scene, f"lang=fr&queues={','.join(kept)}")
    rest = await open_board(scene, "lang=fr&queues=assistance,chat-app,ventes,courrier")
    for queue, (shape, word) in STATES.items():
        root = (first if queue in kept else rest).page.locator("body")
        tile = article(root, queue)
        await expect(tile.locator(".state > .shape")).to_have_attribute("data-shape", shape)
        await expect(tile.locator(".word")).to_have_text(word)
        assert await tile.locator(".state > .shape").get_attribute("aria-hidden") == "true"


async def test_each_state_says_more_at_the_desk(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["states"](), view="desk")
    for queue, words in AT_DESK.items():
        row = article(board.page.locator("body"), queue)
        await expect(row.locator(".words")).to_have_text(re.compile(f"^{words}$"))


async def test_the_cause_stands_on_a_plate_and_nothing_else_does(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["states"](), view="desk")
    root = board.page.locator("body")
    for queue, cause, plate, ink in [
        ("facturation", "longest", "rgb(255, 255, 255)", "rgb(138, 0, 24)"),
        ("sinistres", "longest", "rgb(176, 0, 32)", "rgb(255, 255, 255)"),
        ("chat", "service", "rgb(255, 194, 75)", "rgb(42, 33, 16)"),
    ]:
        plates = article(root, queue).locator("[data-cause]")
        await expect(plates).to_have_count(1)
        await expect(plates).to_have_attribute("data-figure", cause)
        await expect(plates.locator(".value")).to_have_css("background-color", plate)
        await expect(plates.locator(".digits")).to_have_css("color", ink)
    await expect(article(root, "service-client").locator("[data-cause]")).to_have_count(0)


async def test_acknowledging_empties_the_fill_and_keeps_the_border(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["states"](), "lang=fr&queues=facturation,sinistres,chat")
    root = board.page.locator("body")
    filled, outlined = article(root, "facturation"), article(root, "sinistres")
    await expect(filled).to_have_css("background-color", "rgb(176, 0, 32)")
    await expect(outlined).to_have_css("background-color", "rgb(23, 27, 34)")
    for tile in (filled, outlined):
        await expect(tile).to_have_css("border-top-color", "rgb(255, 138, 138)")


async def test_figures_that_are_not_live_do_not_look_live(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["states"](), "lang=fr&queues=social,assistance,chat-app")
    root = board.page.locator("body")
    for queue in ("social", "assistance", "chat-app"):
        await expect(article(root, queue)).to_have_css("border-top-style", "dashed")
    hatched = article(root, "social")
    await expect(hatched).to_have_css("background-image", re.compile("repeating-linear-gradient"))
    await expect(hatched.locator(".frozen-word")).to_have_text("Figé")
    await expect(hatched.locator(".frozen-since")).to_have_text(re.compile(r"^depuis 4:1\d$"))
    await expect(hatched.locator(".frozen-why")).to_have_text("Source «\u00a0Hub social\u00a0» muette")
    await expect(hatched.locator(".frozen-when")).to_have_text("Derniers chiffres reçus, à 14:27:55")
    await expect(article(root, "assistance")).to_have_css("background-image", "none")
    await expect(hatched.locator('.figure[data-figure="longest"] .digits')).to_have_text("2\u00a0h\u00a010")


async def test_what_cannot_be_known_is_a_dash_and_true_zeros_stay(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["states"](), "lang=fr&queues=chat-app,ventes,courrier,email")
    root = board.page.locator("body")
    await expect(article(root, "chat-app")).to_have_attribute("data-look", "unknown")
    never = article(root, "chat-app").locator(".figure .digits")
    assert set(await never.all_text_contents()) == {"—"}
    empty = article(root, "ventes")
    await expect(empty.locator('.figure[data-figure="waiting"] .digits')).to_have_text("0")
    await expect(empty.locator('.figure[data-figure="service"] .digits')).to_have_text("—")
    await expect(empty.locator('.figure[data-figure="service"] .below')).to_have_text("n = 0")
    nobody = "Aucun contact depuis 15\u00a0min. n = 0"
    await expect(empty.locator(".word")).to_have_attribute("title", nobody)
    await expect(empty.locator('.figure[data-figure="service"] button')).to_have_attribute(
        "aria-label", f"Taux de service, Ventes, {nobody}"
    )


async def test_the_words_are_english_when_asked(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["alert"](), "lang=en&queues=facturation,ventes,social", view="tv")
    root = board.page.locator("body")
    await expect(article(root, "facturation").locator(".word")).to_have_text("Critical")
    await expect(article(root, "ventes").locator(".word")).to_have_text("No data")
    await expect(article(root, "social").locator(".frozen-why")).to_have_text('Source "Hub social" is silent')
    assert await board.page.evaluate("document.documentElement.lang") == "en"


async def test_stale_wins_over_critical_and_its_alert_is_suspended(open_board: OpenBoard) -> None:
    silent = SCENES["states"]().queues[5]
    scene = Scene((silent,), (alert(silent, crossed_ago_s=300),))
    board = await open_board(scene, view="desk")
    root = board.page.locator("body")
    await expect(article(root, "social")).to_have_attribute("data-look", "stale")
    card = board.page.locator(".strip .alert")
    await expect(card.locator(".alert-detail")).to_have_text("suspendue, source muette")
    await expect(card.locator(".take")).to_be_hidden()


async def test_a_critical_that_flaps_looks_like_a_warning(open_board: OpenBoard) -> None:
    queue = changed(NORMAL[0], wait_s=130)
    flapping = alert(queue, crossed_ago_s=10, flapping=True, episodes_10m=6, severity=Severity.CRITICAL)
    board = await open_board(Scene((queue,), (flapping,)), view="desk")
    row = article(board.page.locator("body"), queue.id)
    await expect(row).to_have_attribute("data-look", "warning")
    await expect(row.locator(".words")).to_have_text("Instable\u00a0· 6 bascules")
    await expect(board.page.locator(".strip .alert-detail")).to_have_text(
        "Instable\u00a0: 6 bascules en 10\u00a0min · une seule alerte"
    )
    assert not (await board.page.title()).startswith("(")


async def test_between_fire_and_clear_the_queue_stays_critical(open_board: OpenBoard) -> None:
    queue = changed(NORMAL[0], wait_s=95)
    board = await open_board(Scene((queue,), (alert(queue, crossed_ago_s=60),)), view="desk")
    await expect(article(board.page.locator("body"), queue.id)).to_have_attribute("data-look", "critical")
    await expect(board.page.locator(".strip .alert-detail")).to_contain_text("redescend, fin sous 1:30")


async def test_resolved_stays_a_minute_and_withdrawn_leaves_at_once(open_board: OpenBoard) -> None:
    scene = SCENES["steps"]()
    board = await open_board(scene, view="desk")
    page = board.page
    await page.click("#alerts-more")
    resolved = page.locator('.alert[data-look="resolved"]')
    await expect(resolved.locator(".alert-first")).to_have_text(
        re.compile(r"^Support technique · attente max 1:\d\d, repassée sous 1:30$")
    )
    await expect(resolved.locator(".alert-detail")).to_contain_text("Résolue à 14:31:40 après 2:05")
    await expect(resolved.locator(".alert-detail")).to_contain_text("traitée par Léa M.")
    gone = scene.alerts[0]
    board.stage.api.put_alert(replace(gone, state=AlertState.WITHDRAWN, version=gone.version + 1))
    await expect(page.locator(f'[data-alert="{gone.alert_id}"]')).to_have_count(0)
    await expect(article(page.locator("body"), gone.queue)).not_to_have_attribute("data-look", "critical")
