"""Who cannot see colours, cannot use a mouse, listens, or means harm: the page holds."""

import re

import pytest
from playwright.async_api import expect

from tests.end_to_end.conftest import OpenBoard
from tests.end_to_end.wallboard_rows import Scene, alert, changed
from tests.end_to_end.wallboard_scenes import NORMAL, SCENES, critical_queue

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVIL = "<img src=x onerror=alert(1)>"
OVERFLOWING = """() => [...document.querySelectorAll(
    '.digits, .value, .below, .label, .word, .words, .agent-counts, .figures-now, .figures-window, '
    + '.queue-head, .clock, .alert-title, .frozen-since, .age')]
  // names of people and queues may end in an ellipsis, figures never
  .filter((node) => node.offsetParent !== null)
  .filter((node) => {
    const tile = node.closest('article, .alert, .top').getBoundingClientRect();
    const box = node.getBoundingClientRect();
    const { display, textOverflow } = getComputedStyle(node);
    return node.scrollWidth > node.clientWidth + 1 && display !== 'inline' && textOverflow !== 'ellipsis'
      || box.right > tile.right + 1 || box.left < tile.left - 1;
  })
  .map((node) => `${node.className} ${node.textContent}`)"""
OVERLAPPING = """() => [...document.querySelectorAll('article')].flatMap((article) => {
    const boxes = [...article.querySelectorAll('.value .digits, .name, .word, .below')]
      .filter((node) => node.offsetParent !== null && node.textContent)
      .map((node) => [node.textContent, node.getBoundingClientRect()]);
    return boxes.flatMap(([text, a], index) => boxes.slice(index + 1)
      .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1)
      .filter(([, b]) => a.top + 8 < b.bottom - 8 && b.top + 8 < a.bottom - 8)
      .map(([other]) => `${text} | ${other}`));
  })"""


@pytest.mark.parametrize(
    ("scene", "view", "lang"),
    [
        ("worst", "tv", "fr"),
        ("worst-8", "tv", "fr"),
        ("worst-8", "tv", "en"),
        ("worst", "desk", "fr"),
        ("states", "desk", "en"),
        ("alert", "tv", "fr"),
        ("normal", "tv", "fr"),
    ],
)
async def test_no_text_leaves_its_place(open_board: OpenBoard, scene: str, view: str, lang: str) -> None:
    board = await open_board(SCENES[scene](), f"lang={lang}", view=view)
    await expect(board.page.locator('article:not([data-look="loading"])').first).to_be_visible()
    await board.page.evaluate("document.fonts.ready.then(() => true)")
    assert await board.page.evaluate(OVERFLOWING) == []
    assert await board.page.evaluate(OVERLAPPING) == []


async def test_no_state_change_moves_a_neighbour(open_board: OpenBoard) -> None:
    places = """() => [...document.querySelectorAll('article, .figure[data-figure=service] .digits')]
      .map((node) => [node.getBoundingClientRect().left, node.getBoundingClientRect().top].join())"""
    calm = Scene(NORMAL)
    board = await open_board(calm)
    await expect(board.page.locator('article[data-look="normal"]')).to_have_count(8)
    before = await board.page.evaluate(places)
    board.stage.scene = Scene(NORMAL, (alert(NORMAL[0], crossed_ago_s=5, threshold=30.0, clear=20.0),))
    await expect(board.page.locator('article[data-look="critical"]')).to_have_count(1)
    assert await board.page.evaluate(places) == before


async def test_names_from_outside_are_text(open_board: OpenBoard) -> None:
    queue = changed(critical_queue(), id=EVIL, name=EVIL)
    evil = alert(queue, crossed_ago_s=72, alert_id=EVIL, acknowledged_by=EVIL, metric=EVIL)
    for view in ("tv", "desk"):
        board = await open_board(Scene((queue,), (evil,)), view=view)
        await expect(board.page.locator("article .name")).to_have_count(1)  # no longer the tiles of loading
        await expect(board.page.locator("article .name")).to_have_text(EVIL)
        assert await board.page.locator("img").count() == 0


async def test_every_button_has_a_name_and_figures_are_named_in_full(open_board: OpenBoard) -> None:
    for view in ("tv", "desk"):
        board = await open_board(SCENES["alert"](), view=view)
        await expect(board.page.locator('article[data-look="critical"]')).to_be_visible()
        unnamed = await board.page.evaluate(
            "[...document.querySelectorAll('button, a')].filter((node) => node.checkVisibility() && "
            "!(node.getAttribute('aria-label') ?? node.textContent).trim()).map((node) => node.outerHTML)"
        )
        assert unnamed == []
        service = board.page.locator('article[data-look="critical"] .figure[data-figure="service"] button')
        await expect(service).to_have_attribute(
            "aria-label", "Taux de service, Facturation, 60\u00a0%, 29 sur 48 en 20 secondes"
        )
        await expect(board.page.locator('article[data-look="critical"]')).to_have_attribute(
            "aria-label", re.compile(r"^Facturation, téléphone, Critique")
        )


async def test_the_live_regions_are_there_and_empty_from_load(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["normal"](), line=lambda route: None)
    for role in ("alert", "status"):
        await expect(board.page.locator(f'[role="{role}"]')).to_have_count(1)
        await expect(board.page.locator(f'[role="{role}"]')).to_have_text("")


async def test_several_criticals_are_one_message_and_then_silence(open_board: OpenBoard) -> None:
    queues = tuple(changed(critical_queue(), id=f"q{n}", name=f"File {n}") for n in range(4))
    alerts = tuple(alert(queue, crossed_ago_s=72) for queue in queues)
    board = await open_board(Scene(queues, alerts[:3]), with_clock=True)
    spoken = board.page.locator("#spoken-alert")
    await expect(spoken).to_have_text("3 alertes critiques\u00a0: File 0, File 1, File 2")
    board.stage.scene = Scene(queues, alerts)
    await expect(board.page.locator('article[data-look="critical"]')).to_have_count(4)
    await expect(spoken).to_have_text("3 alertes critiques\u00a0: File 0, File 1, File 2")
    for _ in range(2):  # in two steps: without a frame for as long as ten seconds it would be cut off
        await board.page.clock.run_for(5_000)
        await expect(board.page.locator("#link")).to_have_text(re.compile("^En direct"))
    await expect(spoken).to_have_text(re.compile("^Critique\u00a0: File 3, attente max"))


async def test_one_tab_stop_and_arrows_between_queues_and_figures(open_board: OpenBoard) -> None:
    board = await open_board(Scene(NORMAL), "lang=fr&queues=" + ",".join(queue.id for queue in NORMAL))
    page = board.page
    await expect(page.locator('article[data-look="normal"]')).to_have_count(8)
    assert await page.locator('article button[tabindex="0"]').count() == 1
    await page.locator('article button[tabindex="0"]').focus()

    async def focused() -> str:
        name = await page.evaluate("document.activeElement.getAttribute('aria-label')")
        return ", ".join(str(name).split(", ")[:2])

    steps = [
        ("ArrowRight", "En attente, Service client"),
        ("ArrowRight", "Taux de service, Service client"),
        ("ArrowDown", "Taux de service, Chat du site"),
        ("ArrowUp", "Taux de service, Service client"),
        ("End", "Taux de service, Courrier"),
        ("Home", "Taux de service, Service client"),
        ("ArrowLeft", "En attente, Service client"),
    ]
    for key, expected in steps:
        await page.keyboard.press(key)
        assert await focused() == expected, key
    assert await page.locator('article button[tabindex="0"]').count() == 1


async def test_single_keys_can_be_switched_off_and_never_fire_in_a_field(open_board: OpenBoard) -> None:
    board = await open_board(Scene(NORMAL[:2]), view="desk")
    page = board.page
    await expect(page.locator("article.queue")).to_have_count(2)
    await page.keyboard.press("?")
    await expect(page.locator("#help-dialog")).to_be_visible()
    await page.keyboard.press("2")
    await page.uncheck("#single-keys")
    await page.keyboard.press("Escape")
    await page.keyboard.press("4")
    await page.keyboard.press("?")
    await expect(page.locator("#help-dialog")).to_be_hidden()
    await expect(page.locator(".choice[aria-pressed=true]")).to_have_text("15")


async def test_the_skip_link_leads_to_the_queues(open_board: OpenBoard) -> None:
    board = await open_board(Scene(NORMAL[:2]), view="desk")
    await expect(board.page.locator("article.queue")).to_have_count(2)
    await board.page.keyboard.press("Tab")
    await expect(board.page.locator("#skip")).to_be_focused()
    await board.page.keyboard.press("Enter")
    assert board.page.url.endswith("#queues")


async def test_focus_shows_a_ring(open_board: OpenBoard) -> None:
    board = await open_board(SCENES["alert"](), view="desk")
    button = board.page.locator('article[data-look="normal"] button.value >> nth=0')
    await button.focus()
    await board.page.keyboard.press("ArrowRight")
    ring = await board.page.evaluate(
        """(() => {
          const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
          return [outlineStyle, outlineWidth];
        })()"""
    )
    assert ring == ["solid", "3px"]
