"""One AMI connection: login, snapshot, events, pings, until it is lost. Reconnecting is `connect.py`'s.

Nothing is decided here about calls: frames go to the translator, events to `put`. While `put` waits
nothing is read, so a full buffer holds Asterisk's session back.
"""

import asyncio
import contextlib
import hashlib
import time

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from services.ingest.adapters.asterisk_ami.deafness import Deafness
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader, action
from services.ingest.adapters.asterisk_ami.snapshot import OUR_ACTION
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.handover import hand_over
from services.ingest.line import LoginRefused, Lost, read_within
from services.ingest.publisher import Put
from services.ingest.report import Report
from services.runtime.clock import now_ms

HELD_FRAMES = 20_000
"""Kept while the past is read back; then nothing more is read, and Asterisk's session is held back."""
RECALL_LOOK_S = 0.05
EVENT_CLASSES = "agent,call,system"
"""With everything, 93 of 100 frames would say nothing to us. SOURCES.md §2."""


class Pace(Struct, frozen=True, kw_only=True):
    """How patient a source is, in seconds. Defaults are for real systems, shorter ones for tests."""

    connect_s: float = 10.0
    answer_s: float = 10.0
    booted_s: float = 5.0
    snapshot_s: float = 60.0
    ping_s: float = 5.0
    pong_s: float = 10.0
    quiet_s: float = 60.0
    lag_ms: int = 500


class Session:
    """A connection that is open. `run` ends only by raising `Lost`."""

    def __init__(
        self,
        source: SourceConfig,
        *,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        translator: Translator,
        put: Put,
        report: Report,
        pace: Pace,
        recalled: asyncio.Event,
    ) -> None:
        """`recalled`: the translator knows what was told before; until then it is given nothing."""
        self._source = source
        self._reader, self._writer = streams
        self._frames = FrameReader()
        self._translator = translator
        self._put = put
        self._report = report
        self._pace = pace
        self._recalled = recalled
        self._actions = 0
        self._early: list[Frame] = []
        self._pinged_s: float | None = None
        self._heard_s = time.monotonic()
        self._next_ping_s = 0.0
        self._snapshot_by_s: float | None = None
        self._deafness = Deafness(self._heard_s)

    async def run(self, secret: str) -> None:
        """Logs in, asks for the snapshot, then hands on what comes."""
        await self._log_in(secret)
        await self._keep_until_recalled()
        self._translator.reconnected()
        await self._ping()
        await self._wait_until_booted()
        early, self._early = self._early, []
        await self._handle(early)
        if self._snapshot_by_s is None:
            await self._ask_snapshot()
        while True:
            await self._handle(await self._read(self._patience_s()))
            await self._look_at_the_clock()

    async def close(self) -> None:
        """Says good-bye where that is possible; never raises, never waits long."""
        with contextlib.suppress(OSError, Lost, TimeoutError):
            self._writer.write(action("Logoff"))
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    # --- login ---

    async def _log_in(self, secret: str) -> None:
        """By MD5 challenge, so that the secret stays here; in plain words where there is no challenge."""
        user = self._source.user or ""
        challenge = await self._ask("Challenge", {"AuthType": "MD5"})
        if challenge.get("Response") == "Success" and "Challenge" in challenge:
            mixed = challenge.get("Challenge") + secret
            key = hashlib.md5(mixed.encode(), usedforsecurity=False).hexdigest()
            proof = {"AuthType": "MD5", "Username": user, "Key": key}
        else:
            proof = {"Username": user, "Secret": secret}
        answer = await self._ask("Login", {**proof, "Events": EVENT_CLASSES})
        if answer.get("Response") != "Success":
            said = answer.get("Message") or "no reason given"
            raise LoginRefused(
                f"login refused ({said}): compare user and secret with manager.conf, and see its permit lines"
            )

    async def _ask(self, name: str, fields: dict[str, str]) -> Frame:
        """The answer to an action; events that come before it are kept for later."""
        number = await self._send(name, fields)
        deadline_s = time.monotonic() + self._pace.answer_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            for frame in (frames := await self._read(left_s)):
                if frame.get("ActionID") == number and "Response" in frame:
                    self._early += frames[frames.index(frame) + 1 :]
                    return frame
                self._early.append(frame)
        if not self._frames.banner:
            raise Lost("no greeting: this does not speak AMI")
        raise Lost(f"no answer to {name} within {self._pace.answer_s:g} s")

    async def _keep_until_recalled(self) -> None:
        """What happens meanwhile is heard, and told when its turn has come."""
        while not self._recalled.is_set():
            if len(self._early) < HELD_FRAMES:
                self._early += await self._read(RECALL_LOOK_S)
            else:
                await self._recalled.wait()

    async def _wait_until_booted(self) -> None:
        """Asterisk says so after login; old ones and some proxies never do, then we go on."""
        deadline_s = time.monotonic() + self._pace.booted_s
        while not any(frame.get("Event") == "FullyBooted" for frame in self._early):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return
            self._early += await self._read(left_s)

    # --- in and out ---

    async def _read(self, patience_s: float) -> list[Frame]:
        """What comes within that time, perhaps nothing."""
        data = await read_within(self._reader, patience_s, peer="Asterisk")
        if not data:
            return []
        self._heard_s = time.monotonic()  # an answer may stand behind much that was held back
        return self._frames.feed(data)

    async def _send(self, name: str, fields: dict[str, str] | None = None) -> str:
        self._actions += 1
        number = f"{OUR_ACTION}{self._actions}"
        self._writer.write(action(name, {"ActionID": number, **(fields or {})}))
        try:
            async with asyncio.timeout(self._pace.answer_s):
                await self._writer.drain()
        except OSError as error:  # TimeoutError is one
            raise Lost(f"connection lost while sending {name}") from error
        return number

    async def _ping(self) -> None:
        await self._send("Ping")
        now_s = time.monotonic()
        self._pinged_s = self._pinged_s if self._pinged_s is not None else now_s
        self._next_ping_s = now_s + self._pace.ping_s

    async def _ask_snapshot(self) -> None:
        await self._send("QueueStatus")
        self._snapshot_by_s = time.monotonic() + self._pace.snapshot_s

    # --- the running connection ---

    def _patience_s(self) -> float:
        """Until the next ping or the next timer of the translator."""
        left_s = self._next_ping_s - time.monotonic()
        due_ms = self._translator.next_due_ms()
        if due_ms is not None:
            left_s = min(left_s, (due_ms + self._pace.lag_ms - now_ms()) / 1000)
        return max(left_s, 0.0)

    async def _look_at_the_clock(self) -> None:
        await self._hand_on(self._translator.due(now_ms(), lag_ms=self._pace.lag_ms))
        now_s = time.monotonic()
        if self._pinged_s is not None and now_s - max(self._pinged_s, self._heard_s) > self._pace.pong_s:
            raise Lost(f"no answer to Ping for {self._pace.pong_s:g} s: the connection is half open")
        if self._snapshot_by_s is not None and now_s > self._snapshot_by_s:
            raise Lost(f"no answer to QueueStatus within {self._pace.snapshot_s:g} s")
        if now_s >= self._next_ping_s:
            await self._ping()
        if self._snapshot_by_s is None and now_s - self._deafness.since_s > self._pace.quiet_s:
            await self._ask_snapshot()

    async def _handle(self, frames: list[Frame]) -> None:
        received_ms = now_ms()
        events: list[SourceEvent] = []
        for frame in frames:
            events += self._events_of(frame, received_ms)
        await self._hand_on(events)
        for frame in frames:
            await self._obey(frame)

    def _events_of(self, frame: Frame, received_ms: int) -> list[SourceEvent]:
        if frame.get("Ping") == "Pong":
            self._pinged_s = None
            beat = self._translator.heartbeat(frame, received_ms)
            return beat if self._translator.fault is None else []
        return self._translator.frame(frame, received_ms)

    async def _obey(self, frame: Frame) -> None:
        """What a frame asks of the connection itself."""
        event = frame.get("Event")
        if event == "Shutdown":
            raise Lost("Asterisk is shutting down")
        if frame.get("Response") == "Error":
            raise Lost(f"Asterisk refuses: {frame.get('Message') or 'no reason given'}")
        if event in ("FullyBooted", "Reload") and self._snapshot_by_s is None:
            await self._ask_snapshot()
        if event == "QueueStatusComplete":
            self._snapshot_by_s = None
            self._deafness.look(time.monotonic())
            self._report.up()

    async def _hand_on(self, events: list[SourceEvent]) -> None:
        """While the buffer is full nothing is read: that time is not Asterisk's silence."""
        told = self._translator.take_rest()
        told.events = events
        if told.types:
            self._deafness.hear(time.monotonic())
        self._deafness.judge(events)
        told.fault = told.fault or self._deafness.fault
        told.spoiled = [*self._frames.take_refused(), *told.spoiled]
        start_s = time.monotonic()
        if not await hand_over(told, put=self._put, report=self._report, clock=now_ms):
            return
        self._heard_s = time.monotonic()
        if self._snapshot_by_s is not None:
            self._snapshot_by_s += self._heard_s - start_s
