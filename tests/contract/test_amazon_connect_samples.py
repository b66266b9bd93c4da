"""The vendor's own samples and a composed one: what each is there to show."""

from pathlib import Path

import pytest

from services.ingest.adapters.amazon_connect.recording import payloads, read
from services.ingest.translated import Recording
from tests.contract import adapters
from tests.contract.adapters import amazon_connect
from tests.doubles.connect_events import PSEUDONYMS, source

COMPOSED = amazon_connect.OWN / "04_composed_contact_lifecycle.json"
SHARED = adapters.SHARED / "amazon-connect"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the vendor's documents are not copied here: needs ../shared/samples"
)


def recorded(path: Path, **settings: object) -> Recording:
    return read([path.read_bytes()], source(**settings), PSEUDONYMS)


def told(recording: Recording) -> list[str]:
    """Each event once: its id without the contact's name, and at which second of its day."""
    lines = []
    for event in [*recording.events, *recording.after]:
        at_s = event.occurred_ms % 86_400_000 / 1000
        lines.append(f"{event.__struct_config__.tag} {event.id.rpartition('/')[2]} {at_s:.3f}")
    return list(dict.fromkeys(lines))


def test_04_a_call_from_its_beginning_to_the_end_of_wrap_up() -> None:
    recording = recorded(COMPOSED)

    assert (recording.payloads, recording.spoiled, recording.fault) == (6, [], None)
    assert told(recording) == [
        "contact.created created 36000.100",
        "queue.entered entered 36020.250",
        "agent.accepted accepted 36045.900",
        "queue.left answered 36045.900",
        "talk.ended talk_ended 36189.700",
        "wrap.start wrap_start 36189.700",
        "wrap.end wrap_end 36219.900",
    ]


def test_04_a_part_of_it_tells_what_the_lost_events_told() -> None:
    """Without QUEUED, CONNECTED_TO_AGENT and DISCONNECTED."""
    several = list(payloads(COMPOSED.read_bytes()))
    part = read([several[0], b"\n", several[1], b"\n", several[5]], source(), PSEUDONYMS)

    assert sorted(told(part)) == sorted(told(recorded(COMPOSED)))


def test_11_an_agent_who_speaks_is_in_contact_whatever_status_is_chosen() -> None:
    assert told(recorded(amazon_connect.OWN / "11_composed_agent_event.json")) == [
        "agent.state in_contact 15612.400",
        "agent.accepted stream 15612.300",
    ]


def test_12_who_is_called_back_has_not_abandoned() -> None:
    assert told(recorded(amazon_connect.OWN / "12_composed_callback.json")) == [
        "contact.created created 15600.000",
        "queue.entered entered 15602.000",
        "queue.left withdrawn 15661.500",
        "queue.left callback 15660.000",
        "queue.entered entered 15759.200",
        "agent.accepted accepted 15780.600",
        "queue.left answered 15780.600",
        "talk.ended talk_ended 15900.400",
        "contact.ended 7a3d 15900.400",
        "wrap.start wrap_start 15900.400",
        "wrap.end wrap_end 15919.900",
    ]


@needs_shared
def test_01_an_answer_gives_the_entry_too() -> None:
    assert told(recorded(SHARED / "01_contact_event_connected_to_agent.json")) == [
        "queue.entered entered 62944.000",
        "agent.accepted accepted 62949.000",
        "queue.left answered 62949.000",
    ]


@needs_shared
def test_02_a_call_of_an_agents_own_waits_in_no_queue() -> None:
    assert told(recorded(SHARED / "02_contact_event_disconnected_outbound.json")) == [
        "agent.accepted accepted 62949.000",
        "talk.ended talk_ended 62317.000",
    ]


@needs_shared
def test_03_an_agent_of_1970_has_not_accepted() -> None:
    assert told(recorded(SHARED / "03_contact_event_contact_data_updated_chat.json")) == [
        "queue.entered entered 9555.240"
    ]


@needs_shared
def test_05_a_heartbeat_of_2019_says_how_the_agent_stands_and_not_what_is_next() -> None:
    (event,) = recorded(SHARED / "05_agent_event_heart_beat_2019.json").events

    assert (event.__struct_config__.tag, event.id) == (
        "agent.state",
        "agent-ARN/state/1565729924031000/available",
    )


@needs_shared
def test_06_wrap_up_of_2018_begins_where_the_talk_ended() -> None:
    assert told(recorded(SHARED / "06_agent_event_acw_start_2018.json")) == [
        "agent.state wrap_up 68127.000",
        "agent.accepted stream 68121.000",
        "talk.ended stream 68127.000",
        "wrap.start stream 68127.000",
    ]


@needs_shared
def test_06_instants_of_2018_are_known_to_the_second_and_say_so() -> None:
    events = recorded(SHARED / "06_agent_event_acw_start_2018.json").events

    assert {(event.occurred_ms % 1000, event.precision_ms) for event in events} == {(0, 1000)}


def test_no_personal_datum_of_a_sample_comes_out() -> None:
    said = repr([recorded(path) for path in amazon_connect.CASE.samples])

    assert [word for word in amazon_connect.CASE.personal if word in said] == []


@pytest.mark.parametrize("between", [b"\n", b"", b" , ", b"\r\n\r\n"])
def test_a_capture_is_read_however_its_payloads_are_put_together(between: bytes) -> None:
    several = list(payloads(COMPOSED.read_bytes()))
    recording = read([between.join(several)], source(), PSEUDONYMS)

    assert (recording.payloads, told(recording)) == (6, told(recorded(COMPOSED)))


def test_a_line_that_is_no_json_is_refused_and_the_rest_is_read() -> None:
    several = list(payloads(COMPOSED.read_bytes()))
    recording = read([b"-- log --\n", b"\n".join(several), b"\n{broken"], source(), PSEUDONYMS)

    assert (recording.payloads, len(recording.spoiled)) == (8, 2)
    assert told(recording) == told(recorded(COMPOSED))
