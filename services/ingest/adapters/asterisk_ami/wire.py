"""Words on AMI's wire, old and new, read out of a frame: events, instants, members, names. Pure.

Asterisk 12 and 13 renamed events and fields; snapshots call a member `Name`/`Location` where events
say `MemberName`/`Interface` (SOURCES.md §2).
"""

import re

from msgspec import Struct

from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.names import fit

RENAMED = {"Join": "QueueCallerJoin", "Leave": "QueueCallerLeave", "QueueMemberPaused": "QueueMemberPause"}
"""Before Asterisk 12 → since."""

SNAPSHOT_ROWS = frozenset({"QueueParams", "QueueMember", "QueueEntry"})
MEMBER_EVENTS = frozenset(
    f"QueueMember{what}" for what in ("Added", "Pause", "Status", "Penalty", "Ringinuse", "RinginUse")
)
PASSED_OVER = frozenset(
    """AGIExec AGIExecEnd AGIExecStart AsyncAGIEnd AsyncAGIExec AsyncAGIStart BridgeCreate BridgeDestroy
    BridgeInfoChannel BridgeInfoComplete BridgeLeave BridgeMerge BridgeVideoSourceUpdate CEL Cdr ChallengeSent
    ChannelTalkingStart ChannelTalkingStop ChannelUpdate ContactStatus DTMFBegin DTMFEnd DeviceStateChange
    DialBegin DialEnd DialState EndpointStatus ExtensionStatus FullyBooted LocalBridge LocalOptimizationBegin
    LocalOptimizationEnd MessageWaiting MusicOnHold MusicOnHoldStart MusicOnHoldStop NewAccountCode
    NewCallerid NewConnectedLine Newexten Newstate OriginateResponse ParkedCall PeerStatus Pickup
    PresenceStateChange PresenceStatus QueueSummary QueueSummaryComplete RTCPReceived RTCPSent Registry Reload
    Rename Shutdown SoftHangupRequest Status SuccessfulAuth TestEvent UnParkedCall UserEvent VarSet
    AgentsComplete Agents QueueEntryReorder""".split()  # noqa: SIM905 - words read better than 70 quoted strings
)
"""Events that say nothing a figure needs. Others that are not handled are counted as unknown."""

_INSTANT = re.compile(r"(\d{1,12})\.(\d{1,6})", re.ASCII)


class Member(Struct, frozen=True, kw_only=True):
    """A member of a queue as a frame shows it. `status`: 0 unknown … 8 on hold; None where not said."""

    queue: str
    name: str
    interface: str
    status: int | None
    is_paused: bool
    reason: str
    is_in_call: bool | None
    last_call_ms: int | None
    wrap_up_s: int


def event_of(frame: Frame) -> str:
    """The event's name as Asterisk 12 and later say it; "" for a response."""
    name = frame.get("Event")
    return RENAMED.get(name, name)


def instant_us(frame: Frame) -> int | None:
    """`Timestamp` in microseconds, without floats; None when absent or not `seconds.fraction`."""
    match = _INSTANT.fullmatch(frame.get("Timestamp"))
    return int(match[1]) * 1_000_000 + int(f"{match[2]:0<6}") if match else None


def whole(frame: Frame, *keys: str) -> int | None:
    """The first of `keys` that is there, as a whole number below 10^12; None when it is not one."""
    text = next((frame.get(key) for key in keys if key in frame), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def name_of(frame: Frame, *keys: str) -> str:
    """The first of `keys` that holds something, fit to be a name; "" when none does."""
    return next((fit(text) for key in keys if (text := frame.get(key).strip())), "")


def member_of(frame: Frame) -> Member | None:
    """The member a frame is about; None when queue or member is not named."""
    queue = name_of(frame, "Queue")
    interface = name_of(frame, "Interface", "Location", "Member", "AgentCalled")
    name = name_of(frame, "MemberName", "Name", "AgentName") or interface
    if not queue or not name:
        return None
    last_call_s = whole(frame, "LastCall")
    return Member(
        queue=queue,
        name=name,
        interface=interface or name,
        status=whole(frame, "Status"),
        is_paused=frame.get("Paused") == "1",
        reason=fit(frame.get("PausedReason")),
        is_in_call=frame.get("InCall") == "1" if "InCall" in frame else None,
        last_call_ms=last_call_s * 1000 if last_call_s else None,
        wrap_up_s=whole(frame, "Wrapuptime") or 0,
    )


def caller_number(frame: Frame) -> str | None:
    """Who calls; None when withheld. For the pseudonym only: it goes nowhere else."""
    number = frame.get("CallerIDNum").strip()
    return None if number.lower() in ("", "<unknown>", "unknown", "anonymous") else number
