"""What Prometheus is told of the board: labels from closed sets, whatever people call their sources."""

from prometheus_client import CollectorRegistry

from schemas.board import SourceRow
from schemas.config import Config, SourceConfig
from schemas.vocabulary import Freshness
from services.api.board import Board
from services.api.hub import Hub
from services.api.metrics import BoardCollector
from tests.unit.api.rows import NOW, site_row, source_row

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
