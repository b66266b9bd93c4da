"""The vendor's own samples and composed ones: what each is there to show."""

from pathlib import Path

import pytest

from schemas.events import AgentStateChanged
from services.ingest.adapters.genesys_cloud.recording import read
from services.ingest.translated import Recording
from tests.contract import adapters
from tests.contract.adapters import genesys_cloud
from tests.doubles.genesys_calls import source
from tests.doubles.running_source import PSEUDONYMS

SHARED = adapters.SHARED / "genesys-cloud"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the vendor's documents are not copied here: needs ../shared/samples"
)
COMPOSED = genesys_cloud.OWN


def recorded(path: Path) -> Recording:
    recording = read([path.read_bytes()], source(), PSEUDONYMS)
    assert (recording.spoiled, recording.fault, recording.unknown.total()) == ([], None, 0)
    return recording


def told(recording: Recording) -> list[str]:
    """Each event: what it is, and at which second of its day."""
    return [
        f"{event.__struct_config__.tag} {event.occurred_ms % 86_400_000 / 1000:.3f}"
        for event in recording.events
    ]


@needs_shared
def test_01_a_chat_begins() -> None:
    assert told(recorded(SHARED / "01_eventbridge_customer_start_2022.json")) == ["contact.created 34244.949"]


@needs_shared
def test_02_an_audit_of_a_presence_is_a_pause_while_not_on_queue() -> None:
    (event,) = recorded(SHARED / "02_eventbridge_audit_user_presence_2021.json").events

    assert isinstance(event, AgentStateChanged)
    assert (event.agent, event.state, event.reason) == (
        "278522be-1683-4877-8257-4164a177be89",
        "paused",
        "available",
    )


def test_03_a_call_by_a_notification_channel_with_the_words_of_its_agent() -> None:
    recording = recorded(COMPOSED / "03_composed_notification_frames_call.jsonl")

    assert recording.payloads == 14
    assert told(recording) == [
        "agent.state 32370.000",
        "contact.created 32400.120",
        "queue.entered 32405.000",
        "agent.offered 32412.500",
        "agent.state 32412.500",
        "queue.left 32416.010",
        "agent.accepted 32416.000",
        "agent.state 32416.000",
        "hold.start 32460.000",
        "talk.ended 32640.900",
        "wrap.start 32640.900",
        "contact.ended 32640.900",
        "agent.state 32640.900",
        "wrap.end 32660.100",
        "agent.state 32660.130",
        "agent.state 33000.000",
    ]


def test_04_the_same_call_by_eventbridge() -> None:
    recording = recorded(COMPOSED / "04_composed_eventbridge_detail_events_call.jsonl")

    assert told(recording) == [
        "contact.created 32400.120",
        "queue.entered 32405.000",
        "agent.offered 32412.500",
        "queue.left 32416.010",
        "agent.accepted 32416.000",
        "hold.start 32460.000",
        "hold.end 32500.000",
        "talk.ended 32640.900",
        "agent.accepted 32416.000",
        "wrap.start 32640.900",
        "contact.ended 32640.900",
        "wrap.end 32660.100",
    ]


@needs_shared
def test_05_a_chat_as_analytics_shows_it() -> None:
    recording = recorded(SHARED / "05_analytics_conversation_detail_chat_2021.json")

    assert told(recording) == [
        "contact.created 44873.386",
        "queue.entered 44873.388",
        "queue.left 44884.567",
        "agent.offered 44873.519",
        "agent.accepted 44884.569",
        "hold.start 45259.130",
        "hold.end 45803.306",
        "talk.ended 45803.306",
        "contact.ended 45803.303",
    ]
