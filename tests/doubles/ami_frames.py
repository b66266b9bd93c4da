"""Frames as Asterisk 22 writes them, made by hand, and a call centre told frame by frame."""

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.pseudonym import Pseudonyms

START_MS = 1_795_321_200_000
"""Seconds in the tests are counted from here."""

PSEUDONYMS = Pseudonyms(b"a key of the tests, 32 bytes long")


def source(**settings: object) -> SourceConfig:
    values: dict[str, object] = {"id": "pbx1", "kind": "asterisk_ami", "site": "paris", **settings}
    return SourceConfig(**values)  # type: ignore[arg-type] # the tests name real fields


def frame(event: str, at_s: float | None = None, /, **headers: object) -> Frame:
    """`at_s` after START_MS as Timestamp; None: without one."""
    lines = [f"Event: {event}", "Privilege: agent,all"]
    if at_s is not None:
        at_us = START_MS * 1000 + round(at_s * 1_000_000)
        lines.append(f"Timestamp: {at_us // 1_000_000}.{at_us % 1_000_000:06}")
    return Frame("\n".join([*lines, *(f"{key}: {value}" for key, value in headers.items())]))


class Story:
    """A translator that is told what happens; `events` is all that it said."""

    def __init__(self, **settings: object) -> None:
        self.translator = Translator(source(**settings), PSEUDONYMS)
        self.events: list[SourceEvent] = []

    def tell(self, event: str, at_s: float | None, /, **headers: object) -> list[SourceEvent]:
        received_ms = START_MS + round((at_s or 0) * 1000)
        said = self.translator.frame(frame(event, at_s, **headers), received_ms)
        self.events += said
        return said

    def wait_until(self, at_s: float) -> list[SourceEvent]:
        said = self.translator.due(START_MS + round(at_s * 1000))
        self.events += said
        return said

    def status(self, at_s: float, *rows: Frame, action: str = "vigie-9") -> list[SourceEvent]:
        """A QueueStatus answer at that moment."""
        said: list[SourceEvent] = []
        for row in (*rows, frame("QueueStatusComplete")):
            told = Frame(f"{row.raw}\nActionID: {action}")
            said += self.translator.frame(told, START_MS + round(at_s * 1000))
        self.events += said
        return said

    def join(self, at_s: float, call: str = "1.1", queue: str = "support", **more: object) -> None:
        caller = {"CallerIDNum": "+33102030405", "Linkedid": call}
        self.tell("QueueCallerJoin", at_s, Uniqueid=call, Queue=queue, **{**caller, **more})

    def call(self, at_s: float, agent: str, *, call: str = "1.1", queue: str = "support", leg: str) -> None:
        self.tell("AgentCalled", at_s, **_both(call, queue, agent, leg))

    def no_answer(
        self, at_s: float, agent: str, *, call: str = "1.1", queue: str = "support", leg: str
    ) -> None:
        self.tell("AgentRingNoAnswer", at_s, **_both(call, queue, agent, leg), RingTime=8000)

    def leave(self, at_s: float, call: str = "1.1", queue: str = "support") -> None:
        self.tell("QueueCallerLeave", at_s, Uniqueid=call, Linkedid=call, Queue=queue)

    def abandon(self, at_s: float, call: str = "1.1", queue: str = "support", hold_s: int = 5) -> None:
        self.tell("QueueCallerAbandon", at_s, Uniqueid=call, Linkedid=call, Queue=queue, HoldTime=hold_s)

    def connect(
        self, at_s: float, agent: str, *, call: str = "1.1", queue: str = "support", leg: str
    ) -> None:
        self.leave(at_s, call, queue)
        self.tell("AgentConnect", at_s, **_both(call, queue, agent, leg), HoldTime=5, RingTime=2)

    def complete(
        self, at_s: float, agent: str, *, queue: str = "support", talk_s: int = 10, **more: object
    ) -> None:
        headers = {"Queue": queue, "MemberName": agent, "Interface": f"PJSIP/{agent}"}
        self.tell("AgentComplete", at_s, **headers, HoldTime=5, TalkTime=talk_s, Reason="caller", **more)

    def hang_up(self, at_s: float, call: str = "1.1", linked: str | None = None) -> None:
        self.tell("Hangup", at_s, Uniqueid=call, Linkedid=linked or call, Cause=16)

    def member(self, event: str, at_s: float, agent: str, queue: str = "support", **more: object) -> None:
        self.tell(event, at_s, **member(agent, queue, **more))

    def words(self, *kinds: type) -> list[str]:
        """What was said, one line each, without the instants; of these kinds, or all."""
        return [line(event) for event in self.events if not kinds or isinstance(event, kinds)]


def member(agent: str, queue: str = "support", **more: object) -> dict[str, object]:
    """The headers of a member's event."""
    return {
        "Queue": queue,
        "MemberName": agent,
        "Interface": f"PJSIP/{agent}",
        "StateInterface": f"PJSIP/{agent}",
        "LastCall": 0,
        "InCall": 0,
        "Status": 1,
        "Paused": 0,
        "PausedReason": "",
        "Wrapuptime": 0,
        **more,
    }


def member_row(agent: str, queue: str = "support", **more: object) -> Frame:
    """The same member as a row of QueueStatus."""
    headers = member(agent, queue, **more)
    headers["Name"], headers["Location"] = headers.pop("MemberName"), headers.pop("Interface")
    return frame("QueueMember", **headers)


def line(event: SourceEvent) -> str:
    """`queue.left abandoned 1.1/support/1 at 5.0`."""
    words = [event.__struct_config__.tag]
    for name in ("outcome", "state", "reason", "by", "kind"):
        value = getattr(event, name, None)
        words += [str(value)] if value is not None else []
    words += [str(each) for each in (getattr(event, "agent", None), getattr(event, "segment", None)) if each]
    return " ".join([*map(str, words), f"at {(event.occurred_ms - START_MS) / 1000:g}"])


def _both(call: str, queue: str, agent: str, leg: str) -> dict[str, object]:
    return {
        "Uniqueid": call,
        "Linkedid": call,
        "DestUniqueid": leg,
        "DestLinkedid": call,
        "Queue": queue,
        "Interface": f"PJSIP/{agent}",
        "MemberName": agent,
    }
