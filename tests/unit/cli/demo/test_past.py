"""The past is told whole, and never looks like a present in which somebody has waited for an hour."""

from services.cli.demo.past import tell_ends_first
from tests.unit.cli.demo.counter import MINUTE_MS, START_MS, instant_ms, name, played


def test_nothing_is_lost_and_agents_keep_their_order() -> None:
    told = tell_ends_first(played(0))
    assert sorted(e.id for e in told) == [e.id for e in played(0)]
    states = [e.id for e in told if name(e) == "agent.state"]
    assert states == sorted(states)


def test_end_of_a_call_is_known_before_its_beginning() -> None:
    ended: set[object] = set()
    entered: set[object] = set()
    lefts = {e.data["segment"] for e in played(0) if name(e) == "queue.left" and e.data["queue"] != "email"}
    for event in tell_ends_first(played(0)):
        segment = event.data.get("segment")
        if name(event) == "queue.left":
            assert segment not in entered or event.data["queue"] == "email"
            ended.add(segment)
        elif name(event) == "queue.entered":
            assert segment in ended or segment not in lefts
            entered.add(segment)


def test_no_event_is_told_late() -> None:
    """Newest instant told before it, against its own: well below the sixty minutes of the bound."""
    newest_ms, most_ms = 0, 0
    for event in tell_ends_first([e for e in played(0) if instant_ms(e) <= START_MS]):
        newest_ms = max(newest_ms, instant_ms(event))
        most_ms = max(most_ms, newest_ms - instant_ms(event))
    assert most_ms < 40 * MINUTE_MS
