"""When a recording's events are sent, and what instants they then have. SEMANTICS.md §2, Replay."""

import msgspec
import pytest

from schemas.events import QueueEntered, SourceEvent
from services.ingest import cloudevents
from services.ingest.cloudevents import Taken, read_structured
from services.ingest.outgoing import cloud_event, instant
from services.ingest.sending import BATCH, as_it_happens, batches, plan, within
from tests.unit.ingest.posts import PSEUDONYMS

START_MS = 1_795_341_600_000


def entered(at_ms: int) -> SourceEvent:
    return QueueEntered(
        id=f"{at_ms}", source="pbx1", site="paris", occurred_ms=at_ms, received_ms=0, contact="c", queue="q"
    )


def test_at_most_speed_the_last_instant_is_now() -> None:
    events = [entered(1_000), entered(61_000)]
    schedule = plan(events, start_ms=START_MS, speed=None, is_shifted=True)

    assert schedule.shift_ms == START_MS - 61_000
    assert list(batches(events, schedule)) == [(START_MS, events)]


@pytest.mark.parametrize("speed", [1.0, 4.0, 60.0])
def test_paced_the_last_instant_is_the_moment_at_which_it_is_sent(speed: float) -> None:
    events = [entered(1_000), entered(31_000), entered(61_000)]
    schedule = plan(events, start_ms=START_MS, speed=speed, is_shifted=True)
    moments = [due_ms for due_ms, _ in batches(events, schedule)]

    assert moments == [START_MS + round(each / speed) for each in (0, 30_000, 60_000)]
    assert 61_000 + schedule.shift_ms == moments[-1]


@pytest.mark.parametrize("speed", [1.0, 2.5, 60.0])
def test_no_event_is_sent_before_it_happened(speed: float) -> None:
    events = [entered(at_ms) for at_ms in (5, 1, 700, 701, 900, 890, 5_000)]
    schedule = plan(events, start_ms=START_MS, speed=speed, is_shifted=True)
    sent = list(batches(events, schedule))

    assert [event for _, part in sent for event in part] == events
    assert all(event.occurred_ms + schedule.shift_ms <= due_ms for due_ms, part in sent for event in part)


@pytest.mark.parametrize("speed", [None, 4.0])
def test_what_timers_tell_is_sent_when_it_happens_if_that_is_soon(speed: float | None) -> None:
    schedule = plan([entered(1_000), entered(9_000)], start_ms=START_MS, speed=speed, is_shifted=True)
    over_ms = 9_000 + schedule.shift_ms
    soon, late = [entered(12_000), entered(12_000)], entered(9_001 + 60_000)
    found = within([*soon, late], schedule, until_ms=over_ms + 60_000)

    assert found == soon
    assert list(batches(found, as_it_happens(schedule))) == [(over_ms + 3_000, soon)]


def test_unshifted_instants_stay() -> None:
    assert plan([entered(1_000)], start_ms=START_MS, speed=10.0, is_shifted=False).shift_ms == 0


def test_batches_are_bounded() -> None:
    events = [entered(1_000)] * (2 * BATCH + 1)
    schedule = plan(events, start_ms=START_MS, speed=None, is_shifted=True)

    assert [len(part) for _, part in batches(events, schedule)] == [BATCH, BATCH, 1]


def test_nothing_to_send_is_no_batch() -> None:
    schedule = plan([], start_ms=START_MS, speed=None, is_shifted=True)

    assert list(batches([], schedule)) == []


def test_a_cloud_event_is_what_ingest_reads_back() -> None:
    event = entered(START_MS)
    body = msgspec.json.encode(cloud_event(event, shift_ms=-250))
    read = read_structured(body, received_ms=START_MS, pseudonyms=PSEUDONYMS)

    assert isinstance(read, Taken)
    assert read.ignored == 0
    assert read.event == msgspec.structs.replace(event, occurred_ms=START_MS - 250, received_ms=START_MS)


@pytest.mark.parametrize("at_ms", [0, 1, 999, 1_795_321_195_437, 253_402_300_799_999])
def test_instants_are_whole_milliseconds(at_ms: int) -> None:
    assert cloudevents.instant(instant(at_ms)) == at_ms
