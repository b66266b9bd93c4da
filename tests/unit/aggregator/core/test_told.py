"""A row says when the newest event occurred that named its queue: by that the api measures its lag."""

from itertools import permutations

from schemas.config import Config
from schemas.events import AgentOffered, AnyEvent, QueueEntered
from schemas.vocabulary import Channel
from tests.unit.aggregator.core.folding import StateTopic, fold, rows

T0 = 1_795_321_254_000
NOW = T0 + 60_000


def entered(contact: str, at_ms: int, queue: str = "support") -> QueueEntered:
    return QueueEntered(
        id=f"e-{contact}",
        source="tests",
        site="main",
        occurred_ms=at_ms,
        received_ms=at_ms + 5,
        contact=contact,
        segment=f"{contact}-{queue}",
        queue=queue,
        channel=Channel.PHONE,
    )


def offered(contact: str, at_ms: int) -> AgentOffered:
    return AgentOffered(
        id=f"o-{contact}",
        source="tests",
        site="main",
        occurred_ms=at_ms,
        received_ms=at_ms + 5,
        contact=contact,
        segment=f"{contact}-support",
        queue="support",
        agent="lea",
    )


EVENTS: list[AnyEvent] = [entered("a", T0), entered("b", T0 + 2000), offered("a", T0 + 3000)]
OTHER = entered("c", T0 + 9000, queue="billing")


def told(events: list[AnyEvent]) -> dict[str, int | None]:
    queues, _ = rows(fold(events, Config(), NOW), NOW)
    return {queue: row.told_ms for (_, queue), row in queues.items()}


def test_each_queue_has_its_own_and_order_and_repeats_change_nothing() -> None:
    for order in permutations([*EVENTS, OTHER]):
        assert told([*order, *order]) == {"support": T0 + 3000, "billing": T0 + 9000}


def test_it_outlives_a_restart() -> None:
    topic = StateTopic()
    partition = fold(EVENTS, Config(), NOW)
    topic.flush(partition)
    queues, _ = rows(topic.restored(Config(), NOW), NOW)
    assert queues["main", "support"].told_ms == T0 + 3000
