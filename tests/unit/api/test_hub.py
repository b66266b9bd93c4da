"""The hub: whole rows, once encoded, newest wins, no hole for anybody."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.api import hub as hubs
from services.api.board import Board, Key, Row, View
from services.api.client import MAX_ALERTS, Client
from services.api.hub import Hub
from tests.unit.api.reader import Reader
from tests.unit.api.rows import NOW, alert, key_of, queue_row, site_row


class Bench:
    """A hub whose clock stands still, and readers of it."""

    def __init__(self, *rows: Row) -> None:
        self.now_ms = NOW
        self.board = Board()
        self.lags: list[float] = []
        self.hub = Hub(self.board, epoch="e", clock=lambda: self.now_ms, on_sent=self.lags.append)
        self.put(*rows)
        self.hub.step(self.now_ms)

    def put(self, *rows: Row) -> None:
        for row in rows:
            self.board.apply(key_of(row), row, self.now_ms)

    def step(self, later_ms: int = 0) -> None:
        self.now_ms += later_ms
        self.hub.step(self.now_ms)

    def join(self, view: View | None = None) -> tuple[Client, Reader]:
        """A client that has read its first frame."""
        client, reader = self.hub.join(view or View()), Reader()
        self.read(client, reader)
        return client, reader

    def read(self, client: Client, reader: Reader) -> list[str]:
        """The kinds of frames that the client took now."""
        return [reader.read(text)["type"] for text in client.take(self.now_ms)]


def test_the_first_frame_is_a_snapshot_with_everything() -> None:
    bench = Bench(site_row(alerts=[alert()]), queue_row(), queue_row("billing"))
    client = bench.hub.join(View())
    (text,) = client.take(NOW)
    frame = json.loads(text)
    assert (frame["type"], frame["epoch"], frame["prev"], frame["as_of_ms"]) == ("snapshot", "e", None, NOW)
    assert frame["seq"] == bench.board.seq
    (site,) = frame["sites"]
    assert [row["queue"] for row in site["queues"]] == ["billing", "support"]
    assert [one["alert_id"] for one in frame["alerts"]] == [alert().alert_id]
    assert "recovered" not in frame


def test_an_update_holds_whole_rows_of_what_changed_and_follows_the_last_frame() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"))
    client, reader = bench.join()
    bench.put(queue_row(waiting=4))
    bench.step()
    (text,) = client.take(bench.now_ms)
    frame = reader.read(text)
    assert [row["queue"] for row in frame["queues"]] == ["support"]
    assert frame["queues"][0]["waiting"] == 4
    assert (frame["sites"], frame["removed"]) == ([], [])
    assert client.take(bench.now_ms) == []


def test_a_site_travels_without_its_queues_and_alerts() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    bench.put(site_row(now_ms=NOW + 1000))
    bench.step(1000)
    update = reader.read(client.take(bench.now_ms)[0])
    assert update["type"] == "update"
    assert "queues" not in update["sites"][0]
    assert "alerts" not in update["sites"][0]


def test_a_removed_queue_is_named() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    bench.board.apply(key_of(queue_row()), None, bench.now_ms)
    bench.step()
    assert reader.read(client.take(bench.now_ms)[0])["removed"] == [{"site": "paris", "queue": "support"}]
    assert reader.queues == {}


def test_a_removed_site_makes_a_snapshot() -> None:
    bench = Bench(site_row(), queue_row(), site_row("lyon"))
    client, reader = bench.join()
    bench.board.apply(("site", "lyon"), None, bench.now_ms)
    bench.step()
    assert bench.read(client, reader) == ["snapshot"]
    assert set(reader.sites) == {"paris"}


def test_rows_leave_at_most_every_100_ms_each() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"))
    client, reader = bench.join()
    bench.step(100)
    bench.put(queue_row(behind_s=0.1))
    bench.step()
    assert bench.read(client, reader) == ["update"]
    bench.put(queue_row(behind_s=0.2), queue_row("billing", behind_s=0.2))
    bench.step(60)
    (text,) = client.take(bench.now_ms)
    assert [row["queue"] for row in reader.read(text)["queues"]] == ["billing"]
    assert bench.hub.due_ms(bench.now_ms) == bench.now_ms + 40
    bench.step(40)
    (text,) = client.take(bench.now_ms)
    assert [row["behind_s"] for row in reader.read(text)["queues"]] == [0.2]


def test_a_change_of_waiting_leaves_at_once() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    for waiting in (1, 2, 3):
        bench.put(queue_row(waiting=waiting))
        bench.step(1)
        assert bench.read(client, reader) == ["update"]
        assert reader.queues["paris", "support"]["waiting"] == waiting


def test_no_frame_promises_a_row_that_is_held_back() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"))
    client, reader = bench.join()
    held_since = bench.board.seq + 1
    bench.put(queue_row(behind_s=0.1))
    bench.put(queue_row("billing", waiting=1))
    bench.step(1)
    bench.read(client, reader)
    assert reader.seq == held_since - 1
    bench.step(100)
    bench.read(client, reader)
    assert reader.seq == bench.board.seq


def test_alerts_leave_at_once_and_only_the_last_frame_promises_them() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    before = reader.seq
    bench.board.apply_alert(alert("a"))
    bench.board.apply_alert(alert("b"))
    bench.put(queue_row(waiting=1))
    bench.step()
    frames = [reader.read(text) for text in client.take(bench.now_ms)]
    assert [frame["type"] for frame in frames] == ["alert", "alert", "update"]
    assert [frame["seq"] for frame in frames] == [before, before, bench.board.seq]
    bench.board.apply_alert(alert("c"))
    bench.step()
    (only,) = [reader.read(text) for text in client.take(bench.now_ms)]
    assert only["seq"] == bench.board.seq


def test_a_view_is_sent_what_it_shows_and_nothing_else() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"), site_row("lyon"), queue_row(site="lyon"))
    client, reader = bench.join(View(site="paris", queues=frozenset({"billing"})))
    assert set(reader.queues) == {("paris", "billing")}
    assert set(reader.sites) == {"paris"}
    bench.put(queue_row(waiting=1), queue_row(site="lyon", waiting=1))
    bench.board.apply_alert(alert(queue="support"))
    bench.step()
    assert bench.read(client, reader) == []
    bench.put(queue_row("billing", waiting=1))
    bench.board.apply_alert(alert("b", queue="billing"))
    bench.step()
    assert bench.read(client, reader) == ["alert", "update"]


def test_a_heartbeat_comes_each_second_and_says_the_time() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    bench.step(999)
    assert bench.read(client, reader) == []
    bench.step(1)
    (text,) = client.take(bench.now_ms)
    assert reader.read(text)["as_of_ms"] == NOW + 1000
    assert reader.kinds[-1] == "heartbeat"


def test_a_slow_client_gets_one_frame_with_the_newest_rows() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"))
    client, reader = bench.join()
    for waiting in range(1, 6):
        bench.put(queue_row(waiting=waiting))
        bench.step(100)
    bench.put(queue_row("billing", waiting=9))
    bench.step(100)
    assert bench.read(client, reader) == ["update"]
    assert reader.queues["paris", "support"]["waiting"] == 5
    assert reader.queues["paris", "billing"]["waiting"] == 9
    assert bench.hub.dropped == 5


def test_too_many_alerts_for_a_slow_client_become_a_snapshot() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    for number in range(MAX_ALERTS + 3):
        bench.board.apply_alert(alert(f"{number:016x}"))
    bench.step()
    assert bench.read(client, reader) == ["snapshot"]
    assert len(reader.alerts) == MAX_ALERTS + 3


def resumed(bench: Bench, client: Client, reader: Reader, *, epoch: str = "e") -> list[dict[str, Any]]:
    """All that waits for the client is lost; then it says what it holds. Gives the answer."""
    client.take(bench.now_ms)
    bench.hub.resume(client, epoch, reader.seq)
    return [reader.read(text) for text in client.take(bench.now_ms)]


def test_who_missed_something_is_told_just_that() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"), queue_row("third"))
    client, reader = bench.join()
    for waiting in (1, 2):
        bench.put(queue_row(waiting=waiting))
        bench.board.apply_alert(alert(f"a{waiting}"))
        bench.step()
    bench.board.apply(key_of(queue_row("third")), None, bench.now_ms)
    bench.step()
    frames = resumed(bench, client, reader)
    assert [frame["type"] for frame in frames] == ["alert", "alert", "update"]
    assert [(row["queue"], row["waiting"]) for row in frames[-1]["queues"]] == [("support", 2)]
    assert frames[-1]["removed"] == [{"site": "paris", "queue": "third"}]
    assert frames[-1]["recovered"] is True
    assert reader.board() == bench.join()[1].board()
    bench.put(queue_row(waiting=3))
    bench.step()
    (update,) = [reader.read(text) for text in client.take(bench.now_ms)]
    assert "recovered" not in update


def test_who_missed_nothing_is_told_that_it_has_all() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    (frame,) = resumed(bench, client, reader)
    assert (frame["type"], frame["recovered"], frame["sites"], frame["removed"]) == ("update", True, [], [])


@pytest.mark.parametrize(
    ("epoch", "seq", "later_ms"),
    [("other", 1, 0), (None, 1, 0), ("e", None, 0), ("e", -1, 0), ("e", 1000, 0), ("e", 1, 60_001)],
)
def test_who_holds_what_is_not_ours_or_is_too_old_gets_the_whole_board(
    epoch: str | None, seq: int | None, later_ms: int
) -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    bench.now_ms += later_ms
    bench.hub.resume(client, epoch, seq)
    frame = reader.read(client.take(bench.now_ms)[0])
    assert (frame["type"], frame["recovered"]) == ("snapshot", False)


def test_who_missed_the_end_of_a_site_gets_the_whole_board() -> None:
    bench = Bench(site_row(), queue_row(), site_row("lyon"))
    client, reader = bench.join()
    bench.board.apply(("site", "lyon"), None, bench.now_ms)
    bench.step()
    (frame,) = resumed(bench, client, reader)
    assert (frame["type"], frame["recovered"]) == ("snapshot", False)
    assert set(reader.sites) == {"paris"}


def test_who_missed_more_alerts_than_can_wait_gets_the_whole_board() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    for number in range(MAX_ALERTS + 1):
        bench.board.apply_alert(alert(f"{number:016x}"))
    bench.step()
    (frame,) = resumed(bench, client, reader)
    assert (frame["type"], frame["recovered"]) == ("snapshot", False)


def test_another_connection_may_go_on_where_one_ended() -> None:
    bench = Bench(site_row(), queue_row(), queue_row("billing"))
    _, reader = bench.join()
    bench.put(queue_row(behind_s=0.1))  # held back for its pace
    bench.put(queue_row("billing", waiting=1))
    bench.step(1)
    second = bench.hub.join(View())
    bench.step(100)
    (frame,) = resumed(bench, second, reader)
    assert frame["recovered"] is True
    assert reader.board() == bench.join()[1].board()


def test_asking_for_the_board_gives_a_snapshot_that_says_it_is_not_the_missing_part() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    client.post_not_recovered()
    frame = reader.read(client.take(bench.now_ms)[0])
    assert (frame["type"], frame["recovered"]) == ("snapshot", False)


def test_a_row_is_written_once_for_all_its_readers() -> None:
    bench = Bench(site_row(), queue_row())
    clients = [bench.hub.join(View()) for _ in range(3)]
    for client in clients:
        client.take(bench.now_ms)
    bench.put(queue_row(waiting=1))
    bench.step()
    bodies = {id(client._batch.body) for client in clients if client._batch is not None}
    assert len(bodies) == 1


def test_a_client_that_takes_nothing_for_five_seconds_is_given_up() -> None:
    bench = Bench(site_row(), queue_row())
    client, _ = bench.join()
    client.sending_since_ms = bench.now_ms
    for _ in range(5):
        bench.step(1000)
    assert (bench.hub.clients, bench.hub.stalled) == (1, 0)
    bench.step(1000)
    assert (bench.hub.clients, bench.hub.stalled) == (0, 1)
    assert client.stalled


def test_leaving_twice_is_leaving_once() -> None:
    bench = Bench(site_row())
    client, _ = bench.join()
    bench.hub.leave(client)
    bench.hub.leave(client)
    assert bench.hub.clients == 0


def test_an_event_s_lag_is_measured_when_the_frame_that_tells_of_it_is_sent() -> None:
    bench = Bench(site_row(), queue_row(told_ms=NOW - 5000), queue_row("billing"))
    client, _ = bench.join()
    bench.hub.sent(client.taken_told_ms)  # what stood on the board before is no news
    bench.put(queue_row(waiting=1, told_ms=NOW - 40), queue_row("billing", waiting=1, told_ms=NOW - 90))
    bench.step(10)
    assert bench.lags == []
    client.take(bench.now_ms)
    bench.now_ms += 30  # it took the socket that long to take it
    bench.hub.sent(client.taken_told_ms)
    assert bench.lags == [0.13]


def test_the_same_event_is_measured_once_and_of_what_was_overtaken_the_oldest() -> None:
    bench = Bench(site_row(), queue_row(told_ms=NOW - 5000), queue_row("billing"))
    client, _ = bench.join()
    for waiting, told_ms in ((1, NOW - 40), (2, NOW - 20), (3, NOW - 20)):
        bench.put(queue_row(waiting=waiting, told_ms=told_ms))
        bench.step()
    client.take(bench.now_ms)
    bench.hub.sent(client.taken_told_ms)
    bench.put(queue_row(waiting=4, told_ms=NOW - 20))
    bench.step(1)
    client.take(bench.now_ms)
    bench.hub.sent(client.taken_told_ms)
    assert bench.lags == [0.04]


def test_nobody_s_lag_is_measured_by_what_they_do_not_see() -> None:
    bench = Bench(site_row(), queue_row(told_ms=NOW - 5000), queue_row("billing", told_ms=NOW - 5000))
    client, _ = bench.join(View(queues=frozenset({"billing"})))
    bench.put(queue_row(waiting=1, told_ms=NOW - 40))
    bench.step()
    client.take(bench.now_ms)
    bench.hub.sent(client.taken_told_ms)
    bench.put(queue_row("billing", waiting=1, told_ms=NOW - 10))
    bench.step()
    client.post_snapshot()  # a snapshot says what is, not what is new
    client.take(bench.now_ms)
    bench.hub.sent(client.taken_told_ms)
    assert bench.lags == []


def test_time_that_runs_backwards_stops_nothing() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    bench.put(queue_row(waiting=1), site_row(now_ms=NOW - 1))
    bench.step(-3_600_000)
    assert bench.read(client, reader) == ["update", "heartbeat"]


def test_time_alone_makes_rows_stale_and_everybody_is_told() -> None:
    bench = Bench(site_row(), queue_row())
    client, reader = bench.join()
    bench.step(3000)
    bench.read(client, reader)
    assert reader.queues["paris", "support"]["freshness"] == "live"
    bench.step(250)
    assert bench.read(client, reader) == ["update"]
    assert reader.queues["paris", "support"]["freshness"] == "stale"
    assert reader.sites["paris"]["freshness"] == "stale"
    assert reader.sites["paris"]["sources"][0]["freshness"] == "stale"
    bench.step(700)
    assert bench.read(client, reader) == []
    bench.put(site_row(now_ms=bench.now_ms))
    bench.step(300)
    bench.read(client, reader)
    assert reader.queues["paris", "support"]["freshness"] == "live"


def test_time_alone_brings_contacts_near_the_limit_and_everybody_is_told() -> None:
    bench = Bench(site_row(), queue_row(entered_ms=[NOW - 89_000]))
    client, reader = bench.join()
    bench.step(1000)
    assert bench.read(client, reader) == ["update", "heartbeat"]
    assert reader.queues["paris", "support"]["pre_breach"]["count"] == 1


async def test_a_client_waits_until_something_is_posted() -> None:
    bench = Bench(site_row(), queue_row())
    client, _ = bench.join()
    waiting = asyncio.ensure_future(client.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    client.post_beat()
    client.wake()
    await waiting
    await client.wait()


QUEUES = ("a", "b", "c")
VIEWS = (View(), View(site="s1"), View(queues=frozenset({"a", "b"})))
sites = st.sampled_from(("s1", "s2"))
changes = st.one_of(
    st.tuples(st.just("queue"), sites, st.sampled_from(QUEUES), st.integers(0, 3)),
    st.tuples(st.just("same_waiting"), sites, st.sampled_from(QUEUES), st.integers(0, 9)),
    st.tuples(st.just("site"), sites, st.just(""), st.integers(0, 3)),
    st.tuples(st.just("gone"), sites, st.sampled_from(("", *QUEUES)), st.just(0)),
    st.tuples(st.just("alert"), sites, st.sampled_from(QUEUES), st.integers(1, 4)),
    st.tuples(st.just("later"), st.just(""), st.just(""), st.sampled_from((1, 60, 1000, 4000))),
    st.tuples(st.just("read"), st.just(""), st.just(""), st.integers(0, 5)),
    st.tuples(st.just("lost"), st.just(""), st.just(""), st.integers(0, 5)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(changes, max_size=40))
def test_old_state_plus_updates_equals_a_fresh_snapshot(script: list[tuple[str, str, str, int]]) -> None:
    bench = Bench(site_row("s1"), queue_row("a", site="s1"))
    readers = [bench.join(view) for view in VIEWS for _ in range(2)]
    for kind, site, queue, number in script:
        act(bench, readers, kind, site, queue, number)
    bench.step(hubs.HEARTBEAT_MS)
    for client, reader in readers:
        bench.read(client, reader)
        _, fresh = bench.join(client.view)
        assert reader.board() == fresh.board()
        assert reader.seq == fresh.seq == bench.board.seq


def act(
    bench: Bench, readers: list[tuple[Client, Reader]], kind: str, site: str, queue: str, number: int
) -> None:
    """One line of the script, then the hub's turn."""
    if kind == "later":
        bench.now_ms += number
    elif kind == "read":
        bench.read(*readers[number])
    elif kind == "lost":
        resumed(bench, *readers[number])
    elif kind == "alert":
        bench.board.apply_alert(
            alert(f"{site}{queue}", site=site, queue=queue, version=number, now_ms=bench.now_ms)
        )
    elif kind == "gone":
        key: Key = ("queue", site, queue) if queue else ("site", site)
        bench.board.apply(key, None, bench.now_ms)
    elif kind == "site":
        known = [one for one in bench.board.alerts.values() if one.site == site]
        bench.put(site_row(site, now_ms=bench.now_ms, behind_s=float(number), alerts=known))
    else:
        row = queue_row(queue, site=site, now_ms=bench.now_ms)
        bench.put(replace(row, waiting=number) if kind == "queue" else replace(row, behind_s=float(number)))
    bench.step()
