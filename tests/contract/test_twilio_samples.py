"""Other people's samples of Twilio: what each is there to show."""

from pathlib import Path

import pytest

from schemas.events import (
    AgentAccepted,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    ContactCreated,
    MessageOut,
    QueueEntered,
)
from schemas.vocabulary import AgentState, Author, Channel, OfferEnd
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED
from tests.contract.adapters.twilio_taskrouter import CASE, DATA, takes
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import source

SAMPLES = SHARED / "twilio-taskrouter"
needs_shared = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="other people's samples are not copied here: needs ../shared/samples"
)


def posted(name: str) -> Translated:
    """A body of Event Streams as it is in the file."""
    body = next(SAMPLES.glob(name)).read_bytes()
    return Translator(source(), PSEUDONYMS).body(body, is_form=False, now_ms=1_767_225_600_000)


@needs_shared
def test_01_a_message_of_the_system_is_a_bots() -> None:
    """`datacontenttype` holds a time there, and `time` is missing."""
    (event,) = posted("01_*").events

    assert isinstance(event, MessageOut)
    assert (event.author, event.contact) == (Author.BOT, "flex/CHee95cfd541a925a3337fec19a0200009")
    assert event.occurred_ms == 1_735_689_600_000


@needs_shared
def test_02_a_participant_is_known_and_tells_nothing() -> None:
    found = posted("02_*")

    assert (found.events, found.spoiled) == ([], [])
    assert found.types == {"com.twilio.conversations.participant.added": 1}


@needs_shared
def test_03_an_acceptance_that_was_cut_off_before_its_worker_is_a_dead_letter() -> None:
    """Its `eventtype` is another one than its `type`, which is the one that was subscribed to."""
    found = posted("03_*")

    assert [letter.detail for letter in found.spoiled] == ["reservation.accepted: worker_sid: missing"]
    assert found.types == {"com.twilio.taskrouter.reservation.accepted": 1}


@needs_shared
def test_04_an_event_of_messaging_is_unknown() -> None:
    assert posted("04_*").unknown == {"com.twilio.messaging.message.sent": 1}


def test_05_callbacks_tell_a_contact_that_is_answered_and_an_agent_who_pauses() -> None:
    found = takes(CASE.payloads(DATA / "05_composed_event_callbacks.form.txt")).events
    (created,) = [event for event in found if isinstance(event, ContactCreated)]
    (entered,) = [event for event in found if isinstance(event, QueueEntered) and not event.inferred]
    (accepted,) = [event for event in found if isinstance(event, AgentAccepted)]

    assert created.channel is Channel.PHONE
    assert (entered.queue, accepted.agent) == ("Support", "alice")
    assert accepted.occurred_ms - entered.occurred_ms == 5_200
    assert created.contact == entered.contact == accepted.contact
    assert entered.segment == accepted.segment
    assert [event.state for event in found if isinstance(event, AgentStateChanged)] == [
        AgentState.RINGING,
        AgentState.IN_CONTACT,
        AgentState.PAUSED,
    ]


@needs_shared
def test_06_of_a_workers_socket_only_offers_answers_and_states_can_be_used() -> None:
    """Nobody enters a queue there. One reservation of the mock has no instant at all."""
    found = takes([next(SAMPLES.glob("06_*")).read_bytes()])
    kinds = {type(event) for event in found.events}

    assert kinds >= {AgentOffered, AgentAccepted, AgentOfferEnded, AgentStateChanged}
    assert not kinds & {QueueEntered, ContactCreated}
    assert [letter.detail for letter in found.spoiled] == [
        "reservation.created: timestamp: missing, or no instant"
    ]
    assert found.types == {
        "worker.activity.update": 1,
        "reservation.created": 2,
        "reservation.accepted": 1,
        "reservation.canceled": 1,
        "task.updated": 1,
    }
    (ended,) = [event for event in found.events if isinstance(event, AgentOfferEnded)]
    assert (ended.reason, ended.agent) == (OfferEnd.CANCELLED, "WKxxx")


def test_every_sample_but_the_vectors_is_in_the_suite() -> None:
    """07 is read by the tests of signatures."""
    here = [*SAMPLES.glob("0[12346]*"), *DATA.glob("05*")]

    assert {Path(path).name for path in CASE.samples} == {path.name for path in here}
