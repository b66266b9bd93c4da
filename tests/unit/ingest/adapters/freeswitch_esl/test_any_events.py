"""Whatever events and snapshots come, in any order: nothing is raised, and what is said can be read."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.events import SourceEvent
from services.ingest import checking
from services.ingest.adapters.freeswitch_esl.recording import read
from services.ingest.adapters.freeswitch_esl.survey import Snapshot
from services.ingest.adapters.freeswitch_esl.translate import Translator
from services.ingest.adapters.freeswitch_esl.wire import Event, from_json
from tests.doubles.callcenter import START_MS
from tests.doubles.esl_story import PSEUDONYMS, source

ACTIONS = [
    *("member-queue-start", "member-queue-resume", "member-queue-end", "agent-offering", "members-count"),
    *("bridge-agent-start", "bridge-agent-fail", "bridge-agent-end", "agent-max-no-answer", "agent-add"),
    *("agent-status-change", "agent-state-change", "whatever"),
]
NAMES = ["CHANNEL_HANGUP_COMPLETE", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CUSTOM", "HEARTBEAT"]
CHANNEL = st.sampled_from(["c1", "c2", "a1"])
MEMBER = st.sampled_from(["m1", "m2", "m/3~2"])
AGENT = st.sampled_from(["Alice", "Bruno", "x@y"])
QUEUE = st.sampled_from(["support", "sales/eu"])
SECONDS = st.sampled_from(["0", "1795321205", "1795321300", "99999999999999", "-1", "nan", "\u0661", ""])
WORD = st.text(max_size=6)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "CC-Member-Session-UUID": CHANNEL,
        "Unique-ID": CHANNEL,
        "CC-Agent-UUID": CHANNEL,
        "CC-Member-UUID": MEMBER,
        "CC-Agent": AGENT,
        "CC-Queue": QUEUE,
        "CC-Cause": st.sampled_from(["Terminated", "Cancel", "x"]),
        "CC-Cancel-Reason": st.sampled_from(["NONE", "TIMEOUT", "BREAK_OUT", "EXIT_WITH_KEY", "x"]),
        "CC-Hangup-Cause": st.sampled_from(["LOSE_RACE", "ORIGINATOR_CANCEL", "NO_ANSWER"]),
        "CC-Agent-Bridged": st.sampled_from(["true", "false"]),
        "Answer-State": st.sampled_from(["hangup", "answered"]),
        "CC-Agent-Status": st.sampled_from(["Available", "On Break", "Logged Out", "x"]),
        "CC-Agent-State": st.sampled_from(["Waiting", "Receiving", "In a queue call", "Idle", "x"]),
        "Core-UUID": st.sampled_from(["1", "2"]),
        "Event-Sequence": st.sampled_from(["1", "2", "3"]),
        "CC-Count": st.sampled_from(["0", "1", "x"]),
        "CC-Member-CID-Number": WORD,
        **dict.fromkeys(("CC-Member-Joined-Time", "CC-Agent-Called-Time", "CC-Agent-Answered-Time"), SECONDS),
        "Caller-Channel-Hangup-Time": SECONDS,
    },
)
STEP = st.tuples(
    st.sampled_from([*ACTIONS, *NAMES]),
    st.integers(-5_000, 60_000),
    HEADERS,
    st.sampled_from(["event", "event", "due", "lost", "look"]),
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "uuid": MEMBER,
        "session_uuid": CHANNEL,
        "name": AGENT,
        "queue": QUEUE,
        "agent": AGENT,
        "serving_agent": AGENT,
        "state": st.sampled_from(["Waiting", "Trying", "Answered", "Abandoned", "In a queue call"]),
        "status": st.sampled_from(["Available", "Logged Out"]),
        **dict.fromkeys(("joined_epoch", "rejoined_epoch", "bridge_epoch", "last_bridge_end"), SECONDS),
        "wrap_up_time": SECONDS,
    },
)
ROWS = st.none() | st.lists(ROW, max_size=4)
SNAPSHOT = st.builds(
    Snapshot,
    core=st.sampled_from([None, "1", "2"]),
    uptime_s=st.sampled_from([None, 5, 100_000]),
    members=st.dictionaries(QUEUE, ROWS, max_size=2),
    agents=ROWS,
    tiers=ROWS,
    alive=st.dictionaries(CHANNEL, st.booleans()),
)


def told(action: str, headers: dict[str, str]) -> Event:
    named = {"Event-Name": action}
    if action not in NAMES:
        named = {"Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": action}
    event = from_json(json.dumps({**named, **headers}).encode())
    assert isinstance(event, Event)
    return event


@settings(max_examples=200, deadline=None)
@given(
    st.lists(STEP, max_size=40), st.lists(SNAPSHOT, min_size=1, max_size=3), st.sampled_from([None, 0.0, 3.0])
)
def test_any_story_gives_readable_events(
    steps: list[tuple[str, int, dict[str, str], str]], snapshots: list[Snapshot], wrap_up_s: float | None
) -> None:
    translator = Translator(source(wrap_up_s=wrap_up_s), PSEUDONYMS)
    said: list[SourceEvent] = []
    now_ms = START_MS
    for number, (action, later_ms, headers, what) in enumerate(steps):
        now_ms += later_ms
        if what == "due":
            said += translator.due(now_ms)
        if what == "lost":
            translator.reconnected()
        if what == "look":
            said += translator.snapshot(snapshots[number % len(snapshots)], now_ms)
        said += translator.event(
            told(action, {"Event-Date-Timestamp": str(now_ms * 1000), **headers}), now_ms
        )
    said += translator.due(now_ms + 10**12)

    assert translator.next_due_ms() is None
    assert [codec.decode_event(codec.encode(event)) for event in said] == said
    assert [event for event in said if checking.refuse(event, now_ms=10**15)] == []
    after = Translator(source(wrap_up_s=wrap_up_s), PSEUDONYMS)
    for event in said:
        after.recall(event)
    after.go_on()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(JSON | st.dictionaries(st.sampled_from(["Event-Name", "CC-Action", "CC-Queue"]), JSON)))
def test_any_json_is_read_or_refused(values: list[Any]) -> None:
    for dumped in ("\n".join(map(json.dumps, values)), json.dumps(values)):
        recording = read([dumped.encode()], source(), PSEUDONYMS)
        assert recording.events == []


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    read(pieces, source(), PSEUDONYMS)
    read([b"Content-Type: text/event-plain\nContent-Length: 9\n\n", *pieces], source(), PSEUDONYMS)
