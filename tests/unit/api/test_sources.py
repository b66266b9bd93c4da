"""The source panel: what several ingest processes say, and what the board has heard, put together."""

from schemas.board import DeadLetter, SourceRow
from schemas.sources import SourceState, SourceStatus, SourceView
from schemas.vocabulary import Freshness
from services.api.board import Board, View
from services.api.sources import FORGOTTEN_MS, Sources
from tests.unit.api.rows import NOW as NOW_MS
from tests.unit.api.rows import key_of, site_row

EVERYTHING = View()


def status(source: str = "pbx1", instance: str = "a", **more: object) -> SourceStatus:
    told: dict[str, object] = {
        "source": source,
        "instance": instance,
        "site": "paris",
        "kind": "asterisk_ami",
        "state": SourceState.CONNECTED,
        "as_of_ms": NOW_MS - 1000,
        "since_ms": NOW_MS - 60_000,
        **more,
    }
    return SourceStatus(**told)  # type: ignore[arg-type] # the tests name real fields


def views(*told: SourceStatus, board: Board | None = None, seen: View = EVERYTHING) -> list[SourceView]:
    sources = Sources()
    for each in told:
        sources.apply(each)
    return sources.views(board or Board(), seen, NOW_MS)


def board_with(*rows: SourceRow) -> Board:
    board = Board()
    row = site_row(sources=list(rows))
    board.apply(key_of(row), row, NOW_MS)
    return board


def letter(at_ms: int) -> DeadLetter:
    return DeadLetter(source="pbx1", reason="invalid", detail="d", sha256="0", size=1, received_ms=at_ms)


def test_the_counts_of_all_processes_are_added_up_and_one_connected_is_enough() -> None:
    (view,) = views(
        status(
            instance="a",
            state=SourceState.LOST,
            reason="10.0.0.1:5038 does not answer",
            events=2,
            types={"Join": 2},
            reconnects=3,
            letters=[letter(1), letter(3)],
            dead_letters=2,
        ),
        status(
            instance="b",
            connected_ms=NOW_MS - 5000,
            events=5,
            event_ms=NOW_MS - 40,
            types={"Join": 1, "Leave": 4},
            letters=[letter(2)],
            dead_letters=1,
        ),
    )

    assert (view.state, view.reason, view.connected_ms) == (SourceState.CONNECTED, None, NOW_MS - 5000)
    assert (view.events, view.types, view.reconnects) == (7, {"Leave": 4, "Join": 3}, 3)
    assert (view.dead_letters, [each.received_ms for each in view.letters]) == (3, [3, 2, 1])
    assert [(each.instance, each.state, each.age_ms) for each in view.instances] == [
        ("a", SourceState.LOST, 1000),
        ("b", SourceState.CONNECTED, 1000),
    ]


def test_a_later_word_of_a_process_replaces_the_earlier() -> None:
    (view,) = views(status(events=2), status(events=3, as_of_ms=NOW_MS))

    assert (view.events, len(view.instances)) == (3, 1)


def test_a_process_that_says_nothing_any_more_is_forgotten() -> None:
    assert views(status(as_of_ms=NOW_MS - FORGOTTEN_MS - 1)) == []


def test_what_the_board_has_heard_stands_beside_what_ingest_says() -> None:
    row = SourceRow(
        source="pbx1",
        kind="asterisk_ami",
        label="PBX",
        freshness=Freshness.LIVE,
        age_ms=None,
        heard_ms=NOW_MS - 300,
        stale_at_ms=NOW_MS + 10_000,
        skew_ms=420,
    )
    (view,) = views(status(label="PBX"), board=board_with(row))

    assert (view.freshness, view.age_ms, view.skew_ms) == (Freshness.LIVE, 300, 420)
    assert view.state is SourceState.CONNECTED


def test_who_only_posts_is_there_with_unknown_counts() -> None:
    row = SourceRow(source="shop", kind="http", freshness=Freshness.LIVE, age_ms=None, heard_ms=NOW_MS)
    (view,) = views(board=board_with(row))

    assert (view.source, view.kind, view.state, view.events) == ("shop", "http", None, None)


def test_other_sites_are_not_seen() -> None:
    of_lyon = status(source="crm", site="lyon")

    assert [each.source for each in views(status(), of_lyon, seen=View(sites=frozenset({"lyon"})))] == ["crm"]
    assert [each.source for each in views(status(), of_lyon, seen=View(site="paris"))] == ["pbx1"]
