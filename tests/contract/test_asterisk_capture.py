"""A real Asterisk, recorded: what we make of its frames against what it counted and logged itself."""

import random
from collections import Counter, defaultdict
from functools import cache

import msgspec
import pytest

from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import OfferEnd, Outcome
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.recording import read
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.adapters.asterisk_ami.wire import event_of, instant_us
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, source
from tests.oracle import queue_log

THRESHOLD_MS = round(asterisk.THRESHOLD_S * 1000)


class Visit(msgspec.Struct):
    """One visit, counted here from the events by the plainest means."""

    contact: str
    queue: str
    entered_ms: int
    left_ms: int | None = None
    outcome: Outcome | None = None
    agent: str | None = None

    @property
    def wait_ms(self) -> int:
        assert self.left_ms is not None
        return self.left_ms - self.entered_ms


def settings() -> dict[str, object]:
    return {"wrap_up_s": asterisk.WRAP_UP_S}


@cache
def events() -> tuple[SourceEvent, ...]:
    recording = read([asterisk.capture()], source(**settings()), PSEUDONYMS)
    assert (recording.fault, recording.spoiled, recording.dropped, recording.unknown) == (
        None,
        [],
        Counter(),
        Counter(),
    )
    return tuple(recording.events)


@cache
def frames() -> tuple[Frame, ...]:
    return tuple(FrameReader().feed(asterisk.capture()))


def visits() -> dict[str, Visit]:
    found: dict[str, Visit] = {}
    for event in events():
        if isinstance(event, QueueEntered):
            assert event.segment is not None
            found[event.segment] = Visit(event.contact, event.queue, event.occurred_ms)
        elif isinstance(event, QueueLeft):
            visit = found[str(event.segment)]
            assert visit.outcome is None
            visit.outcome, visit.agent, visit.left_ms = event.outcome, event.agent, event.occurred_ms
        elif isinstance(event, AgentAccepted):
            found[str(event.segment)].left_ms = event.occurred_ms
    return found


@pytest.mark.parametrize("queue", ["support", "sales"])
def test_counts_are_those_of_asterisk_itself(queue: str) -> None:
    mine = [visit for visit in visits().values() if visit.queue == queue]
    outcomes = Counter(visit.outcome for visit in mine)
    own = asterisk.own_counters()[queue]

    assert len(mine) == asterisk.OFFERED[queue]
    assert outcomes[Outcome.ANSWERED] == own.answered
    assert outcomes[Outcome.ABANDONED] + outcomes[Outcome.TIMEOUT] == own.abandoned
    assert set(outcomes) <= {Outcome.ANSWERED, Outcome.ABANDONED, Outcome.TIMEOUT}


@pytest.mark.parametrize("queue", ["support", "sales"])
def test_service_levels_are_those_of_asterisk_but_for_waits_it_truncated(queue: str) -> None:
    """Asterisk compares whole seconds: a wait of 20.026 s is 20, inside 20 s."""
    mine = [visit for visit in visits().values() if visit.queue == queue]
    answered = [visit for visit in mine if visit.outcome is Outcome.ANSWERED]
    abandoned = [visit for visit in mine if visit.outcome is not Outcome.ANSWERED]
    near = [v for v in mine if v.wait_ms > THRESHOLD_MS and (v.contact, v.queue) in asterisk.TRUNCATED]
    own = asterisk.own_counters()[queue]

    def share(within: list[Visit], of: list[Visit], *, allow: list[Visit]) -> float:
        met = sum(visit.wait_ms <= THRESHOLD_MS or visit in allow for visit in within)
        return round(100 * met / len(of), 1)

    assert share(answered, answered, allow=near) == own.service_level
    assert share(mine, [*answered, *abandoned], allow=near) == own.service_level_2


def test_the_waits_that_asterisk_truncated_into_the_threshold_are_listed() -> None:
    log = {(c.callid, c.queue): c for c in logged()}
    inside_by_truncation = {
        (visit.contact, visit.queue): visit.wait_ms
        for visit in visits().values()
        if visit.wait_ms > THRESHOLD_MS and (log[visit.contact, visit.queue].wait_s or 0) <= 20
    }

    assert set(inside_by_truncation) == asterisk.TRUNCATED
    assert all(wait_ms < THRESHOLD_MS + 1_000 for wait_ms in inside_by_truncation.values())


def logged() -> list[queue_log.Contact]:
    return queue_log.fold(asterisk.QUEUE_LOG.read_text("utf-8").splitlines())


def test_every_contact_is_the_one_of_the_queue_log() -> None:
    """One by one; AMI cannot tell the one time-out from an abandon in this capture."""
    log = {(c.callid, c.queue): c for c in logged()}
    mine = {(visit.contact, visit.queue): visit for visit in visits().values()}

    assert mine.keys() == log.keys()
    for key, visit in mine.items():
        assert visit.outcome == ("abandoned" if log[key].outcome == "timeout" else log[key].outcome), key
        assert visit.agent == log[key].agent, key
        assert abs(visit.entered_ms // 1000 - log[key].entered_s) <= 1, key
        assert -1 < visit.wait_ms / 1000 - (log[key].wait_s or 0) < 1.001, key
    assert Counter(c.outcome for c in logged()) == {"answered": 133, "abandoned": 50, "timeout": 1}


def test_contact_and_segment_are_what_the_queue_log_would_name_them() -> None:
    assert {v.contact for v in visits().values()} == {contact.callid for contact in logged()}
    assert all(segment == f"{v.contact}/{v.queue}/1" for segment, v in visits().items())


def test_every_attempt_ends_once() -> None:
    """183 rung = 133 connected + 24 no answer + 19 lost races + 7 callers gone."""
    ends = Counter(
        event.reason if isinstance(event, AgentOfferEnded) else type(event)
        for event in events()
        if isinstance(event, AgentAccepted | AgentNoAnswer | AgentOfferEnded)
    )

    assert sum(isinstance(event, AgentOffered) for event in events()) == 183
    assert ends == {
        AgentAccepted: 133,
        AgentNoAnswer: 24,
        OfferEnd.LOST_RACE: 19,
        OfferEnd.CALLER_LEFT: 7,
    }


def test_every_talk_ends_and_is_wrapped_up_for_as_long_as_its_queue_says() -> None:
    ended = {event.segment: event for event in events() if isinstance(event, TalkEnded)}
    wraps: dict[str | None, list[int]] = defaultdict(list)
    for event in events():
        if isinstance(event, WrapStart | WrapEnd):
            wraps[event.segment].append(event.occurred_ms)
    last = max(ended.values(), key=lambda event: event.occurred_ms)

    assert len(ended) == 133
    assert [wrap for segment, wrap in wraps.items() if len(wrap) != 2] == [[last.occurred_ms]]
    for segment, instants in wraps.items():
        queue = str(segment).split("/")[1]
        assert instants[0] == ended[segment].occurred_ms
        assert len(instants) == 1 or instants[1] - instants[0] == asterisk.WRAP_UP_S[queue] * 1000


def test_talk_times_are_those_of_asterisk() -> None:
    """Its TalkTime is in whole seconds, cut from two instants that are each cut."""
    log = {(c.callid, c.queue): c for c in logged()}
    accepted = {e.segment: e.occurred_ms for e in events() if isinstance(e, AgentAccepted)}
    for event in events():
        if isinstance(event, TalkEnded):
            talk_s = (event.occurred_ms - accepted[event.segment]) / 1000
            assert abs(talk_s - (log[event.contact, str(event.queue)].talk_s or 0)) < 1.1


def test_every_contact_begins_and_ends_once() -> None:
    assert sum(isinstance(event, ContactCreated) for event in events()) == 184
    assert sum(isinstance(event, ContactEnded) for event in events()) == 184


def test_no_number_leaves() -> None:
    numbers = {frame.get("CallerIDNum") for frame in frames() if event_of(frame) == "QueueCallerJoin"}
    text = msgspec.json.encode(events()).decode()

    assert len(numbers) == 184
    assert not [number for number in numbers if number in text]
    assert len({event.customer for event in events() if isinstance(event, ContactCreated)}) == 184


def told(translated: list[SourceEvent]) -> dict[tuple[str, str], SourceEvent]:
    """By identity, without what depends on who heard it when."""
    facts: dict[tuple[str, str], SourceEvent] = {}
    for event in translated:
        facts.setdefault((event.source, event.id), msgspec.structs.replace(event, received_ms=0))
    return facts


def through(translator: Translator, pieces: list[Frame], clock_ms: int) -> tuple[list[SourceEvent], int]:
    said: list[SourceEvent] = []
    for frame in pieces:
        at_us = instant_us(frame)
        clock_ms = max(clock_ms, at_us // 1000) if at_us is not None else clock_ms
        said += translator.frame(frame, clock_ms)
    return said, clock_ms


FIRST_MS = 1_795_321_195_437


@pytest.mark.parametrize("seed", range(3))
def test_cut_in_mid_frame_and_reconnected_it_tells_the_same(seed: int) -> None:
    """The line is cut five times; each time the frame that was cut comes again, whole."""
    dice = random.Random(seed)
    data = asterisk.capture()
    cuts = sorted(dice.sample(range(1000, len(data)), 5))
    translator = Translator(source(**settings()), PSEUDONYMS)
    said: list[SourceEvent] = []
    clock_ms, start = FIRST_MS, 0
    for cut in [*cuts, len(data)]:
        some, clock_ms = through(translator, FrameReader().feed(data[start:cut]), clock_ms)
        said += some
        translator.reconnected()
        start = data.rfind(b"\r\n\r\n", 0, cut) + 4

    assert _but_ends(told(said)) == _but_ends(told(list(events())))


def _but_ends(facts: dict[tuple[str, str], SourceEvent]) -> dict[tuple[str, str], SourceEvent]:
    """Which other channels of a contact live is forgotten with the line: its end may move by a few ms."""
    return {
        key: msgspec.structs.replace(fact, occurred_ms=0) if isinstance(fact, ContactEnded) else fact
        for key, fact in facts.items()
    }


def test_sent_twice_it_tells_the_same() -> None:
    translator = Translator(source(**settings()), PSEUDONYMS)
    first, clock_ms = through(translator, list(frames()), FIRST_MS)
    again, _ = through(translator, list(frames()), clock_ms)

    assert told(first + again) == told(list(events()))


@pytest.mark.parametrize("behind", [1, 40, 1000])
def test_two_managers_in_one_translator_tell_the_same(behind: int) -> None:
    """The second session's copy of each frame comes `behind` frames later."""
    timed = [frame for frame in frames() if instant_us(frame) is not None]
    doubled: list[Frame] = []
    for n, frame in enumerate(timed):
        doubled += [frame, timed[n - behind]] if n >= behind else [frame]
    one, _ = through(Translator(source(**settings()), PSEUDONYMS), timed, FIRST_MS)
    two, _ = through(Translator(source(**settings()), PSEUDONYMS), doubled, FIRST_MS)

    assert told(two) == told(one)


def test_two_managers_whose_clocks_print_otherwise_tell_the_same_of_contacts() -> None:
    doubled: list[Frame] = []
    for frame in frames():
        doubled += [frame, _later(frame, 2_300)] if instant_us(frame) is not None else [frame]
    said, _ = through(Translator(source(**settings()), PSEUDONYMS), doubled, FIRST_MS)

    assert _contacts_only(told(said)).keys() == _contacts_only(told(list(events()))).keys()
    assert len(said) < 1.2 * len(events())


def _later(frame: Frame, by_us: int) -> Frame:
    at_us = (instant_us(frame) or 0) + by_us
    before = frame.get("Timestamp")
    return Frame(frame.raw.replace(before, f"{at_us // 1_000_000}.{at_us % 1_000_000:06}", 1))


def _contacts_only(facts: dict[tuple[str, str], SourceEvent]) -> dict[tuple[str, str], SourceEvent]:
    return {key: fact for key, fact in facts.items() if not key[1].partition("/")[2].startswith("state/")}
