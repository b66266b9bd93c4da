"""The page follows the server: rows, clocks, gaps, cuts, refusals."""

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from schemas.vocabulary import Freshness
from tests.end_to_end.conftest import OpenBoard
from tests.end_to_end.wallboard_rows import START_MS, Queue, Scene, changed
from tests.end_to_end.wallboard_scenes import NORMAL, SCENES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ONE = NORMAL[0]
TWO = Scene((ONE, NORMAL[1]))


def digits(page: Page, figure: str) -> Any:
    tile = page.locator('article.queue[data-key=\'["paris","service-client"]\']')
    return tile.locator(f'.figure[data-figure="{figure}"] .digits')


async def test_a_number_changes_when_the_row_does(open_board: OpenBoard) -> None:
    board = await open_board(TWO)
    await expect(digits(board.page, "waiting")).to_have_text("3")
    board.stage.scene = Scene((changed(ONE, waiting=7, service=(61, 73)), NORMAL[1]))
    await expect(digits(board.page, "waiting")).to_have_text("7")
    await expect(digits(board.page, "service")).to_have_text("84\u00a0%")


async def test_a_queue_appears_with_its_first_row_and_leaves_when_removed(open_board: OpenBoard) -> None:
    board = await open_board(Scene((ONE,)))
    await expect(board.page.locator("article.queue")).to_have_count(1)
    board.stage.scene = TWO
    await expect(board.page.locator("article.queue")).to_have_count(2)
    board.stage.scene = Scene((ONE,))
    board.stage.api.board.apply(("queue", "paris", "facturation"), None, board.stage.clock())
    board.stage.api.hub.wake()
    await expect(board.page.locator("article.queue")).to_have_count(1)


async def test_waits_tick_between_frames_by_the_servers_clock(open_board: OpenBoard) -> None:
    """The browser's wall clock is years away from the server's; only the server's counts."""
    board = await open_board(TWO)
    await expect(board.page.locator("#clock")).to_have_text(re.compile(r"^14:32:0\d$"))
    first = await digits(board.page, "longest").text_content()
    await expect(digits(board.page, "longest")).not_to_have_text(first or "")
    assert re.fullmatch(r"0:(4|5)\d", await digits(board.page, "longest").text_content())


async def test_a_window_is_chosen_by_key_and_by_button(open_board: OpenBoard) -> None:
    board = await open_board(TWO, view="desk")
    await expect(board.page.locator(".choice[aria-pressed=true]")).to_have_text("15")
    await board.page.keyboard.press("3")
    await expect(board.page.locator(".choice[aria-pressed=true]")).to_have_text("30")
    assert "window=30m" in board.page.url
    await board.page.click(".choice >> nth=0")
    await expect(board.page.locator(".choice[aria-pressed=true]")).to_have_text("5")


async def test_without_frames_it_says_so_after_3_s_and_trusts_nothing_after_10(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["alert"](), with_clock=True)
    page = board.page
    await expect(page.locator("#link")).to_have_text(re.compile("^En direct"))
    await board.cut()
    await page.clock.run_for(3_100)
    await expect(page.locator("#link")).to_have_text("Reconnexion…")
    await expect(page.locator("#band")).to_be_hidden()
    await expect(page.locator('article[data-look="critical"]')).to_have_count(1)
    await page.clock.run_for(7_000)
    await expect(page.locator("#link")).to_have_text("Déconnecté")
    await expect(page.locator("#band-title")).to_have_text(
        re.compile(r"^Déconnecté depuis 0:1\d\s: ces chiffres datent de 14:32:\d\d$")
    )
    await expect(page.locator("#band-detail")).to_contain_text("Ne vous y fiez pas avant le retour de")
    await expect(page.locator("article.queue")).to_have_count(8)
    await expect(page.locator('article[data-look="stale"]')).to_have_count(8)
    await expect(page.locator(".frozen-why >> nth=0")).to_have_text("Page déconnectée")
    ages = await page.locator(".frozen-since").all_text_contents()
    assert sum(age.startswith("depuis 4:") for age in ages) == 1, "its own source was silent before"
    await page.clock.run_for(10_000)  # one message per 10 s: it may have to wait for its turn
    await expect(page.locator("#spoken-alert")).to_have_text("Déconnecté")


async def test_the_silence_is_told_at_its_third_second_not_at_the_next_tick(open_board: OpenBoard) -> None:
    """The page's clock stands still but where the test moves it, and its words are read at once."""
    has_beaten = asyncio.Event()
    is_cut = False

    def line(route: WebSocketRoute) -> None:
        def to_page(message: str | bytes) -> None:
            if not is_cut:
                route.send(message)
                if json.loads(message)["type"] == "heartbeat":
                    has_beaten.set()

        route.connect_to_server().on_message(to_page)

    page = (await open_board(SCENES["normal"](), with_clock=True, line=line)).page
    link = page.locator("#link")
    await expect(link).to_have_text(re.compile("^En direct"))
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 30"))  # far enough on a slow machine
    await page.clock.run_for(1_000)  # it connects again after that leap
    has_beaten.clear()
    await has_beaten.wait()
    is_cut = True
    await page.evaluate("0")  # what was sent before this has been heard
    for run_ms, words in [
        (2_990, "En direct"),
        (20, "Reconnexion…"),
        (6_980, "Reconnexion…"),
        (20, "Déconnecté"),
    ]:
        await page.clock.run_for(run_ms)
        assert str(await link.text_content()).startswith(words)


async def test_a_cut_page_shows_no_figure_of_a_queue_that_was_never_heard(open_board: OpenBoard) -> None:
    never = Queue("chat-app", "Chat application", changed={"heard_ms": None, "sources": ["app"]})
    for view in ("tv", "desk"):
        board = await open_board(Scene((ONE, never)), with_clock=True, view=view)
        page = board.page
        tile = page.locator('article.queue[data-key=\'["paris","chat-app"]\']')
        await expect(tile).to_have_attribute("data-look", "unknown")
        await board.cut()
        await page.clock.run_for(10_100)
        await expect(tile).to_have_attribute("data-look", "stale")
        assert set(await tile.locator(".figure .digits").all_text_contents()) == {"—"}
        assert set(await tile.locator(".agent-count b").all_text_contents()) == {"—"}
        await expect(tile.locator(".age")).to_have_text("—")
        await expect(tile.locator(".frozen-when")).to_have_text("Aucun chiffre reçu")
        await expect(digits(page, "waiting")).to_have_text("3")


async def test_a_silent_worker_is_not_called_a_silent_source(open_board: OpenBoard) -> None:
    board = await open_board(TWO)
    await expect(board.page.locator('article[data-look="normal"]')).to_have_count(2)
    board.stage.is_playing = False
    await expect(board.page.locator('article[data-look="stale"]')).to_have_count(2, timeout=10_000)
    await expect(board.page.locator(".frozen-why >> nth=0")).to_have_text("Calcul des chiffres arrêté")
    await expect(board.page.locator("#link")).to_have_text(re.compile("^En direct"))


async def test_a_lost_frame_is_noticed_and_the_board_asked_for_again(open_board: OpenBoard) -> None:
    asked: list[dict[str, Any]] = []
    dropped: list[int] = []
    came: list[str] = []

    def lossy(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def to_server(message: str | bytes) -> None:
            asked.append(json.loads(message))
            server.send(message)

        def to_page(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "update" and not dropped:
                dropped.append(frame["seq"])
                return
            came.append(f"{frame['type']} {frame.get('recovered', '')}")
            route.send(message)

        route.on_message(to_server)
        server.on_message(to_page)

    board = await open_board(TWO, line=lossy)
    await expect(digits(board.page, "waiting")).to_have_text("3")
    board.stage.scene = Scene((changed(ONE, waiting=5), NORMAL[1]))
    await expect(digits(board.page, "waiting")).to_have_text("5")
    assert len(dropped) == 1
    assert [message["type"] for message in asked] == ["resume"]
    assert asked[0]["seq"] < dropped[0]
    assert "update True" in came
    assert [kind for kind in came if kind.startswith("snapshot")] == ["snapshot "]


async def test_a_closed_connection_is_opened_again(open_board: OpenBoard) -> None:
    lines: list[WebSocketRoute] = []
    came: list[str] = []

    def line(route: WebSocketRoute) -> None:
        lines.append(route)

        def to_page(message: str | bytes) -> None:
            frame = json.loads(message)
            came.append(f"{frame['type']} {frame.get('recovered', '')}")
            route.send(message)

        route.connect_to_server().on_message(to_page)

    board = await open_board(TWO, line=line)
    await expect(digits(board.page, "waiting")).to_have_text("3")
    await lines[0].close(code=1012)
    board.stage.scene = Scene((changed(ONE, waiting=6), NORMAL[1]))
    await expect(digits(board.page, "waiting")).to_have_text("6", timeout=10_000)
    assert [line.url.endswith("?resume=1") for line in lines] == [False, True]
    assert "update True" in came
    assert [kind for kind in came if kind.startswith("snapshot")] == ["snapshot "]


async def test_a_refused_page_says_so_and_does_not_ask_again(open_board: OpenBoard) -> None:
    lines: list[WebSocketRoute] = []

    async def line(route: WebSocketRoute) -> None:
        lines.append(route)
        await route.close(code=1008)

    board = await open_board(TWO, line=line, with_clock=True)
    await expect(board.page.locator("#notice-title")).to_have_text(
        "Ce tableau ne vous est pas ouvert. Demandez l’accès à son équipe."
    )
    await board.page.clock.run_for(30_000)
    await expect(board.page.locator("article.queue")).to_have_count(0)
    await expect(board.page.locator("#band")).to_be_hidden()
    assert len(lines) == 1


async def test_before_the_first_frame_tiles_have_no_shape_and_no_figure(open_board: OpenBoard) -> None:
    board = await open_board(TWO, line=lambda route: None)
    page = board.page
    await expect(page.locator("#notice-title")).to_have_text("Chargement des files…")
    await expect(page.locator("article.queue")).to_have_count(8)
    assert set(await page.locator(".figure .digits").all_text_contents()) == {"—"}
    assert await page.locator(".state > .shape:visible").count() == 0


async def test_an_empty_board_says_what_to_do(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["empty"](), "lang=en")
    await expect(board.page.locator("#notice-title")).to_have_text("This board has no queue yet")
    await expect(board.page.locator("#notice-link")).to_be_hidden()
    await expect(board.page.locator("#notice-choose")).to_be_hidden()  # there is none to choose
    filtered = await open_board(TWO, "lang=en&queues=nowhere")
    link = filtered.page.locator("#notice-link")
    await expect(link).to_have_text("See every queue")
    await expect(link).to_have_attribute("href", "?lang=en")


async def test_an_empty_board_lets_its_queues_be_chosen(open_board: OpenBoard) -> None:
    board = await open_board(TWO, "lang=fr&queues=nowhere&site=paris", view="desk")
    page = board.page
    await page.click("#notice-choose >> text=Choisir les files")
    await expect(page.locator("#choose-list label")).to_have_text(["Facturation", "Service client"])
    await expect(page.locator("#choose-ok")).to_be_disabled()
    await expect(page.locator("#choose-list input").first).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await expect(page.locator("article.queue .name")).to_have_text(["Facturation"])
    assert "queues=facturation" in page.url
    assert "site=paris" in page.url


async def test_a_list_of_queues_that_cannot_be_read_says_so(open_board: OpenBoard) -> None:
    board = await open_board(TWO, "lang=fr&queues=nowhere")
    await board.page.route("**/api/v1/board*", lambda route: route.abort())
    await board.page.click("#notice-choose")
    await expect(board.page.locator("#choose-hint")).to_have_text("La liste n’a pas pu être lue, réessayez.")
    await board.page.click("#choose-cancel")
    await expect(board.page.locator("#choose-dialog")).to_be_hidden()
    assert "queues=nowhere" in board.page.url


async def test_catching_up_shows_how_far_behind_and_does_not_tick(open_board: OpenBoard) -> None:
    """Its row is written anew each second; what it says is as old as what was read of the log."""
    told = {"freshness": Freshness.CATCHING_UP, "behind_s": 8.0, "heard_ms": START_MS - 8000}
    board = await open_board(Scene((changed(ONE, changed=told),)))
    tile = board.page.locator("article.queue[data-key]")
    await expect(tile).to_have_attribute("data-look", "catching_up")
    await expect(tile.locator(".words")).to_have_text("Rattrapage\u00a0· 8\u00a0s")
    begun = await board.page.locator("#clock").text_content()
    for _ in range(2):
        await expect(digits(board.page, "longest")).to_have_text("0:40")
        await expect(board.page.locator("#clock")).not_to_have_text(begun or "")
        begun = await board.page.locator("#clock").text_content()
    assert await digits(board.page, "longest").text_content() == "0:40"


async def test_more_queues_than_tiles_stand_on_pages(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["many"]())
    page = board.page
    await expect(page.locator("article.queue:visible")).to_have_count(8)
    await expect(page.locator("#page")).to_have_text("1 / 3")


async def test_layout_follows_the_width_unless_asked(open_board: OpenBoard) -> None:
    wide = await open_board(TWO)
    await expect(wide.page.locator("body")).to_have_attribute("data-layout", "tv")
    await wide.page.set_viewport_size({"width": 1440, "height": 900})
    await expect(wide.page.locator("body")).to_have_attribute("data-layout", "desk")
    asked = await open_board(TWO, "lang=fr&view=tv", view="desk")
    await expect(asked.page.locator("body")).to_have_attribute("data-layout", "tv")
