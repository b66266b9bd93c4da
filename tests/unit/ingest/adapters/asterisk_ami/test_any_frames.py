"""Whatever frames come, in whatever order: nothing is raised, and every event can be read back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.events import SourceEvent
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.translate import Translator
from tests.doubles.ami_frames import PSEUDONYMS, START_MS, source

EVENTS = [
    *("QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "AgentCalled", "AgentRingNoAnswer"),
    *("AgentConnect", "AgentComplete", "AgentDump", "Hangup", "HangupRequest", "Newchannel", "BridgeEnter"),
    *("Hold", "Unhold", "BlindTransfer", "AttendedTransfer", "AgentLogin", "AgentLogoff", "FullyBooted"),
    *("QueueMemberStatus", "QueueMemberPause", "QueueMemberAdded", "QueueMemberRemoved", "Join", "Leave"),
    *("QueueParams", "QueueMember", "QueueEntry", "QueueStatusComplete", "Whatever"),
]
CHANNEL = st.sampled_from(["1.1", "1.2", "2.1", "psy1-2.2"])
AGENT = st.sampled_from(["Alice", "Bruno", "Agent/7"])
NUMBER = st.sampled_from(["0", "1", "2", "6", "30", "999999999999", "-1", "1e308", "nan", "", "\u0661"])
WORD = st.text(st.characters(exclude_characters="\n\r"), max_size=8)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("Uniqueid", "Linkedid", "DestUniqueid", "DestLinkedid", "TransfereeUniqueid"), CHANNEL
        ),
        **dict.fromkeys(("MemberName", "Interface", "Name", "Location", "Agent"), AGENT),
        **dict.fromkeys(
            ("HoldTime", "TalkTime", "Wait", "Uptime", "LastCall", "Status", "Wrapuptime"), NUMBER
        ),
        **dict.fromkeys(("Paused", "InCall"), st.sampled_from(["0", "1", "x"])),
        **dict.fromkeys(("PausedReason", "CallerIDNum", "Reason", "Result"), WORD),
        "Queue": st.sampled_from(["support", "sales"]) | WORD,
        "ActionID": st.sampled_from(["vigie-1", "other"]),
    },
)
STEP = st.tuples(
    st.sampled_from(EVENTS), st.integers(-5_000, 60_000), HEADERS, st.sampled_from(["frame", "due", "lost"])
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=40), st.sampled_from([None, 0.0, 3.0]))
def test_any_story_gives_readable_events(
    steps: list[tuple[str, int, dict[str, str], str]], wrap_up_s: float | None
) -> None:
    translator = Translator(source(wrap_up_s=wrap_up_s), PSEUDONYMS)
    said: list[SourceEvent] = []
    now_ms = START_MS
    for event, later_ms, headers, what in steps:
        now_ms += later_ms
        if what == "due":
            said += translator.due(now_ms)
        if what == "lost":
            translator.reconnected()
        stamp = f"Timestamp: {now_ms // 1000}.{now_ms % 1000:03}000"
        lines = [f"Event: {event}", stamp, *(f"{key}: {value}" for key, value in headers.items())]
        said += translator.frame(Frame("\n".join(lines)), now_ms)
    said += translator.due(now_ms + 10**9)

    assert translator.next_due_ms() is None
    assert [codec.decode_event(codec.encode(event)) for event in said] == said
