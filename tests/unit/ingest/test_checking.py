"""What adapters say is held to the rules of what is posted."""

import pytest
from msgspec import structs

from schemas.events import AgentStateChanged, QueueEntered, SourceEvent
from schemas.vocabulary import AgentState, Reason
from services.ingest.adapters.asterisk_ami.recording import read
from services.ingest.checking import refuse
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, START_MS, Story, source

ENTERED = QueueEntered(
    id="1.1/support/1/entered",
    source="pbx1",
    site="paris",
    occurred_ms=START_MS,
    received_ms=START_MS,
    contact="1.1",
    segment="1.1/support/1",
    queue="support",
)
STATE = AgentStateChanged(
    id="Alice/state/1",
    source="pbx1",
    site="paris",
    occurred_ms=START_MS,
    received_ms=START_MS,
    agent="Alice",
    state=AgentState.AVAILABLE,
    queues=("support",),
)


def test_all_that_a_recorded_asterisk_tells_is_fit() -> None:
    recording = read([asterisk.capture()], source(), PSEUDONYMS)

    assert [each for each in recording.events if refuse(each, now_ms=each.occurred_ms) is not None] == []


@pytest.mark.parametrize(
    ("event", "reason", "detail"),
    [
        (structs.replace(ENTERED, queue=""), Reason.INVALID, "data.queue: expected str of length >= 1"),
        (structs.replace(ENTERED, queue=" "), Reason.INVALID, "data.queue: blank"),
        (structs.replace(ENTERED, contact="x" * 257), Reason.INVALID, "data.contact: expected"),
        (structs.replace(ENTERED, queue="a\x00b"), Reason.INVALID, "data.queue: holds a control character"),
        (structs.replace(ENTERED, queue="\ud800"), Reason.INVALID, "data.queue: holds a control character"),
        (structs.replace(ENTERED, occurred_ms=-1), Reason.INVALID, "occurred_ms: expected int >= 0"),
        (structs.replace(ENTERED, occurred_ms=START_MS + 300_001), Reason.FUTURE, "Timestamp: ahead"),
        (
            structs.replace(STATE, queues=("q",) * 501),
            Reason.INVALID,
            "data.queues: expected array of length",
        ),
        (structs.replace(STATE, queues=("q", "")), Reason.INVALID, "data.queues[1]: expected str"),
        (structs.replace(STATE, queues=("é" * 200,) * 500), Reason.TOO_LARGE, "event: above 65536 bytes"),
    ],
)
def test_what_could_not_be_posted_is_refused_with_its_place(
    event: SourceEvent, reason: Reason, detail: str
) -> None:
    refused = refuse(event, now_ms=START_MS)

    assert refused is not None
    assert (refused.reason, refused.source, refused.site) == (reason, "pbx1", "paris")
    assert refused.detail.partition(": ")[2].startswith(detail)


def test_a_setting_that_maps_a_queue_to_nothing_is_found_at_its_first_event() -> None:
    story = Story(map={"support": ""})
    story.join(1)
    told = [refuse(event, now_ms=START_MS + 1000) for event in story.events]

    assert [each and each.detail for each in told] == [
        None,
        "queue.entered: data.queue: expected str of length >= 1",
    ]
