"""Simulated time: order, ids, stamps."""

from services.cli.demo.timeline import Timeline, timestamp


def make() -> Timeline:
    return Timeline("r", source="demo", site="lyon")


def test_actions_are_done_in_the_order_of_their_instants_then_of_their_arming() -> None:
    time = make()
    for at_ms, word in ((20, "c"), (10, "a"), (10, "b")):
        time.at(at_ms, lambda word=word: time.say(word))  # type: ignore[misc]  # a lambda's default has no annotation
    assert [event.type for event in time.run(20)] == ["vigie.a.v1", "vigie.b.v1", "vigie.c.v1"]


def test_what_is_armed_for_the_past_is_done_now() -> None:
    time = make()
    time.run(100)
    time.at(50, lambda: time.say("late"))
    assert [event.time for event in time.run(100)] == [timestamp(100)]


def test_ids_count_up_and_absent_values_are_left_out() -> None:
    time = make()
    time.say("agent.state", agent="a", reason=None)
    time.say("agent.state", agent="b", reason="Pause")
    first, second = time.run(0)
    assert (first.id, second.id) == ("r-000000001", "r-000000002")
    assert first.data == {"agent": "a"}
    assert (second.source, second.site) == ("demo", "lyon")


def test_stamps_keep_every_millisecond() -> None:
    assert timestamp(1_795_345_200_123) == "2026-11-22T11:00:00.123+00:00"
    assert timestamp(1_795_345_200_999) == "2026-11-22T11:00:00.999+00:00"
