"""From frames to the picture: a snapshot, then whole rows over it."""

import msgspec
import pytest
from msgspec.structs import replace

from schemas.errors import InvalidMessage
from schemas.vocabulary import AlertState
from services.cli.terminal.frames import Frame, Picture, Removed, decode, follow
from tests.unit.cli.terminal.rows import NOW_MS, alert, queue, site

FIRST = queue("a", label="A", waiting=1)
SECOND = queue("b", label="B", waiting=2)


def start() -> Picture:
    frame = Frame(type="snapshot", epoch="e", seq=5, as_of_ms=NOW_MS, sites=(site(FIRST, SECOND),))
    picture = follow(None, frame)
    assert picture is not None
    return picture


def test_update_replaces_whole_rows_in_their_places() -> None:
    changed = replace(FIRST, waiting=7)
    frame = Frame(type="update", epoch="e", seq=6, prev=5, as_of_ms=NOW_MS + 1, queues=(changed,))
    after = follow(start(), frame)
    assert after is not None
    assert after.sites[0].queues == (changed, SECOND)
    assert (after.seq, after.as_of_ms) == (6, NOW_MS + 1)


def test_site_rows_come_without_their_queues_and_lose_none() -> None:
    frame = Frame(type="update", epoch="e", seq=6, prev=5, sites=(replace(site(), behind_s=3.0),))
    after = follow(start(), frame)
    assert after is not None
    assert after.sites[0].behind_s == 3.0
    assert after.sites[0].queues == (FIRST, SECOND)


def test_removed_queues_go_and_new_ones_come_last() -> None:
    third = queue("c", label="C")
    gone = (Removed(site="lyon", queue="a"),)
    after = follow(start(), Frame(type="update", epoch="e", seq=6, prev=5, queues=(third,), removed=gone))
    assert after is not None
    assert [row.queue for row in after.sites[0].queues] == ["b", "c"]


def test_alerts_keep_their_highest_version() -> None:
    fired = alert("a")
    taken = replace(fired, state=AlertState.ACKNOWLEDGED, version=2)
    picture = start()
    for seq, one in enumerate((fired, taken, fired), start=6):
        after = follow(picture, Frame(type="alert", epoch="e", seq=seq, prev=seq - 1, alert=one))
        assert after is not None
        picture = after
    assert picture.alerts == (taken,)


def test_ended_alerts_do_not_pile_up() -> None:
    picture = start()
    for seq in range(6, 106):
        ended = replace(alert("a", state=AlertState.RESOLVED), alert_id=f"{seq}", resolved_ms=seq)
        after = follow(picture, Frame(type="alert", epoch="e", seq=seq, prev=seq - 1, alert=ended))
        assert after is not None
        picture = after
    assert [one.alert_id for one in picture.alerts] == [str(seq) for seq in range(56, 106)]


@pytest.mark.parametrize(
    ("epoch", "prev", "is_taken"), [("e", 5, True), ("e", 4, False), ("e", None, False), ("f", 5, False)]
)
def test_gap_is_noticed(epoch: str, prev: int | None, is_taken: bool) -> None:
    frame = Frame(type="heartbeat", epoch=epoch, seq=6, prev=prev, as_of_ms=NOW_MS + 1000)
    assert (follow(start(), frame) is not None) is is_taken


def test_nothing_follows_without_a_snapshot() -> None:
    assert follow(None, Frame(type="heartbeat", epoch="e", seq=1)) is None


@pytest.mark.parametrize("text", ["", "[]", '{"type":"snapshot"}', "\xff", "<html>"])
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage):
        decode(text)


def test_frames_with_fields_of_a_newer_api_are_read() -> None:
    text = msgspec.json.encode({"type": "heartbeat", "epoch": "e", "seq": 1, "as_of_ms": 2, "new": True})
    assert decode(text) == Frame(type="heartbeat", epoch="e", seq=1, as_of_ms=2)
