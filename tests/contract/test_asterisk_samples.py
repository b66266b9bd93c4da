"""Frames of other Asterisks, and composed ones: what each sample is there to show."""

from collections import Counter
from pathlib import Path

import pytest

from schemas.events import (
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
    WrapEnd,
)
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.recording import read
from services.ingest.adapters.asterisk_ami.translate import NO_TIMESTAMP, Translator
from services.ingest.adapters.asterisk_ami.wire import instant_us
from services.ingest.translated import Recording
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, START_MS, line, source

SHARED = Path(__file__).parents[3] / "shared" / "samples" / "asterisk-ami"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="other people's recordings are not copied here: needs ../shared/samples"
)


def recorded(path: Path) -> Recording:
    return read([path.read_bytes()], source(wrap_up_s=asterisk.WRAP_UP_S), PSEUDONYMS)


def of(recording: Recording, kind: type) -> list[SourceEvent]:
    return [event for event in [*recording.events, *recording.after] if isinstance(event, kind)]


def test_09_three_members_ring_at_once_and_the_caller_is_timed_out() -> None:
    recording = recorded(asterisk.RING_ALL_AND_TIMEOUT)
    (left,) = of(recording, QueueLeft)

    assert recording.fault is None
    assert len(of(recording, QueueEntered)) == 1
    assert isinstance(left, QueueLeft)
    assert (left.outcome, left.occurred_ms) == ("timeout", 1_700_000_130_401)
    assert len(of(recording, AgentOffered)) == len(of(recording, AgentNoAnswer)) == 3
    assert of(recording, AgentOfferEnded) == []


def test_09_each_member_is_ringing_once_and_the_removed_one_is_offline() -> None:
    states = of(recorded(asterisk.RING_ALL_AND_TIMEOUT), AgentStateChanged)
    by_agent = {
        agent: [
            event.state.value
            for event in states
            if isinstance(event, AgentStateChanged) and event.agent == agent
        ]
        for agent in ("Agent 1", "Agent 2", "Agent 3")
    }

    assert by_agent == {
        "Agent 1": ["available", "ringing", "available"],
        "Agent 2": ["available", "ringing", "available"],
        "Agent 3": ["available", "ringing", "available", "offline"],
    }


def test_10_a_complete_without_channel_ends_the_members_talk() -> None:
    recording = recorded(asterisk.COMPLETE_WITHOUT_CHANNEL)
    (ended,) = of(recording, TalkEnded)
    (wrapped,) = of(recording, WrapEnd)

    assert isinstance(ended, TalkEnded)
    assert (ended.contact, ended.agent, ended.by) == ("1795321254.103", "David", "customer")
    assert ended.occurred_ms == 1_795_321_268_544
    assert wrapped.occurred_ms == ended.occurred_ms + 2_000
    assert [
        event.reason for event in of(recording, AgentOfferEnded) if isinstance(event, AgentOfferEnded)
    ] == ["lost_race"]


@needs_shared
def test_05_a_snapshot_of_2014_gives_its_members() -> None:
    translator = Translator(source(), PSEUDONYMS)
    said: list[SourceEvent] = []
    for frame in frames("05_queuestatus_action_response_2014.ami.txt"):
        said += translator.frame(frame, START_MS)

    states = {event.agent: event for event in said if isinstance(event, AgentStateChanged)}
    assert Counter(event.state for event in states.values()) == {"available": 5, "paused": 1}
    assert states["Agent/999"].state == "paused"
    assert {event.queues for event in states.values()} == {("xxxxxxxxxxxxxxxx-tous",)}


@needs_shared
def test_06_a_session_of_2014_without_timestamps_says_what_to_do() -> None:
    recording = recorded(SHARED / "06_agent_login_session_2014.ami.txt")

    assert recording.fault == NO_TIMESTAMP
    assert recording.events == []


@needs_shared
def test_06_with_timestamps_its_old_field_names_are_understood() -> None:
    translator = Translator(source(), PSEUDONYMS)
    said: list[SourceEvent] = []
    for frame in frames("06_agent_login_session_2014.ami.txt"):
        said += translator.frame(stamped(frame, 1.0), START_MS)

    assert [line(event) for event in said] == [
        "agent.state available Agent/401 at 1",
        "agent.state in_contact Agent/402 at 1",
        "agent.state available Agent/402 at 1",
    ]


@needs_shared
def test_08_a_pause_has_its_reason_and_the_unpause_none() -> None:
    translator = Translator(source(), PSEUDONYMS)
    pause, unpause = frames("08_member_pause_unpause_20.5.0.ami.txt")
    said = translator.frame(stamped(pause, 1.0), START_MS) + translator.frame(stamped(unpause, 2.0), START_MS)

    assert [line(event) for event in said] == [
        "agent.state paused Pause1 Local/129@intern at 1",
        "agent.state available Local/129@intern at 2",
    ]


def frames(name: str) -> list[Frame]:
    return FrameReader().feed((SHARED / name).read_bytes())


def stamped(frame: Frame, at_s: float) -> Frame:
    if "Event" not in frame or instant_us(frame) is not None:
        return frame
    return Frame(f"{frame.raw}\nTimestamp: {START_MS // 1000 + round(at_s)}.000000")
