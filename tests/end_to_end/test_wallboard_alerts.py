"""The alert strip: order, acknowledging by mouse and by keyboard, what is said aloud."""

import re

import pytest
from msgspec.structs import replace
from playwright.async_api import Page, expect

from schemas.events import AlertAcknowledge, AlertResolve, AlertSnooze
from schemas.vocabulary import AlertState
from tests.end_to_end.conftest import OpenBoard, RunModule
from tests.end_to_end.wallboard_rows import START_MS, Scene, alert, changed
from tests.end_to_end.wallboard_scenes import NORMAL, SCENES, critical_queue

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def one_critical() -> Scene:
    queue = critical_queue()
    return Scene((NORMAL[0], queue), (alert(queue, crossed_ago_s=72),))


async def give_name(page: Page, name: str = "Zoé R.") -> None:
    await expect(page.locator("#name-dialog")).to_be_visible()
    await page.fill("#name", name)
    await page.keyboard.press("Enter")


async def test_an_alert_appears_and_is_taken_by_keyboard_alone(open_board: OpenBoard) -> None:
    queue = critical_queue()
    board = await open_board(Scene((NORMAL[0], queue)), view="desk")
    page = board.page
    await expect(page.locator(".alert-quiet")).to_contain_text("Aucune alerte en cours")
    board.stage.scene = one_critical()
    await expect(page.locator("#spoken-alert")).to_have_text(
        re.compile(r"^Critique\s: Facturation, attente max 3:\d\d, limite 2:00$")
    )
    await expect(page).to_have_title("(1) Relation client · Lyon · Vigie")
    while await page.evaluate("document.activeElement.className") != "take":
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await give_name(page)
    await expect(page.locator(".alert-aside")).to_have_text(re.compile(r"^Zoé R\. depuis 14:3\d$"))
    await expect(page.locator('article[data-look="critical"][data-taken]')).to_have_count(1)
    await expect(page).to_have_title("Relation client · Lyon · Vigie")
    assert board.stage.api.log.written[0].by == "Zoé R."


async def test_the_key_a_acts_on_the_focused_queue_and_asks_the_name_once(open_board: OpenBoard) -> None:
    first, second = critical_queue(), changed(critical_queue(), id="sinistres", name="Sinistres")
    scene = Scene((first, second), (alert(first, crossed_ago_s=72), alert(second, crossed_ago_s=50)))
    board = await open_board(scene)
    page = board.page
    await page.locator("article.queue button.value:visible >> nth=0").focus()
    await page.keyboard.press("a")
    await give_name(page)
    await expect(page.locator("article[data-taken]")).to_have_count(1)
    await page.keyboard.press("ArrowRight")
    await page.locator('article:not([data-taken]) .figure[data-figure="longest"] button').focus()
    await page.keyboard.press("a")
    await expect(page.locator("article[data-taken]")).to_have_count(2)
    assert [command.by for command in board.stage.api.log.written] == ["Zoé R.", "Zoé R."]


async def test_by_mouse_on_the_wall_too(open_board: OpenBoard) -> None:
    board = await open_board(one_critical())
    await board.page.hover(".strip .alert")
    await board.page.click(".take")
    await give_name(board.page)
    await expect(board.page.locator("article[data-taken]")).to_have_count(1)
    await expect(board.page.locator(".strip .alert-detail")).to_have_text(
        re.compile(r"^dépassée depuis 1:\d\d · Zoé R\. s’en occupe$")
    )


async def test_a_reminder_in_ten_minutes_by_one_press(open_board: OpenBoard) -> None:
    board = await open_board(one_critical(), view="desk")
    page = board.page
    await expect(page.locator(".action-close")).to_be_hidden()
    await page.get_by_role("button", name="Rappel 10 min, Facturation").click()
    await give_name(page)
    await expect(page.locator(".strip .alert-detail")).to_have_text("En rappel jusqu’à 14:42, par Zoé R.")
    await expect(page.locator(".action-snooze")).to_be_hidden()
    await expect(page.locator(".take")).to_be_visible()
    (command,) = board.stage.api.log.written
    assert isinstance(command, AlertSnooze)
    assert 0 <= START_MS + 600_000 + 60_000 - command.until_ms < 120_000


async def test_other_reminders_are_in_a_menu_by_mouse_and_by_keyboard(open_board: OpenBoard) -> None:
    board = await open_board(one_critical(), view="desk")
    page = board.page
    await page.click(".action-snooze-others")
    menu = page.locator(".snooze-menu")
    await expect(menu.locator("button")).to_have_text(
        ["Rappel 5\u00a0min", "Rappel 10\u00a0min", "Rappel 30\u00a0min"]
    )
    await page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(page.locator(".action-snooze-others")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await give_name(page)
    await expect(page.locator(".strip .alert-detail")).to_have_text(
        re.compile("^En rappel jusqu’à 15:0[0-4], par Zoé R.$")
    )


async def test_once_taken_it_is_closed_by_whoever_took_it(open_board: OpenBoard) -> None:
    board = await open_board(one_critical(), view="desk")
    page = board.page
    await page.click(".take")
    await give_name(page)
    await expect(page.locator(".action-snooze")).to_be_hidden()
    await page.get_by_role("button", name="Clore, Facturation").click()
    await expect(page.locator(".strip .alert-first")).to_have_text(
        re.compile(r"^Facturation · attente max \d:\d\d, limite 2:00$")
    )
    await expect(page.locator(".strip .alert-detail")).to_have_text(
        re.compile(r"^Close à 14:3\d:\d\d après \d:\d\d par Zoé R\. · disparaît dans \S+(\ss)?$")
    )
    await expect(page.locator("article[data-look=critical]")).to_have_count(0)
    assert [type(command) for command in board.stage.api.log.written] == [AlertAcknowledge, AlertResolve]


async def test_the_key_r_reminds_of_the_focused_queue_on_the_wall_too(open_board: OpenBoard) -> None:
    board = await open_board(one_critical())
    page = board.page
    await expect(page.locator(".action:visible")).to_have_count(0)
    await page.locator('article[data-look="critical"] button.value:visible >> nth=0').focus()
    await page.keyboard.press("r")
    await give_name(page)
    await expect(page.locator(".strip .alert-detail")).to_have_text("En rappel jusqu’à 14:42, par Zoé R.")


async def test_somebody_was_faster(open_board: OpenBoard) -> None:
    """409: the new state is shown, and one line says why ours was not saved."""
    board = await open_board(one_critical(), view="desk")
    page, api = board.page, board.stage.api
    taken = replace(
        api.board.alerts["alert-facturation"],
        state=AlertState.ACKNOWLEDGED,
        acknowledged_by="Karim B.",
        acknowledged_ms=START_MS,
        version=2,
    )
    api.log.worker = lambda command: replace(taken, command=command.command, accepted=False)
    await page.click(".take")
    await give_name(page)
    await expect(page.locator(".alert-note")).to_have_text("Non enregistré\u00a0: Karim B. s’en occupe déjà.")
    await expect(page.locator(".alert-aside")).to_contain_text("Karim B. depuis")
    await expect(page.locator(".take")).to_be_hidden()


async def test_the_note_outlives_the_frame_of_the_change_it_speaks_of(run_module: RunModule) -> None:
    """Whichever comes first, answer or frame, the note is there until the alert changes again."""
    code = """
      const alert = { alert_id: "a", version: 2, acknowledged_by: "Karim B." };
      const post = async () => ({ status: 409, body: { alert } });
      const texts = { notSavedTaken: (name) => `taken by ${name}` };
      const commands = new m.Commands({ post, onAlert: () => {}, onChange: () => {} });
      await commands.acknowledge("a", "Zoé R.", texts);
      const notes = [];
      for (const version of [2, 1, 3]) {
        commands.settle({ alert_id: "a", version });
        notes.push(commands.get("a")?.note ?? null);
      }
      return notes;
    """
    assert await run_module("commands.js", code) == ["taken by Karim B."] * 2 + [None]


async def test_a_failure_is_said_in_the_row_and_gives_the_button_back(open_board: OpenBoard) -> None:
    board = await open_board(one_critical(), view="desk")
    board.stage.api.log.is_there = False
    await board.page.click(".take")
    await give_name(board.page)
    await expect(board.page.locator(".alert-note")).to_have_text("Non enregistré, réessayez.")
    await expect(board.page.locator(".take")).to_be_enabled()
    board.stage.api.log.is_there = True
    await board.page.click(".take")
    await expect(board.page.locator("article[data-taken]")).to_have_count(1)
    await expect(board.page.locator(".alert-note")).to_have_text("")


async def test_the_button_answers_at_once(open_board: OpenBoard) -> None:
    board = await open_board(one_critical(), view="desk")
    board.stage.api.log.worker = lambda command: None
    await board.page.click(".take")
    await give_name(board.page)
    await expect(board.page.locator(".take")).to_have_text("Envoi…")
    await expect(board.page.locator(".take")).to_be_disabled()


async def test_a_closed_name_dialog_does_nothing(open_board: OpenBoard) -> None:
    board = await open_board(one_critical(), view="desk")
    await board.page.click(".take")
    await expect(board.page.locator("#name-dialog")).to_be_visible()
    await board.page.keyboard.press("Escape")
    await expect(board.page.locator("#name-dialog")).to_be_hidden()
    await expect(board.page.locator(".take")).to_be_enabled()
    assert board.stage.api.log.written == []


async def test_the_strip_has_its_order_and_its_rest(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["steps"](), view="desk")
    page = board.page
    await expect(page.locator(".strip .alert")).to_have_count(3)
    await expect(page.locator("#alerts-more")).to_have_text("Toutes les alertes (8)")
    await page.click("#alerts-more")
    assert await page.locator(".strip .alert-queue").all_text_contents() == [
        "Retours",
        "Facturation",
        "Sinistres",
        "Chat du site",
        "Support technique",
        "Service client",
        "Réseaux sociaux",
        "Support technique",
    ]
    wall = await open_board(SCENES["steps"]())
    await expect(wall.page.locator(".strip .alert")).to_have_count(4)
    await expect(wall.page.locator(".alert-overflow")).to_have_text("+5autres")


async def test_an_alert_on_a_source_names_it_and_can_be_taken(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["operations"](), view="desk")
    page = board.page
    first, second = (page.locator(".strip .alert").nth(n) for n in range(2))
    await expect(first.locator(".alert-first")).to_have_text(
        re.compile(r"^Asterisk Lyon · source muette \d:\d\d$")
    )
    await expect(first.locator(".alert-detail")).to_have_text(
        re.compile(r"^À surveiller depuis \d:\d\d · à prendre$")
    )
    await expect(second.locator(".alert-first")).to_have_text("vigie.events/2 · événements perdus 1\u00a0248")
    await first.locator(".take").click()
    await give_name(page)
    await expect(page.locator(".alert-aside:visible")).to_have_text(re.compile(r"^Zoé R\. depuis 14:3\d$"))
    wall = await open_board(SCENES["operations"](), "lang=en")
    await expect(wall.page.locator(".strip .alert-first >> nth=0")).to_have_text(
        re.compile(r"^Asterisk Lyon: source silent \d:\d\d$")
    )


async def test_the_lever_is_told_as_long_as_hands_are_free_there(open_board: OpenBoard) -> None:
    scene = SCENES["alert"]()
    board = await open_board(scene, view="desk")
    detail = board.page.locator(".strip .alert-detail >> nth=0")
    await expect(detail).to_contain_text("4 disponibles au Service client")
    for available, text in ((2, "2 disponibles au Service client"), (0, None)):
        helper = changed(scene.queues[0], agents=(available, 11, 2, 2, 5))
        board.stage.scene = Scene((helper, *scene.queues[1:]), scene.alerts)
        if text is None:
            await expect(detail).not_to_contain_text("levier")
        else:
            await expect(detail).to_contain_text(text)


async def test_a_forecast_is_grey_and_without_actions(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["alert"](), view="desk")
    soon = board.page.locator('.alert[data-look="soon"]')
    await expect(soon.locator(".alert-first")).to_have_text(
        "Support technique · 3 appels dépassent 2:00 dans 30\u00a0s"
    )
    await expect(soon.locator(".alert-detail")).to_have_text("Bientôt · 1 disponible, 3 en post-contact")
    await expect(soon.locator(".take")).to_be_hidden()


async def test_the_lever_and_who_is_on_it_are_told(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["alert"](), view="desk")
    first = board.page.locator(".strip .alert >> nth=0")
    await expect(first.locator(".alert-detail")).to_have_text(
        re.compile(
            r"^Critique depuis 1:1\d · personne ne s’en occupe · levier\s: 4 disponibles au Service client$"
        )
    )
    await expect(board.page.locator(".alert-aside:visible")).to_have_text("Léa M. depuis 14:27")


async def test_a_rule_s_name_opens_its_definition(open_board: OpenBoard) -> None:
    page = (await open_board(SCENES["alert"](), view="desk")).page
    await expect(page.locator("#rules")).to_have_text(re.compile("^Règles\u00a0: attente max$"))
    await page.click("#rules >> text=attente max")
    await expect(page.locator("#rule-rows dd")).to_have_text(
        [
            "attente max au-dessus de la limite d’attente de la file",
            "sous 75\u00a0% de la limite d’attente de la file",
            "toutes",
            "Critique",
            "wait_over_two_minutes",
        ]
    )
    await page.keyboard.press("Escape")
    await expect(page.locator("#rule-dialog")).to_be_hidden()
    await expect((await open_board(SCENES["alert"]())).page.locator("#rules")).to_be_hidden()


async def test_the_quiet_strip_tells_the_last_alert(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["normal"]())
    await expect(board.page.locator(".alert-quiet .alert-detail")).to_have_text(
        "Dernière\u00a0: Facturation, attente max, de 13:58 à 14:01, traitée par Léa M."
    )
