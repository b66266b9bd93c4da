"""The board: newest row of each key, one version for all of it."""

import pytest
from msgspec.structs import replace

from schemas.board import Alert
from schemas.vocabulary import AlertState, Freshness
from services.api.board import Board, Row, View
from tests.unit.api.rows import NOW, agent_row, alert, key_of, queue_row, site_row


def filled(*rows: Row) -> Board:
    board = Board()
    for row in rows:
        board.apply(key_of(row), row, NOW)
    return board


def test_a_newer_row_takes_the_place_of_the_older() -> None:
    board = filled(site_row(), queue_row(), queue_row(waiting=7))
    assert [row.waiting for row in board.queues.values()] == [7]
    assert board.seq == 3


def test_the_same_row_again_changes_nothing() -> None:
    board = filled(queue_row(), agent_row(), site_row(alerts=[alert()]))
    before = board.seq
    for row in (queue_row(), agent_row(), site_row(alerts=[alert()])):
        board.apply(key_of(row), row, NOW)
    assert board.seq == before


def test_a_removed_row_is_gone_and_its_key_changed() -> None:
    board = filled(site_row(), queue_row(), agent_row())
    board.changed.clear()
    for row in (queue_row(), site_row(), agent_row()):
        board.apply(key_of(row), None, NOW)
    assert not board.queues
    assert not board.sites
    assert not board.agents
    assert list(board.changed) == [key_of(queue_row()), key_of(site_row())]
    assert board.seq == 6


def test_removing_what_was_never_there_changes_nothing() -> None:
    board = Board()
    board.apply(key_of(queue_row()), None, NOW)
    board.apply(("something", "new"), None, NOW)
    assert (board.seq, board.changed) == (0, {})


def test_a_change_of_waiting_is_urgent_and_stays_so() -> None:
    board = filled(site_row(), queue_row())
    board.changed.clear()
    board.apply(key_of(queue_row()), queue_row(behind_s=0.1), NOW)
    assert not board.changed[key_of(queue_row())].urgent
    board.apply(key_of(queue_row()), queue_row(waiting=1), NOW)
    board.apply(key_of(queue_row()), queue_row(waiting=1, behind_s=0.2), NOW)
    change = board.changed[key_of(queue_row())]
    assert change.urgent
    assert change.since == 3


def test_a_queue_whose_site_has_no_row_yet_is_stale() -> None:
    board = filled(queue_row())
    assert board.site_names() == ["paris"]
    assert board.site_freshness("paris", NOW) is Freshness.UNKNOWN
    assert board.queue_freshness(queue_row(), NOW) is Freshness.STALE


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        (View(), [("lyon", "support"), ("paris", "billing"), ("paris", "support")]),
        (View(site="lyon"), [("lyon", "support")]),
        (View(queues=frozenset({"support"})), [("lyon", "support"), ("paris", "support")]),
        (View(site="paris", queues=frozenset({"none"})), []),
    ],
)
def test_a_view_shows_what_was_asked_for(view: View, shown: list[tuple[str, str]]) -> None:
    board = filled(queue_row(), queue_row("billing"), queue_row(site="lyon"))
    found = [(site, row.queue) for site in board.site_names() for row in board.queues_of(site, view)]
    assert found == shown


def test_an_operations_alert_is_shown_whatever_queues_were_asked_for() -> None:
    board = filled(queue_row())
    board.apply_alert(alert(queue="", channel=None, team=None, source="pbx1", rule="source_silent"))
    for view, count in (
        (View(queues=frozenset({"billing"})), 1),
        (View(site="paris"), 1),
        (View(site="lyon"), 0),
    ):
        assert len(board.alerts_newest_first(view)) == count


def test_the_higher_version_of_an_alert_wins_whatever_the_order() -> None:
    first, second = alert(), alert(version=2, state=AlertState.ACKNOWLEDGED)
    for order in ([first, second], [second, first], [first, second, first, second]):
        board = Board()
        for one in order:
            board.apply_alert(one)
        assert board.alerts[first.alert_id] == second


def test_what_answers_a_command_is_no_part_of_the_alert() -> None:
    board = Board()
    board.apply_alert(alert(command="c1", accepted=True))
    assert board.alerts[alert().alert_id] == alert()
    board.apply_alert(alert(command="c2", accepted=False))
    assert board.seq == 1


def test_alerts_of_a_site_row_are_announced_oldest_first() -> None:
    older, newer = alert("a", now_ms=NOW - 60_000), alert("b")
    board = filled(site_row(alerts=[newer, older]))
    assert [one.alert_id for _, one in board.alerted] == ["a", "b"]


def test_an_ended_alert_that_the_site_row_no_longer_lists_is_forgotten() -> None:
    gone = ended("a", NOW - 90_000)
    board = filled(site_row(alerts=[gone, alert("b")]), site_row(now_ms=NOW + 1000, alerts=[alert("b")]))
    assert set(board.alerts) == {"b"}


def test_an_alert_newer_than_the_site_row_is_kept() -> None:
    board = Board()
    board.apply_alert(alert("a", now_ms=NOW + 2000))
    board.apply(("site", "paris"), site_row(), NOW)
    assert set(board.alerts) == {"a"}


def test_a_snapshot_shows_open_alerts_the_newly_ended_and_the_last_ended() -> None:
    board = Board()
    for one in (alert("open"), ended("old", NOW - 90_000), ended("older", NOW - 100_000)):
        board.apply_alert(one)
    assert {one.alert_id for one in board.alerts_shown(View(), NOW)} == {"open", "old"}
    board.apply_alert(ended("new", NOW - 59_999))
    board.apply_alert(ended("newer", NOW - 1000))
    assert {one.alert_id for one in board.alerts_shown(View(), NOW)} == {"open", "new", "newer"}
    assert [one.alert_id for one in board.alerts_shown(View(site="lyon"), NOW)] == []


def test_alerts_come_newest_first_and_by_state() -> None:
    board = Board()
    for number, one in enumerate((ended("c", NOW), alert("a"), alert("b"))):
        board.apply_alert(replace(one, fired_ms=NOW - 10 + number // 2))
    assert [one.alert_id for one in board.alerts_newest_first(View())] == ["b", "a", "c"]
    firing = board.alerts_newest_first(View(), frozenset({AlertState.FIRING}))
    assert [one.alert_id for one in firing] == ["b", "a"]


def ended(alert_id: str, at_ms: int) -> Alert:
    return alert(
        alert_id,
        now_ms=at_ms - 5000,
        state=AlertState.RESOLVED,
        resolved_ms=at_ms,
        updated_ms=at_ms,
        version=2,
    )
