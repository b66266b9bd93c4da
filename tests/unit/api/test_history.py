"""What is held of the frames that left: enough to tell who missed something just that, and no more."""

import pytest

from services.api.board import Key, View
from services.api.history import MAX_AGE_MS, MAX_FRAMES, History, Left, Missed
from tests.unit.api.rows import NOW, alert

A: Key = ("queue", "paris", "a")
B: Key = ("queue", "paris", "b")
PARIS: Key = ("site", "paris")


def left(
    seq: int, *keys: Key, at_ms: int = NOW, alerts: tuple[str, ...] = (), is_sayable: bool = True
) -> Left:
    told = tuple((alert(name, queue=name), name) for name in alerts)
    return Left(seq, at_ms, keys, told, is_sayable)


def history(*several: Left) -> History:
    found = History()
    for one in several:
        found.add(one)
    return found


def test_each_row_is_named_once_and_alerts_in_their_order() -> None:
    held = history(left(1, A), left(2, A, PARIS, alerts=("b",)), left(3, B, A), left(4, alerts=("a",)))
    assert held.missed(1, View(), NOW) == Missed((A, PARIS, B), ["b", "a"])
    assert held.missed(3, View(), NOW) == Missed((), ["a"])
    assert held.missed(4, View(), NOW) == Missed((), [])


def test_a_view_is_told_of_what_it_shows() -> None:
    held = history(left(1, A, B, PARIS, alerts=("a", "b")))
    assert held.missed(0, View(queues=frozenset({"a"})), NOW) == Missed((A, PARIS), ["a"])
    assert held.missed(0, View(site="lyon"), NOW) == Missed((), [])


@pytest.mark.parametrize(("seq", "is_held"), [(0, False), (1, True), (2, True)])
def test_what_is_older_than_a_minute_is_not_held(seq: int, is_held: bool) -> None:
    held = history(left(1, A, at_ms=NOW - MAX_AGE_MS - 1), left(2, A, at_ms=NOW - MAX_AGE_MS))
    assert (held.missed(seq, View(), NOW) is not None) is is_held


def test_no_more_than_a_thousand_frames_are_held() -> None:
    held = history(*(left(seq, A) for seq in range(1, MAX_FRAMES)))
    assert held.missed(0, View(), NOW) is not None
    held.add(left(MAX_FRAMES, A, alerts=("a",)))  # two frames
    assert held.missed(0, View(), NOW) is None
    assert held.missed(1, View(), NOW) is not None


def test_what_an_update_cannot_say_cannot_be_told_to_who_missed_it() -> None:
    held = history(left(1, A), left(2, PARIS, is_sayable=False), left(3, A))
    assert held.missed(1, View(), NOW) is None
    assert held.missed(2, View(), NOW) == Missed((A,), [])


def test_without_anything_left_nothing_was_missed() -> None:
    assert History().missed(0, View(), NOW) == Missed((), [])
