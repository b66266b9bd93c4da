"""A repeat changes nothing, however late it comes. SEMANTICS.md §1."""

from typing import Any

import pytest

from schemas.board import QueueRow
from schemas.config import Config
from schemas.events import AgentStateChanged, MessageIn, QueueEntered, QueueLeft
from schemas.vocabulary import AgentState, Outcome, WindowName
from services.aggregator.core.records import REPEATS
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

MINUTE, HOUR = 60_000, 3_600_000


def abandoned() -> Watching:
    """A contact that gave up after 10 s, told by a message too."""
    watching = Watching(Config())
    watching.tell(QueueEntered, 0, id="in", contact="a", queue=QUEUE)
    watching.tell(MessageIn, 1000, id="news", contact="a", queue=QUEUE)
    watching.tell(QueueLeft, 10_000, id="out", contact="a", queue=QUEUE, outcome=Outcome.ABANDONED)
    return watching


def again(watching: Watching, now_ms: int) -> None:
    """The same three, at another time."""
    for make, at_ms, event_id, data in (
        (QueueEntered, 0, "in", {}),
        (MessageIn, 1000, "news", {}),
        (QueueLeft, 10_000, "out", {"outcome": Outcome.ABANDONED}),
    ):
        received = {"received_ms": START_MS + now_ms}
        watching.tell(make, at_ms, now_ms=now_ms, id=event_id, contact="a", queue=QUEUE, **received, **data)


def passed(watching: Watching, from_ms: int, to_ms: int) -> None:
    """Time goes by minute by minute, ingest heard, state flushed."""
    for now_ms in range(from_ms, to_ms + 1, MINUTE):
        watching.at(now_ms)


def row(watching: Watching, now_ms: int) -> QueueRow:
    found, _ = rows(watching.partition, START_MS + now_ms)
    return found[SITE, QUEUE]


def counts(watching: Watching, now_ms: int) -> tuple[int, int, int]:
    """Offered, late, duplicates of today."""
    window = row(watching, now_ms).windows[WindowName.TODAY]
    return window.offered, window.late, window.duplicates


def kept(watching: Watching) -> int:
    return sum(key.startswith(f'["{REPEATS}"'.encode()) for key in watching.topic.records)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("quiet_ms", [MINUTE, 20 * MINUTE, 80 * MINUTE, 10 * HOUR])
def test_a_contact_told_again_after_any_quiet_is_the_same_contact(quiet_ms: int, restarts: bool) -> None:
    watching = abandoned()
    passed(watching, MINUTE, quiet_ms)
    if restarts:
        watching.restart(quiet_ms)
    again(watching, quiet_ms)
    assert counts(watching, quiet_ms) == (1, 0, 3)
    assert row(watching, quiet_ms).waiting == 0


def test_what_would_be_late_anyway_is_not_kept() -> None:
    watching = abandoned()
    passed(watching, MINUTE, 80 * MINUTE)
    assert (len(watching.partition.sites[SITE].contacts), kept(watching)) == (0, 1)
    watching.tell(QueueEntered, 81 * MINUTE, contact="b", queue=QUEUE)
    passed(watching, 81 * MINUTE, 83 * MINUTE)
    assert kept(watching) == 0
    again(watching, 83 * MINUTE)
    assert counts(watching, 83 * MINUTE) == (2, 3, 0)


def test_of_a_source_that_goes_on_telling_nothing_is_kept() -> None:
    watching = abandoned()
    for now_ms in range(MINUTE, 80 * MINUTE, MINUTE):
        watching.tell(MessageIn, now_ms, contact="b", queue=QUEUE)
        watching.at(now_ms)
    assert (list(watching.partition.sites[SITE].contacts), kept(watching)) == (["b"], 0)


def test_a_flush_writes_what_was_forgotten_since_the_last_only() -> None:
    watching = abandoned()
    watching.tell(QueueEntered, 30 * MINUTE, contact="b", queue=QUEUE)
    watching.tell(QueueLeft, 30 * MINUTE, contact="b", queue=QUEUE, outcome=Outcome.ABANDONED)
    passed(watching, 31 * MINUTE, 80 * MINUTE)
    first = {key for key in watching.topic.records if key.startswith(f'["{REPEATS}"'.encode())}
    for now_ms in range(81 * MINUTE, 110 * MINUTE, MINUTE):
        watching.hear(now_ms)
        watching.partition.advance(START_MS + now_ms)
        assert not {key for key, _ in watching.partition.changes()} & first
    assert kept(watching) == 1
    assert len(watching.partition.sites[SITE].repeats.batches) == 2


def test_a_late_repeat_is_a_repeat_as_long_as_it_is_remembered() -> None:
    watching = abandoned()
    watching.tell(QueueEntered, 70 * MINUTE, contact="b", queue=QUEUE)
    again(watching, 70 * MINUTE)
    assert counts(watching, 70 * MINUTE) == (2, 0, 3)
    watching.tell(QueueEntered, 0, now_ms=70 * MINUTE, contact="c", queue=QUEUE)
    assert counts(watching, 70 * MINUTE) == (2, 1, 3)


def test_a_late_repeat_of_an_agents_word_is_a_repeat_too() -> None:
    watching = Watching(Config())
    word: dict[str, Any] = {"id": "w", "agent": "lea", "state": AgentState.PAUSED, "queues": [QUEUE]}
    watching.tell(AgentStateChanged, 0, **word)
    watching.tell(QueueEntered, 70 * MINUTE, contact="b", queue=QUEUE)
    watching.tell(AgentStateChanged, 0, now_ms=70 * MINUTE, received_ms=START_MS + 70 * MINUTE, **word)
    assert counts(watching, 70 * MINUTE) == (1, 0, 1)
