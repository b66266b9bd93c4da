"""The generated histories hold what they promise."""

import random
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import decode_event, encode
from schemas.events import AgentStateChanged, AnyEvent, QueueEntered, QueueLeft
from schemas.vocabulary import Outcome
from tests.oracle.facts import contacts, distinct
from tests.oracle.story import FUTURE_MS, LATENESS_MS
from tests.oracle.visits import visits
from tests.strategies import big_history, delivered, histories, shuffled


def identity(event: AnyEvent) -> tuple[str, str]:
    return (event.source, event.id)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_histories_are_in_order_distinct_and_not_far_ahead(data: st.DataObject) -> None:
    history = data.draw(histories())
    assert [e.occurred_ms for e in history.events] == sorted(e.occurred_ms for e in history.events)
    assert max(Counter(identity(e) for e in history.events).values(), default=1) == 1
    assert all(e.occurred_ms <= history.now_ms + FUTURE_MS for e in history.events)
    again = data.draw(shuffled(history))
    assert {identity(e) for e in again} == {identity(e) for e in history.events}


def test_nothing_is_delivered_late() -> None:
    history = big_history(11, 400)
    newest_ms = 0
    arrived = delivered(random.Random(2), history.events)
    for event in arrived:
        assert event.occurred_ms >= newest_ms - LATENESS_MS
        newest_ms = max(newest_ms, event.occurred_ms)
    assert len(arrived) > len(history.events)
    assert [identity(e) for e in arrived] != [identity(e) for e in history.events]


def test_a_big_history_is_the_same_for_the_same_seed_only() -> None:
    assert big_history(1, 50).events == big_history(1, 50).events
    assert big_history(1, 50).events != big_history(2, 50).events


def test_events_pass_through_the_codec_unchanged() -> None:
    for event in big_history(4, 100).events:
        assert decode_event(encode(event)) == event


def test_no_two_visits_of_a_contact_begin_at_one_instant() -> None:
    for contact in contacts(distinct(big_history(9, 3000).events)):
        begun = [entered.occurred_ms for entered in contact.entered.values()]
        assert len(begun) == len(set(begun))


def test_a_big_history_holds_every_kind_of_case() -> None:
    history = big_history(9, 3000)
    known = contacts(history.events)
    found = visits(history.events, history.config, now_ms=history.now_ms)
    outcomes = Counter(v.outcome for v in found)
    assert set(outcomes) == {None, *Outcome}
    assert {v.wait_ms(history.now_ms) for v in found} >= {0, 4999, 5000, 5001, 19_999, 20_000, 20_001}
    assert len({type(e) for e in history.events}) == 18
    assert any(set(c.facts) - set(c.entered) for c in known), "visits without queue.entered"
    assert any(c.homeless for c in known), "facts of no visit"
    assert any(isinstance(e, QueueEntered) and e.segment is None for e in history.events)
    assert any(isinstance(e, QueueLeft) and e.rank for e in history.events)
    assert any(isinstance(e, AgentStateChanged) and e.queues is None for e in history.events)
    assert any(e.occurred_ms > history.now_ms for e in history.events)
