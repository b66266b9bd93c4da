"""What becomes of a visit when several ends of it are told. Whatever the order, repeats and restarts.

How many contacts at once: test_slots; the wait that goes along from queue to queue: test_total_wait; who
never logs out: test_silence.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from schemas.board import QueueRow, Window
from schemas.config import Config
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AnyEvent,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    Transfer,
)
from schemas.vocabulary import Outcome, TransferKind, WindowName
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import StateTopic, fold, rows, whole
from tests.unit.aggregator.core.watching import QUEUE, START_MS, Watching

NOW_MS = START_MS + 4 * 60_000
Told = tuple[Callable[..., AnyEvent], int, dict[str, Any]]


def enters(at_ms: int = 0, queue: str = QUEUE, segment: str = "a/1") -> Told:
    return QueueEntered, at_ms, {"contact": "a", "queue": queue, "segment": segment}


def leaves(at_ms: int, outcome: Outcome, segment: str = "a/1", **data: Any) -> Told:
    return QueueLeft, at_ms, {"contact": "a", "segment": segment, "outcome": outcome, **data}


def of_agent(make: Callable[..., AnyEvent], at_ms: int, agent: str, **data: Any) -> Told:
    return make, at_ms, {"contact": "a", "segment": "a/1", "queue": QUEUE, "agent": agent, **data}


def shown(told: list[Told]) -> dict[str, QueueRow]:
    """The rows by queue: the same in any order, with repeats, across restarts; the oracle agrees."""
    watching = Watching(Config())
    for make, at_ms, data in told:
        watching.log.add(make, START_MS + at_ms, **data)
    expected = figures(watching.log.events, Config(), now_ms=NOW_MS)
    found: list[dict[str, QueueRow]] = []
    for seed in range(8):
        rng = random.Random(seed)
        events = [event for event in watching.log.events for _ in range(rng.choice((1, 2)))]
        if seed:
            rng.shuffle(events)
        topic, partition = StateTopic(), whole(Config(), NOW_MS)
        partition.claim()
        for event in events:
            fold([event], Config(), NOW_MS, partition=partition)
            topic.flush(partition)
            if rng.random() < 0.3:
                partition = topic.restored(Config(), NOW_MS)
        by_queue = rows(partition, NOW_MS)[0]
        for place, row in by_queue.items():
            assert differences(expected[place], row) == []
        found.append({queue: row for (_, queue), row in by_queue.items()})
    for other in found[1:]:
        assert {queue: counts(row) for queue, row in other.items()} == {
            queue: counts(row) for queue, row in found[0].items()
        }
    return found[0]


def counts(row: QueueRow) -> tuple[int, int, int, int, dict[str, int]]:
    """Waiting; offered, answered, abandoned, left otherwise in the last 15 minutes."""
    window: Window = row.windows[WindowName.M15]
    left = {outcome: count for outcome, count in window.left.items() if count}
    return row.waiting, window.offered, window.answered, window.abandoned, left


@pytest.mark.parametrize(
    "hangs_up", [[], [leaves(30_000, Outcome.ABANDONED)], [leaves(20_000, Outcome.ABANDONED)]]
)
def test_who_asks_to_be_called_back_and_hangs_up_has_not_abandoned(hangs_up: list[Told]) -> None:
    told = [enters(), leaves(30_000, Outcome.CALLBACK), *hangs_up, (ContactEnded, 31_000, {"contact": "a"})]
    row = shown(told)[QUEUE]
    assert counts(row) == (0, 1, 0, 0, {"callback": 1})
    abandonment = row.windows[WindowName.M15].abandonment
    assert abandonment is not None
    assert (abandonment.numerator, abandonment.denominator) == (0, 1)


def test_the_call_back_itself_is_a_visit_of_its_own() -> None:
    told = [
        enters(),
        leaves(30_000, Outcome.CALLBACK),
        enters(60_000, segment="a/2"),
        of_agent(AgentAccepted, 65_000, "lea", segment="a/2"),
    ]
    assert counts(shown(told)[QUEUE]) == (0, 2, 1, 0, {"callback": 1})


@pytest.mark.parametrize(
    "again", [[], [enters(15_000)]], ids=["stays in its place", "is told as entered again"]
)
def test_who_is_requeued_after_no_answer_was_offered_once_and_waits_from_the_beginning(
    again: list[Told],
) -> None:
    told = [
        enters(),
        of_agent(AgentOffered, 1000, "bob", id="o1"),
        of_agent(AgentNoAnswer, 14_000, "bob", id="o2"),
        *again,
        of_agent(AgentOffered, 16_000, "lea", id="o3"),
        of_agent(AgentAccepted, 25_000, "lea"),
    ]
    row = shown(told)[QUEUE]
    assert counts(row) == (0, 1, 1, 0, {})
    asa = row.windows[WindowName.M15].asa_s
    assert asa is not None
    assert (asa.numerator, asa.denominator) == (25.0, 1)


def test_who_hangs_up_while_it_rings_has_abandoned() -> None:
    told = [
        enters(),
        of_agent(AgentOffered, 10_000, "lea", id="o1"),
        of_agent(AgentOfferEnded, 14_000, "lea", id="o2", reason="caller_left"),
        leaves(14_000, Outcome.ABANDONED),
    ]
    assert counts(shown(told)[QUEUE]) == (0, 1, 0, 1, {})


def test_an_answer_stands_whoever_says_abandoned() -> None:
    told = [enters(), of_agent(AgentAccepted, 20_000, "lea"), leaves(20_000, Outcome.ABANDONED, id="x")]
    assert counts(shown(told)[QUEUE]) == (0, 1, 1, 0, {})


def test_a_transfer_leaves_one_queue_and_is_offered_in_the_other() -> None:
    told = [
        enters(),
        (
            Transfer,
            30_000,
            {"contact": "a", "kind": TransferKind.QUEUE, "from_queue": QUEUE, "to_queue": "sales"},
        ),
        enters(30_000, "sales", "a/2"),
        (AgentAccepted, 40_000, {"contact": "a", "segment": "a/2", "queue": "sales", "agent": "lea"}),
        (TalkEnded, 90_000, {"contact": "a", "segment": "a/2", "queue": "sales", "agent": "lea"}),
    ]
    found = shown(told)
    assert counts(found[QUEUE]) == (0, 1, 0, 0, {"transferred": 1})
    assert counts(found["sales"]) == (0, 1, 1, 0, {})


def test_a_contact_whose_end_alone_is_told_left_nobody_knows_how() -> None:
    told = [enters(), (ContactEnded, 30_000, {"contact": "a"})]
    assert counts(shown(told)[QUEUE]) == (0, 1, 0, 0, {"unknown": 1})
