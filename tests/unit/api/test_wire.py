"""What leaves the api is INTERFACE.md §5 to the letter, with what follows from the clock."""

import json
from typing import Any

from schemas.board import Alert
from schemas.vocabulary import AlertState, Freshness, WindowName
from services.api import wire
from services.api.board import Board, View
from tests.unit.api.rows import BACKLOG, NOW, alert, key_of, queue_row, site_row, source_row


def words(text: str) -> set[str]:
    return set(text.split())


QUEUE_FIELDS = words(
    """site queue label short channel team sources as_of_ms heard_ms behind_s open changes_ms limits freshness
    age_ms waiting oldest_entered_ms longest_wait_s pre_breach agents windows trend backlog"""
)
SITE_FIELDS = words("site time_zone freshness age_ms sources agents windows behind_s queues")
WINDOW_FIELDS = words(
    """from_ms to_ms offered answered abandoned short_abandoned left waiting waiting_past_threshold
    left_past_threshold late duplicates service_level abandonment asa_s aht_s wait_p50_s wait_p90_s
    longest_wait_s occupancy slots cleared cleared_business"""
)
ALERT_FIELDS = words(
    """alert_id rule severity site queue channel team state metric value threshold crossed_ms fired_ms
    resolved_ms acknowledged_by acknowledged_ms note snoozed_until_ms reason late version clear window
    snoozed_by episodes_10m flapping waiting lever"""
)


def snapshot(
    *, view: View | None = None, now_ms: int = NOW, window: WindowName | None = None, **changed: Any
) -> Any:
    board = Board()
    queue = queue_row(entered_ms=[NOW - 61_200, NOW - 100_000], **changed)
    for row in (site_row(alerts=[alert()]), queue):
        board.apply(key_of(row), row, NOW)
    return json.loads("{" + wire.snapshot_body(board, view or View(), now_ms, window=window) + "}")


def test_a_snapshot_has_every_field_of_the_interface() -> None:
    whole = snapshot()
    (site,) = whole["sites"]
    (queue,) = site["queues"]
    assert site.keys() >= SITE_FIELDS
    assert queue.keys() >= QUEUE_FIELDS
    assert queue["windows"].keys() == {"5m", "15m", "30m", "60m", "today"}
    assert queue["windows"]["15m"].keys() == WINDOW_FIELDS
    assert whole["alerts"][0].keys() >= ALERT_FIELDS


def test_what_only_the_api_needs_stays_inside() -> None:
    whole = snapshot()
    assert "entered_ms" not in whole["sites"][0]["queues"][0]
    assert "alerts" not in whole["sites"][0]
    assert not whole["alerts"][0].keys() & {"command", "accepted"}


def test_figures_of_the_clock_are_those_of_the_moment() -> None:
    (site,) = snapshot(now_ms=NOW + 2000)["sites"]
    (queue,) = site["queues"]
    assert queue["longest_wait_s"] == 63.2
    assert queue["age_ms"] == 2120
    assert queue["pre_breach"] == {"threshold_s": 120, "within_s": 30, "count": 1}
    assert site["age_ms"] == 2090
    assert site["sources"][0]["age_ms"] == 2090


def test_the_oldest_item_is_as_old_as_the_moment_says() -> None:
    (site,) = snapshot(now_ms=NOW + 2000, backlog=BACKLOG)["sites"]
    assert site["queues"][0]["backlog"] == {
        "open": 7,
        "oldest_ms": NOW - 90_000_000,
        "oldest_s": 90_002.0,
        "oldest_business_s": 36_002.0,
        "promise_s": 172_800,
    }


def test_a_silent_worker_makes_site_sources_and_queues_stale() -> None:
    (site,) = snapshot(now_ms=NOW + 3001)["sites"]
    found = [site["freshness"], site["sources"][0]["freshness"], site["queues"][0]["freshness"]]
    assert found == ["stale"] * 3


def test_one_window_can_be_asked_for() -> None:
    (site,) = snapshot(window=WindowName.M15)["sites"]
    assert site["windows"].keys() == {"15m"}
    assert site["queues"][0]["windows"].keys() == {"15m"}


def test_text_is_kept_whatever_it_holds() -> None:
    board = Board()
    label = 'Büro "1" \\ \u2028 </script> 😀'
    board.apply(("queue", "paris", "q"), queue_row("q", label=label), NOW)
    text = wire.frame("snapshot", wire.snapshot_body(board, View(), NOW), epoch="e", seq=1, prev=None)
    assert json.loads(text)["sites"][0]["queues"][0]["label"] == label


def test_an_update_names_what_is_gone() -> None:
    body = wire.update_body([], [], [("paris", 'a"b')], NOW)
    assert json.loads("{" + body + "}")["removed"] == [{"site": "paris", "queue": 'a"b'}]


def test_a_source_that_is_silent_by_itself_says_so() -> None:
    board = Board()
    silent = source_row("hub", freshness=Freshness.STALE)
    board.apply(("site", "paris"), site_row(sources=[source_row(), silent]), NOW)
    (first, second) = json.loads(wire.site_text(board, "paris", NOW))["sources"]
    assert (first["freshness"], second["freshness"]) == ("live", "stale")


def test_an_alert_reads_back_as_it_was() -> None:
    taken: Alert = alert(state=AlertState.ACKNOWLEDGED, acknowledged_by="Léa", acknowledged_ms=NOW)
    values = json.loads(wire.alert_text(taken))
    assert (values["state"], values["acknowledged_by"], values["value"]) == ("acknowledged", "Léa", 120.0)
