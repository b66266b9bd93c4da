"""What of a log's past is told at the first start."""

from schemas.events import AgentStateChanged, SourceEvent
from services.ingest.adapters.asterisk_queue_log.backfill import Backfill
from tests.unit.ingest.adapters.asterisk_queue_log.telling import (
    START_S,
    Story,
    complete,
    connect,
    enter,
    line,
    of_contacts,
)


def through(since_s: int, *lines: bytes) -> list[SourceEvent]:
    """What is told of these lines, when nothing more is written."""
    story, backfill = Story(wrap_up_s=5.0), Backfill((START_S + since_s) * 1000)
    told = [event for each in lines for event in backfill.take(story.tell(each))]
    return told if backfill.is_over else [*told, *backfill.finish()]


PAST = (
    enter(0, "over.1"),
    enter(1, "open.1"),
    line(2, "over.1", "support", "NONE", "ABANDON", 1, 1, 2),
    enter(3, "talk.1"),
    connect(4, "Lea", "talk.1"),
    enter(5, "done.1"),
    connect(6, "Max", "done.1"),
    complete(8, "Max", "done.1"),
    enter(9, "twice.1"),
    line(10, "twice.1", "support", "NONE", "EXITWITHKEY", 1, 1, 1, 1),
    enter(11, "twice.1"),
)


def test_of_the_past_what_goes_on_is_told_in_order() -> None:
    told = through(50, *PAST, line(60, "open.1", "support", "NONE", "ABANDON", 1, 1, 59))

    assert of_contacts(told) == [
        (1, "contact.created"),
        (1, "queue.entered", "open.1/support/1"),
        (3, "contact.created"),
        (3, "queue.entered", "talk.1/support/1"),
        (4, "agent.offered", "talk.1/support/1", "Lea"),
        (4, "queue.left", "talk.1/support/1", "Lea", "answered"),
        (4, "agent.accepted", "talk.1/support/1", "Lea"),
        (11, "queue.entered", "twice.1/support/2"),
        (60, "queue.left", "open.1/support/1", "abandoned"),
    ]
    agents = {event.agent: event.state for event in told if isinstance(event, AgentStateChanged)}
    assert agents == {"Lea": "in_contact", "Max": "available"}


def test_the_end_of_the_log_tells_it_too() -> None:
    assert of_contacts(through(50, *PAST)) == of_contacts(through(50, *PAST, enter(60, "9.9")))[:-2]


def test_what_is_since_the_instant_is_told_whole() -> None:
    assert through(0, *PAST) == Story(wrap_up_s=5.0).tell(*PAST)


def test_a_call_of_long_ago_has_ended_somehow() -> None:
    told = through(90_000, *PAST[:3], enter(80_000, "new.1"), enter(90_001, "now.1"))

    assert [each[2] for each in of_contacts(told) if each[1] == "queue.entered"] == [
        "new.1/support/1",
        "now.1/support/1",
    ]
