"""What Prometheus is told of the board: labels from closed sets, whatever people call their sources."""

from typing import Any

from msgspec import structs
from prometheus_client import CollectorRegistry

from schemas.board import Backlog, QueueRow, SourceRow, Window
from schemas.config import Config, SourceConfig
from schemas.vocabulary import Channel, Freshness, WindowName
from services.api.board import Board
from services.api.hub import Hub
from services.api.metrics import BoardCollector
from tests.unit.api.rows import BACKLOG, NOW, queue_row, ratio, site_row, source_row, window

PBX = SourceConfig(id="pbx1", kind="asterisk_ami", site="paris")


def scraped(metric: str, **sources: list[SourceRow]) -> dict[tuple[str, str], float | None]:
    """The metric by (source, site), for sites with these sources; all labels that are there."""
    board, registry = Board(), CollectorRegistry()
    for site, rows in sources.items():
        board.apply(("site", site), site_row(site, sources=rows), NOW)
    hub = Hub(board, epoch="e", clock=lambda: NOW)
    registry.register(BoardCollector(board, hub, lambda: NOW, Config(sources=[PBX])))
    return {
        (sample.labels["source"], sample.labels["site"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == metric
    }


def test_sources_that_are_not_configured_are_one() -> None:
    posted = [source_row(f"shop/{number}", heard_ms=NOW - 1000 * number) for number in range(50)]
    paris = [source_row(), *posted]
    assert scraped("vigie_source_up", paris=paris) == {("pbx1", "paris"): 1, ("http", "paris"): 1}
    assert scraped("vigie_source_age_seconds", paris=paris) == {
        ("pbx1", "paris"): 0.09,
        ("http", "paris"): 49.0,
    }


def test_one_silent_source_that_is_not_configured_makes_all_of_them_down() -> None:
    silent = source_row("hub", freshness=Freshness.STALE)
    rows = [source_row(), source_row("shop"), silent]
    assert scraped("vigie_source_up", paris=rows) == {("pbx1", "paris"): 1, ("http", "paris"): 0}


def test_a_source_is_configured_for_its_own_site() -> None:
    up = scraped("vigie_source_up", paris=[source_row()], lyon=[source_row()])
    assert up == {("pbx1", "paris"): 1, ("http", "lyon"): 1}


def test_a_source_never_heard_is_down_and_has_no_age() -> None:
    never = [source_row(heard_ms=None)]
    assert scraped("vigie_source_up", paris=never) == {("pbx1", "paris"): 0}
    assert scraped("vigie_source_age_seconds", paris=never) == {}


def told(row: QueueRow, *words: str) -> dict[str, float]:
    """The figures with these words in their names, of items as a rule, that Prometheus is told of a queue."""
    board, registry = Board(), CollectorRegistry()
    board.apply(("site", "paris"), site_row(), NOW)
    board.apply(("queue", "paris", row.queue), row, NOW)
    hub = Hub(board, epoch="e", clock=lambda: NOW)
    registry.register(BoardCollector(board, hub, lambda: NOW, Config()))
    return {
        sample.name.removeprefix("vigie_queue_"): sample.value
        for family in registry.collect()
        for sample in family.samples
        if any(word in sample.name for word in words or ("backlog", "item", "cleared"))
        and sample.labels.get("window", "15m") == "15m"
    }


def mail(**changed: Any) -> QueueRow:
    figures = window(cleared=ratio(3, 4), cleared_business=ratio(0, 0))
    return queue_row(
        "mail", channel=Channel.EMAIL, backlog=BACKLOG, windows={WindowName.M15: figures}, **changed
    )


def test_of_items_there_is_what_is_known() -> None:
    figures = {"backlog_items": 7, "oldest_item_seconds": 90_000, "oldest_item_business_seconds": 36_000}
    assert told(mail()) == figures | {"cleared_ratio": 0.75}
    nothing = Backlog(open=0, promise_s=172_800)
    assert told(structs.replace(mail(), backlog=nothing)) == {"backlog_items": 0, "cleared_ratio": 0.75}


def test_slots_are_told_where_a_capacity_is() -> None:
    def slots(figures: Window) -> dict[str, float]:
        return told(queue_row(windows={WindowName.M15: figures}), "slot")

    assert slots(window(slots=ratio(5400.0, 7200.0))) == {"slot_occupancy_ratio": 0.75}
    assert slots(window(slots=ratio(0.0, 0.0))) == {}
    assert slots(window()) == {}


def test_of_a_phone_queue_or_a_stale_one_no_item_is_told() -> None:
    assert told(queue_row()) == {}
    assert told(mail(freshness=Freshness.STALE)) == {}
