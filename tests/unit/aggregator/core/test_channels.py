"""The channel of a queue that is in no file: what events say of it, in whatever order they come."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from schemas.config import Config
from schemas.events import AnyEvent, ContactCreated, ContactEnded, MessageIn, QueueEntered
from schemas.vocabulary import Channel
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

MINUTE = 60_000
Told = tuple[Callable[..., AnyEvent], int, dict[str, Any]]
MAIL, CHAT = {"channel": Channel.EMAIL}, {"channel": Channel.CHAT}
CREATED: Told = (ContactCreated, 0, {"contact": "a", **MAIL})
ENTERED: Told = (QueueEntered, 1000, {"contact": "a", "queue": QUEUE})
WRITTEN: Told = (MessageIn, 2000, {"contact": "a", "queue": QUEUE, **CHAT})
NAMED: Told = (QueueEntered, 3000, {"contact": "b", "queue": QUEUE, "channel": Channel.SMS})
ENDED: Told = (ContactEnded, 4000, {"contact": "a", **CHAT})


@pytest.mark.parametrize(
    ("facts", "channel"),
    [
        ([ENTERED], Channel.PHONE),
        ([CREATED, ENTERED], Channel.EMAIL),
        ([ENTERED, ENDED], Channel.CHAT),
        ([CREATED, ENTERED, ENDED], Channel.EMAIL),
        ([CREATED, ENTERED, WRITTEN], Channel.CHAT),
        ([WRITTEN], Channel.CHAT),
        ([CREATED, ENTERED, NAMED], Channel.SMS),
        ([CREATED, ENTERED, WRITTEN, NAMED, ENDED], Channel.CHAT),
    ],
)
def test_it_is_the_one_that_was_named_first_with_the_queue_else_with_its_contact(
    facts: Sequence[Told], channel: Channel
) -> None:
    for number, several in enumerate(itertools.permutations(facts)):
        watching = Watching(Config())
        for place, (make, at_ms, data) in enumerate(several):
            watching.tell(make, at_ms, id=f"e{at_ms}", **data)
            if place == number % len(facts):
                watching.restart(at_ms)
        watching.at(MINUTE)
        row = rows(watching.partition, START_MS + MINUTE)[0][SITE, QUEUE]
        assert row.channel is channel
        if ENTERED in facts:
            expected = figures(watching.log.events, watching.config, now_ms=START_MS + MINUTE)
            assert differences(expected[SITE, QUEUE], row) == []


def test_a_name_that_changes_nothing_outlives_a_crash() -> None:
    """Phone is what a queue has before it is told; told, it holds against what only a contact says."""
    watching = Watching(Config())
    named = {"contact": "a", "queue": QUEUE, "channel": Channel.PHONE}
    for make, at_ms, data in (ENTERED, (MessageIn, 500, named)):
        watching.tell(make, at_ms, id=f"e{at_ms}", **data)
        watching.at(MINUTE)
    watching.restart(MINUTE)
    watching.tell(ContactCreated, 0, id="e0", contact="a", channel=Channel.EMAIL)
    assert rows(watching.partition, START_MS + MINUTE)[0][SITE, QUEUE].channel is Channel.PHONE


@pytest.mark.parametrize("first", [CREATED, WRITTEN])
def test_a_queue_of_patient_contacts_rings_no_alarm_after_two_minutes(first: Told) -> None:
    watching = Watching(Config())
    for make, at_ms, data in (first, ENTERED):
        watching.tell(make, at_ms, **data)
    assert watching.at(4 * MINUTE) == []
