"""One connection to the event socket at work: snapshots, events, questions, until it is lost.

Nothing is decided here about calls: events go to the translator, ours to `put`. While `put` waits nothing is
read, so a full buffer holds FreeSWITCH's listener back, which keeps 100,000 events. What happens while a
snapshot is taken is told behind it. Reconnecting is `connect.py`'s.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from schemas.events import SourceEvent
from services.ingest.adapters.freeswitch_esl.dialogue import Dialogue, obey
from services.ingest.adapters.freeswitch_esl.frames import Frame
from services.ingest.adapters.freeswitch_esl.survey import Survey
from services.ingest.adapters.freeswitch_esl.translate import Translator
from services.ingest.adapters.freeswitch_esl.wire import Event, event_of
from services.ingest.handover import hand_over
from services.ingest.line import Lost
from services.ingest.publisher import Put
from services.ingest.report import Report
from services.ingest.translated import Spoiled, Translated
from services.runtime.clock import now_ms

HELD_EVENTS = 50_000
"""Kept while the past is read back or a snapshot taken; then nothing more is waited for."""
RECALL_LOOK_S = 0.05
ASKED_AT_ONCE = 32
"""Questions that may be unanswered: neither side may wait for the other to read."""
PING = "strmicroepoch"
"""FreeSWITCH's clock in microseconds (mod_dptools)."""


class Pace(Struct, frozen=True, kw_only=True):
    """How patient a source is, in seconds. Defaults are for real systems, shorter ones for tests.

    `again_s`: tiers and deleted agents have no events, so the tables are read again; `soon_s`: not sooner
    than that when something seems to be missing.
    """

    connect_s: float = 10.0
    answer_s: float = 10.0
    snapshot_s: float = 60.0
    ping_s: float = 5.0
    pong_s: float = 10.0
    again_s: float = 60.0
    soon_s: float = 5.0
    lag_ms: int = 500


class Session:
    """A connection that is open. `run` ends only by raising `Lost`."""

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        translator: Translator,
        put: Put,
        report: Report,
        pace: Pace,
        recalled: asyncio.Event,
    ) -> None:
        """`recalled`: the translator knows what was told before; until then it is given nothing."""
        self._dialogue = dialogue
        self._translator = translator
        self._put = put
        self._report = report
        self._pace = pace
        self._recalled = recalled
        self._unasked: deque[str] = deque()
        self._asked: deque[str] = deque()
        self._held: list[Event] = []
        self._survey: Survey | None = None
        self._survey_by_s = 0.0
        self._surveyed_s = 0.0
        self._pinged_s: float | None = None
        self._next_ping_s = 0.0

    async def run(self, secret: str) -> None:
        """Logs in, subscribes, takes a snapshot, then hands on what comes."""
        await self._dialogue.log_in(secret)
        await self._dialogue.subscribe()
        await self._keep_until_recalled()
        self._translator.reconnected()
        try:
            await self._go_on()
        except Lost:
            await self._hand_on(self._tell_held(now_ms()))
            raise

    async def _go_on(self) -> None:
        await self._ping()
        await self._begin_survey()
        while True:
            await self._handle(await self._dialogue.read(self._patience_s()))
            await self._look_at_the_clock()

    async def _keep_until_recalled(self) -> None:
        """What happens meanwhile is heard, and told when its turn has come."""
        frames = self._dialogue.early
        while True:
            for frame in frames:
                self._keep(frame)
            if self._recalled.is_set():
                return
            if len(self._held) >= HELD_EVENTS:
                await self._recalled.wait()
            frames = await self._dialogue.read(RECALL_LOOK_S)

    def _keep(self, frame: Frame) -> None:
        obey(frame)
        event = event_of(frame)
        if isinstance(event, Event):
            self._held.append(event)
        elif event is not None:
            self._translator.spoiled(event)

    # --- questions ---

    async def _ask_more(self, questions: Iterable[str] = ()) -> None:
        """Asks these once it is their turn; answers come in the order of the questions."""
        self._unasked.extend(questions)
        while self._unasked and len(self._asked) < ASKED_AT_ONCE:
            question = self._unasked.popleft()
            self._asked.append(question)
            await self._dialogue.send(f"api {question}")

    async def _ping(self) -> None:
        now_s = time.monotonic()
        self._next_ping_s = now_s + self._pace.ping_s
        if self._pinged_s is None:
            self._pinged_s = now_s
            await self._ask_more([PING])

    async def _begin_survey(self) -> None:
        self._survey = Survey(self._translator.channels)
        self._survey_by_s = time.monotonic() + self._pace.snapshot_s
        await self._ask_more(self._survey.begin())

    # --- the running connection ---

    def _patience_s(self) -> float:
        """Until the next ping or the next timer of the translator."""
        left_s = self._next_ping_s - time.monotonic()
        due_ms = self._translator.next_due_ms()
        if due_ms is not None:
            left_s = min(left_s, (due_ms + self._pace.lag_ms - now_ms()) / 1000)
        return max(left_s, 0.0)

    async def _look_at_the_clock(self) -> None:
        if self._survey is None:
            await self._hand_on(self._translator.due(now_ms(), lag_ms=self._pace.lag_ms))
        now_s = time.monotonic()
        if (
            self._pinged_s is not None
            and now_s - max(self._pinged_s, self._dialogue.heard_s) > self._pace.pong_s
        ):
            raise Lost(f"no answer to {PING} for {self._pace.pong_s:g} s: the connection is half open")
        if self._survey is not None:
            if now_s > self._survey_by_s or len(self._held) > HELD_EVENTS:
                raise Lost(f"no answer to callcenter_config within {self._pace.snapshot_s:g} s")
        elif now_s - self._surveyed_s > self._again_s():
            await self._begin_survey()
        if now_s >= self._next_ping_s:
            await self._ping()

    def _again_s(self) -> float:
        return self._pace.soon_s if self._translator.wants_snapshot else self._pace.again_s

    async def _handle(self, frames: list[Frame]) -> None:
        received_ms = now_ms()
        events: list[SourceEvent] = []
        try:
            for frame in frames:
                events += await self._take(frame, received_ms)
        except Lost:
            await self._hand_on(events)  # the translator takes them for told
            raise
        await self._hand_on(events)
        for frame in frames:
            obey(frame)

    async def _take(self, frame: Frame, received_ms: int) -> list[SourceEvent]:
        if frame.type in ("api/response", "command/reply"):
            return await self._answered(frame, received_ms)
        event = event_of(frame)
        if isinstance(event, Spoiled):
            self._translator.spoiled(event)
        elif event is not None and self._survey is not None:
            self._held.append(event)
        elif event is not None:
            return self._translator.event(event, received_ms)
        return []

    async def _answered(self, frame: Frame, received_ms: int) -> list[SourceEvent]:
        """An answer to the oldest question: refused ones come as a reply."""
        question = self._asked.popleft() if self._asked else ""
        text = None if frame.is_refused else frame.body.decode("utf-8", "replace")
        if frame.type == "command/reply":
            text = frame.get("Reply-Text")
        if question == PING:
            self._pinged_s = None
            await self._ask_more()
            return self._translator.heartbeat(text or "", received_ms)
        survey = self._survey
        await self._ask_more(survey.answer(question, text) if survey is not None else ())
        if survey is None or (not survey.is_done and survey.fault is None):
            return []
        return self._surveyed(survey, received_ms)

    def _surveyed(self, survey: Survey, received_ms: int) -> list[SourceEvent]:
        """The snapshot is whole: first what it tells, then what has happened since."""
        if survey.fault is not None:
            raise Lost(survey.fault)
        events = self._translator.snapshot(survey.snapshot(), received_ms)
        self._survey, self._surveyed_s = None, time.monotonic()
        events += self._tell_held(received_ms)
        self._report.up()
        return events

    def _tell_held(self, received_ms: int) -> list[SourceEvent]:
        held, self._held = self._held, []
        return [told for event in held for told in self._translator.event(event, received_ms)]

    async def _hand_on(self, events: list[SourceEvent]) -> None:
        """While the buffer is full nothing is read: that time is not FreeSWITCH's silence."""
        told: Translated = self._translator.take_rest()
        told.events = events
        told.spoiled = [*self._dialogue.take_refused(), *told.spoiled]
        start_s = time.monotonic()
        if not await hand_over(told, put=self._put, report=self._report, clock=now_ms):
            return
        self._dialogue.heard_s = time.monotonic()
        self._survey_by_s += self._dialogue.heard_s - start_s
