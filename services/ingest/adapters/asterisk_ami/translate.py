"""AMI frames → our events: the clock, repeats, and which event is whose matter. Pure.

Everything runs on the source's clock, the `Timestamp` of its frames. Callers hand in their own clock
with each frame (`received_ms`) and ask by it (`due`, `next_due_ms`); the offset between the two is
kept here. A capture is translated by handing in its own instants. Mapping: SOURCES.md §2.
"""

from collections.abc import Callable, Sequence

from schemas.config import SourceConfig
from schemas.events import AnyEvent, SourceEvent, SourceHeartbeat
from schemas.vocabulary import Reason
from services.ingest.adapters.asterisk_ami.agents import Agents
from services.ingest.adapters.asterisk_ami.asides import Asides
from services.ingest.adapters.asterisk_ami.calls import Calls
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.resume import Resume
from services.ingest.adapters.asterisk_ami.snapshot import OUR_ACTION, reconcile
from services.ingest.adapters.asterisk_ami.wire import (
    MEMBER_EVENTS,
    PASSED_OVER,
    SNAPSHOT_ROWS,
    event_of,
    instant_us,
    member_of,
    name_of,
    whole,
)
from services.ingest.facts import Facts
from services.ingest.timers import Timers
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

NO_TIMESTAMP = (
    "the events of this Asterisk carry no Timestamp: set `timestampevents = yes` in [general] of "
    "manager.conf, then `manager reload`"
)
REPEATS_KEPT = 65_536
"""Frames remembered, to drop exact repeats: two managers show one event with one Timestamp."""
MAX_ROWS = 200_000
CLOCK_STEP_MS = 1_000
"""Six frames of 16,932 were out of order, by less than 0.3 ms; more is a clock that was set back."""

Handler = Callable[[Frame, int], bool]


class Translator:
    """One source's frames, in the order in which they came.

    `fault` says in one sentence why the source cannot be used, None while it can.
    """

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self.fault: str | None = None
        self._rest = Translated()
        self._facts = Facts(source)
        self._timers = Timers()
        self._agents = Agents(lambda queue: source.map.get(queue, queue))
        self._calls = Calls(source, pseudonyms, facts=self._facts, timers=self._timers, agents=self._agents)
        self._resume = Resume(calls=self._calls, agents=self._agents, names=source.agents)
        self._handlers = self._table()
        self._seen: dict[int, None] = {}
        self._rows: list[Frame] = []
        self._offset_ms = 0
        self._is_timed = False
        self._latest_ms = 0

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started; all of them come before `go_on`."""
        if isinstance(event, SourceHeartbeat) and event.clock_ms is not None:
            self._set_offset(event.received_ms - event.clock_ms)
        self._resume.take(event)

    def go_on(self) -> None:
        """From here on frames tell what happens beyond what was recalled."""
        self._resume.finish()

    def frame(self, frame: Frame, received_ms: int) -> list[SourceEvent]:
        """What this frame tells, and what was due before it."""
        self._facts.received_ms = received_ms
        event = event_of(frame)
        if event in SNAPSHOT_ROWS:
            self._add_row(frame)
            return []
        if event == "QueueStatusComplete":
            rows, self._rows = self._rows, []
            is_whole = frame.get("ActionID").startswith(OUR_ACTION)
            return self.snapshot(rows, received_ms, is_whole=is_whole)
        if event == "FullyBooted":
            return self._booted(frame, received_ms)
        handler = self._handlers.get(event)
        at_us = instant_us(frame)
        if handler is not None and self._is_repeat(frame):
            return []
        if at_us is not None:
            self._advance(at_us // 1000, received_ms)
        if handler is not None:
            self._rest.types[event] += 1
            self._handle(handler, frame, at_us)
        elif event and event not in PASSED_OVER:
            self._rest.unknown[type_name(event)] += 1
        return self._facts.take()

    def due(self, now_ms: int, *, lag_ms: int = 0) -> list[SourceEvent]:
        """What is due by the caller's clock, with no frame arriving.

        `lag_ms`: how long a frame may be under way; what it could still change is not due before.
        """
        self._facts.received_ms = now_ms
        self._timers.run(now_ms - self._offset_ms - lag_ms, after=self._tell_agents_at)
        return self._facts.take()

    def next_due_ms(self) -> int | None:
        """The caller's instant from which `due` has something to do; None: nothing is pending."""
        next_ms = self._timers.next_ms()
        return None if next_ms is None else next_ms + self._offset_ms

    def snapshot(
        self, rows: Sequence[Frame], received_ms: int, *, is_whole: bool = True
    ) -> list[SourceEvent]:
        """What the rows of one QueueStatus answer tell beyond what is believed, as inferred."""
        self._facts.received_ms = received_ms
        now_ms = received_ms - self._offset_ms
        self._timers.run(now_ms, after=self._tell_agents_at)
        reconcile(
            rows,
            now_ms,
            is_whole=is_whole,
            is_timed=self._is_timed,
            calls=self._calls,
            agents=self._agents,
            timers=self._timers,
        )
        self._tell_agents(now_ms * 1000, inferred=True)
        return self._facts.take()

    def heartbeat(self, pong: Frame, received_ms: int) -> list[SourceEvent]:
        """A Ping was answered: the source is there, and this is its clock (since Asterisk 1.8)."""
        at_us = instant_us(pong)
        self._facts.received_ms = received_ms
        if at_us is not None:
            self._set_offset(received_ms - at_us // 1000)
        self._facts.heartbeat(at_us)
        return self._facts.take()

    def take_rest(self) -> Translated:
        """Everything but events since the last time: counts, frames that could not be read, the fault."""
        rest, self._rest = self._rest, Translated()
        rest.fault = self.fault
        return rest

    def reconnected(self) -> None:
        """Frames may have been missed: half a snapshot is dropped, and which channels live is not known."""
        self._rows.clear()
        self._calls.cut_off()

    def _table(self) -> dict[str, Handler]:
        calls, asides = self._calls, Asides(self._calls.contacts, self._facts)
        return {
            "QueueCallerJoin": calls.joined,
            "AgentCalled": calls.called,
            "AgentRingNoAnswer": calls.not_answered,
            "AgentDump": calls.dumped,
            "QueueCallerLeave": calls.left,
            "QueueCallerAbandon": calls.abandoned,
            "AgentConnect": calls.connected,
            "AgentComplete": calls.completed,
            "Newchannel": calls.channel_seen,
            "BridgeEnter": calls.channel_seen,
            "HangupRequest": calls.hangup_requested,
            "Hangup": calls.hung_up,
            "Hold": asides.held,
            "Unhold": asides.unheld,
            "BlindTransfer": asides.blind_transfer,
            "AttendedTransfer": asides.attended_transfer,
            "QueueMemberRemoved": self._member_removed,
            "AgentLogin": self._logged_in,
            "AgentLogoff": self._logged_off,
            **dict.fromkeys(MEMBER_EVENTS, self._member_changed),
        }

    def _handle(self, handler: Handler, frame: Frame, at_us: int | None) -> None:
        if at_us is None:
            self.fault = NO_TIMESTAMP
            self._rest.dropped[Reason.INVALID] += 1
            return
        self.fault = None
        if not handler(frame, at_us // 1000):
            self._rest.spoiled.append(_spoiled(frame))
        self._tell_agents(at_us, inferred=False)

    def _member_changed(self, frame: Frame, _at_ms: int) -> bool:
        member = member_of(frame)
        if member is not None:
            self._agents.set_member(member)
        return member is not None

    def _member_removed(self, frame: Frame, _at_ms: int) -> bool:
        member = member_of(frame)
        if member is not None:
            self._agents.remove_member(member)
        return member is not None

    def _logged_in(self, frame: Frame, _at_ms: int) -> bool:
        return self._log_in(frame, is_in=True)

    def _logged_off(self, frame: Frame, _at_ms: int) -> bool:
        return self._log_in(frame, is_in=False)

    def _log_in(self, frame: Frame, *, is_in: bool) -> bool:
        number = name_of(frame, "Agent")
        if number:
            self._agents.by_login(number).is_logged_in = is_in
        return bool(number)

    def _booted(self, frame: Frame, received_ms: int) -> list[SourceEvent]:
        """Whatever was in hand before Asterisk started is over, in a way nobody knows."""
        uptime_s = whole(frame, "Uptime")
        if uptime_s is not None:
            now_ms = received_ms - self._offset_ms
            self._calls.lose_before(now_ms - uptime_s * 1000 - CLOCK_STEP_MS)
            self._tell_agents(now_ms * 1000, inferred=True)
        return self._facts.take()

    def _add_row(self, frame: Frame) -> None:
        if self._rows and self._rows[-1].get("ActionID") != frame.get("ActionID"):
            self._rows.clear()
        if len(self._rows) < MAX_ROWS:
            self._rows.append(frame)

    def _set_offset(self, offset_ms: int) -> None:
        self._offset_ms, self._is_timed = offset_ms, True

    def _advance(self, at_ms: int, received_ms: int) -> None:
        """The source's clock is at `at_ms`: what was due until then is done first."""
        self._set_offset(received_ms - at_ms)
        is_set_back = at_ms < self._latest_ms - CLOCK_STEP_MS
        self._timers.run(self._latest_ms if is_set_back else at_ms, after=self._tell_agents_at)
        self._latest_ms = at_ms if is_set_back else max(self._latest_ms, at_ms)

    def _is_repeat(self, frame: Frame) -> bool:
        key = hash(frame.raw)
        if key in self._seen:
            return "Timestamp" in frame
        self._seen[key] = None
        if len(self._seen) > REPEATS_KEPT:
            del self._seen[next(iter(self._seen))]
        return False

    def _tell_agents_at(self, at_ms: int) -> None:
        self._tell_agents(at_ms * 1000, inferred=False)

    def _tell_agents(self, at_us: int, *, inferred: bool) -> None:
        for agent, now in self._agents.changed():
            state, reason, queues = now
            self._facts.agent_state(agent.name, state, at_us, reason=reason, queues=queues, inferred=inferred)


def _spoiled(frame: Frame) -> Spoiled:
    raw = frame.raw.encode("utf-8", "replace")
    return Spoiled.of(raw, f"{event_of(frame)}: a field that names what it is about is missing")
