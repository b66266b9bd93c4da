"""Samples of FreeSWITCH, documented and composed ones: what each is there to show."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from schemas.board import QueueRow
from schemas.config import Config, SiteConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import WindowName
from services.ingest.adapters.freeswitch_esl.frames import FrameReader
from services.ingest.adapters.freeswitch_esl.recording import read
from services.ingest.translated import Recording
from tests.doubles.esl_story import PSEUDONYMS, source
from tests.unit.aggregator.core.folding import fold, rows

DATA = Path(__file__).parents[1] / "data" / "freeswitch-esl"
SHARED = Path(__file__).parents[3] / "shared" / "samples" / "freeswitch-esl"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="other people's samples are not copied here: needs ../shared/samples"
)
ALL_OUTCOMES = DATA / "04_composed_all_outcomes.jsonl"


@cache
def recorded(path: Path) -> Recording:
    return read([path.read_bytes()], source(wrap_up_s=10), PSEUDONYMS)


def told(path: Path) -> list[SourceEvent]:
    recording = recorded(path)
    return [*recording.events, *recording.after]


def folded(events: list[SourceEvent]) -> dict[str, QueueRow]:
    now_ms = max(event.occurred_ms for event in events) + 1000
    config = Config(sites=[SiteConfig(id="paris")], from_file=True)
    found, _ = rows(fold(events, config, now_ms), now_ms)
    return {queue: row for (_, queue), row in found.items()}


@needs_shared
def test_01_the_manual_s_examples_have_no_instants_but_those_of_a_bridge() -> None:
    recording = recorded(SHARED / "01_mod_callcenter_documented_events.esl.txt")

    assert recording.payloads == 8
    assert len(recording.spoiled) == 5
    assert {each.detail.partition(": ")[2] for each in recording.spoiled} == {
        "Event-Date-Timestamp: missing, or not microseconds"
    }
    [entered] = [each for each in recording.events if isinstance(each, QueueEntered)]
    [accepted] = [each for each in recording.events if isinstance(each, AgentAccepted)]
    [ended] = [each for each in recording.events if isinstance(each, TalkEnded)]
    assert (entered.occurred_ms, accepted.occurred_ms, ended.occurred_ms) == (
        9_000_000,
        10_009_000,
        10_500_000,
    )
    assert (entered.inferred, accepted.inferred) == (True, False)


def test_02_an_answered_call_has_its_instants_to_the_millisecond() -> None:
    events = told(DATA / "02_composed_answered_call_sequence.jsonl")
    kinds = (QueueEntered, AgentOffered, AgentAccepted, TalkEnded, WrapEnd)

    assert [each.occurred_ms - 1_696_995_740_000 for each in events if isinstance(each, kinds)] == [
        950,
        961,
        5_500,
        9_600,
        19_600,
    ]
    states = [str(each.state) for each in events if isinstance(each, AgentStateChanged)]
    assert states == ["ringing", "in_contact", "wrap_up", "available"]


def test_03_plain_wire_says_what_it_holds_of_the_same_call() -> None:
    recording = recorded(DATA / "03_composed_esl_plain_wire.txt")
    [left] = [each for each in recording.events if isinstance(each, QueueLeft)]
    [entered] = [each for each in recording.events if isinstance(each, QueueEntered)]

    assert recording.payloads == 6
    assert recording.spoiled == []
    assert entered.occurred_ms == 1_696_995_740_950
    assert (left.outcome, left.occurred_ms, left.inferred, left.precision_ms) == (
        "answered",
        1_696_995_745_000,
        True,
        1000,
    )


@pytest.mark.parametrize("cut", [1, 7, 100, 797, 4096])
def test_03_any_cut_gives_the_same(cut: int) -> None:
    data = (DATA / "03_composed_esl_plain_wire.txt").read_bytes()
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    reader = FrameReader()
    frames = [frame for piece in pieces for frame in reader.feed(piece)]

    assert frames == FrameReader().feed(data)
    assert len(frames) == 6
    assert reader.take_refused() == []
    assert read(pieces, source(wrap_up_s=10), PSEUDONYMS) == recorded(DATA / "03_composed_esl_plain_wire.txt")


def test_04_each_way_to_leave_a_queue_is_counted_as_what_it_is() -> None:
    found = folded(told(ALL_OUTCOMES))
    support, sales = (found[queue].windows[WindowName.M15] for queue in ("support@default", "sales@default"))

    assert (support.offered, support.answered, support.abandoned) == (3, 1, 1)
    assert {word: n for word, n in support.left.items() if n} == {"withdrawn": 1}
    assert (sales.offered, sales.answered, sales.abandoned) == (3, 0, 0)
    assert {word: n for word, n in sales.left.items() if n} == {"timeout": 1, "key": 1, "empty": 1}
    assert found["support@default"].waiting == found["sales@default"].waiting == 0


def test_04_every_offer_ends_once() -> None:
    events = told(ALL_OUTCOMES)
    ends = Counter(
        str(getattr(each, "reason", "no_answer"))
        for each in events
        if isinstance(each, AgentOfferEnded | AgentNoAnswer)
    )

    assert sum(isinstance(each, AgentOffered) for each in events) == 4
    assert ends == {"lost_race": 2, "no_answer": 1}


def test_04_all_contacts_end_and_the_transferred_one_behind_its_talk() -> None:
    events = told(ALL_OUTCOMES)
    ends = {each.contact: each.occurred_ms for each in events if isinstance(each, ContactEnded)}
    [talk] = [each for each in events if isinstance(each, TalkEnded)]

    assert sorted(ends) == ["a1", "a2", "a3", "a4", "a5", "a6"]
    assert talk.by == "transfer"
    assert ends["a1"] - talk.occurred_ms == 15_000


@pytest.mark.parametrize("form", ["array", "lines", "blocks", "plain wire", "json wire", "gaps"])
def test_a_capture_may_have_any_form(form: str) -> None:
    lines = ALL_OUTCOMES.read_bytes().splitlines()
    headers = [dict(pair.split(": ", 1) for pair in _pairs(line)) for line in lines]
    blocks = ["".join(f"{key}: {value}\n" for key, value in each.items()).encode() for each in headers]
    forms = {
        "array": b"[" + b",\n".join(lines) + b"]",
        "lines": b"\n".join(lines),
        "blocks": b"\n".join(blocks),
        "plain wire": b"".join(_wire("plain", block + b"\n") for block in blocks),
        "json wire": b"".join(_wire("json", line) for line in lines),
        "gaps": b"\n\n" + b"\r\n\r\n".join(lines),
    }

    assert read([forms[form]], source(wrap_up_s=10), PSEUDONYMS) == recorded(ALL_OUTCOMES)


def _pairs(line: bytes) -> list[str]:
    return [pair.strip('"').replace('": "', ": ") for pair in line.decode()[1:-1].split(', "')]


def _wire(kind: str, body: bytes) -> bytes:
    return b"Content-Length: %d\nContent-Type: text/event-%s\n\n" % (len(body), kind.encode()) + body
