"""A small Asterisk manager: real framing over TCP, login plain and MD5, snapshots, a played capture.

It keeps what app_queue would know (who waits, who is a member) from the frames it plays, so that a
QueueStatus answer is true at that moment; its clock is that of the last frame played, and runs on.
Frames that are played while nobody is connected are missed, as with the real one. Its misbehaviours
are attributes.
"""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Iterator

from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.wire import event_of, instant_us, name_of

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
NONCE = "158278271"
_OWN = frozenset({"FullyBooted", "QueueParams", "QueueMember", "QueueEntry", "QueueStatusComplete"})
"""Events of a capture that answer somebody else; the server says its own."""

_INSTANTS = re.compile(r"^((?:Timestamp|LastCall|LastPause|LoginTime): )(\d{9,})", re.MULTILINE)
"""Never called, never paused: 0, which stays."""


class AmiServer:
    """Use as `async with AmiServer() as server`. `port` is free and chosen by the system.

    `shift_s`: whole seconds by which every instant of what is played is moved.
    `knows_challenge`, `says_booted`, `answers_ping`, `answers_status`, `allows_status`,
    `has_timestamps`: what it does like the real one. `logins` counts who was let in, `refused` who was
    not; `reads`: the classes of events that the user may read, None for all; `actions` are all it was
    asked, by name.
    """

    def __init__(self, *, user: str = "wallboard", secret: str = "s3cret", clock_us: int = 0) -> None:
        self.user = user
        self.secret = secret
        self.knows_challenge = True
        self.says_booted = True
        self.answers_ping = True
        self.answers_status = True
        self.allows_status = True
        self.has_timestamps = True
        self.reads: frozenset[str] | None = None
        self.uptime_s = 86_400
        self.logins = 0
        self.refused = 0
        self.actions: list[str] = []
        self.port = 0
        self.shift_s = 0
        self._clock_us = clock_us
        self._set_s = time.monotonic()
        self._sessions: set[_Session] = set()
        self._waiting: dict[tuple[str, str], Frame] = {}
        self._members: dict[tuple[str, str], Frame] = {}
        self._in_call: set[tuple[str, str]] = set()
        self._queues: dict[str, None] = {}
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "AmiServer":
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_away()

    async def listen(self) -> None:
        """On the port it had before, or a free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_away(self) -> None:
        """As when the process is killed: every connection is reset, the port refuses."""
        if self._server is not None:
            self._server.close()
        await self.drop()
        if self._server is not None:
            await self._server.wait_closed()

    async def drop(self) -> None:
        """Resets every connection."""
        for session in list(self._sessions):
            session.writer.transport.abort()
        await self.until_connected(0)

    async def _end(self) -> None:
        for session in list(self._sessions):
            session.is_in, session.has_ended = False, True
            session.writer.write_eof()
        await self.until_connected(0)

    async def until_connected(self, n: int) -> None:
        """Until `n` managers are logged in and have their snapshot."""
        async with self._changed:
            await self._changed.wait_for(lambda: sum(each.is_served for each in self._sessions) == n)

    async def play(self, data: bytes, *, speed: float | None = None, cut_at: int | None = None) -> None:
        """The events of a capture to every manager, `speed` times as fast; None: at once.

        `cut_at`: before that byte every connection ends, in the middle of a frame if it is in one. What
        was sent before arrives; a reset (`drop`) would lose what nobody has read yet.
        """
        start_us: int | None = None
        start_s = asyncio.get_running_loop().time()
        for frame, first, raw in _frames_of(data):
            at_us = instant_us(frame)
            if at_us is not None:
                start_us = start_us if start_us is not None else at_us
                if speed is not None:
                    due_s = start_s + (at_us - start_us) / 1_000_000 / speed
                    await asyncio.sleep(due_s - asyncio.get_running_loop().time())
            if cut_at is not None and first + len(raw) > cut_at:
                await self._say(raw[: max(0, cut_at - first)])
                await self._end()
                return
            await self.event(_moved(frame, self.shift_s))

    async def event(self, frame: Frame) -> None:
        """One event to every manager, and into what a snapshot says."""
        if event_of(frame) == "QueueMember":
            self.know_member(frame)
        if event_of(frame) in _OWN or not event_of(frame):
            return
        self._remember(frame)
        lines = frame.raw.split("\n")
        if not self.has_timestamps:
            lines = [line for line in lines if not line.startswith("Timestamp:")]
        group = frame.get("Privilege").partition(",")[0]
        await self._say("\r\n".join(lines).encode() + b"\r\n\r\n", group)

    async def garbage(self, data: bytes) -> None:
        """Bytes as they are to every manager."""
        await self._say(data)

    def _remember(self, frame: Frame) -> None:
        event, queue = event_of(frame), name_of(frame, "Queue")
        self._set_clock(instant_us(frame))
        if queue:
            self._queues[queue] = None
        if event == "QueueCallerJoin":
            self._waiting[queue, name_of(frame, "Uniqueid")] = frame
        elif event == "QueueCallerLeave":
            self._waiting.pop((queue, name_of(frame, "Uniqueid")), None)
        elif event in ("AgentConnect", "AgentComplete"):
            connected = (queue, name_of(frame, "Interface"))
            (self._in_call.add if event == "AgentConnect" else self._in_call.discard)(connected)
        elif event == "QueueMemberRemoved":
            self._members.pop((queue, name_of(frame, "Interface")), None)
        elif event.startswith("QueueMember"):
            self._members[queue, name_of(frame, "Interface")] = frame

    def _set_clock(self, at_us: int | None) -> None:
        if at_us is not None:
            self._clock_us, self._set_s = at_us, time.monotonic()

    def _now_us(self) -> int:
        return self._clock_us + round((time.monotonic() - self._set_s) * 1_000_000)

    def know_member(self, row: Frame) -> None:
        """A member that the snapshot shows, with a row as of `QueueMember`."""
        self._queues[row.get("Queue")] = None
        self._members[row.get("Queue"), row.get("Location")] = row

    async def _say(self, data: bytes, group: str = "") -> None:
        for session in list(self._sessions):
            may_read = not group or self.reads is None or group in self.reads
            if session.is_in and may_read and (not group or not session.groups or group in session.groups):
                await session.say(data)

    # --- one connection ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer)
        self._sessions.add(session)
        frames = FrameReader()
        frames.banner = ""
        try:
            await session.say(BANNER)
            while data := await reader.read(65_536):
                for action in frames.feed(data):
                    if not session.has_ended:
                        await self._obey(session, action)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._sessions.discard(session)
            writer.transport.abort()
            async with self._changed:
                self._changed.notify_all()

    async def _obey(self, session: "_Session", action: Frame) -> None:
        name = action.get("Action")
        self.actions.append(name)
        if name == "Challenge" and self.knows_challenge:
            await session.answer(action, "Success", Challenge=NONCE)
        elif name == "Login":
            await self._log_in(session, action)
        elif not session.is_in:
            await session.answer(action, "Error", Message="Permission denied")
        elif name == "Ping":
            if self.answers_ping:
                now_us = self._now_us()
                stamp = f"{now_us // 1_000_000}.{now_us % 1_000_000:06}"
                await session.answer(action, "Success", Ping="Pong", Timestamp=stamp)
        elif name == "QueueStatus":
            if not self.allows_status:
                await session.answer(action, "Error", Message="Permission denied")
            elif self.answers_status:
                await self._status(session, action)
        elif name == "Logoff":
            await session.answer(action, "Goodbye", Message="Thanks for all the fish.")
            session.writer.close()
        else:
            await session.answer(action, "Error", Message="Invalid/unknown command")

    async def _log_in(self, session: "_Session", action: Frame) -> None:
        mixed = hashlib.md5((NONCE + self.secret).encode(), usedforsecurity=False).hexdigest()
        is_right = action.get("Key") == mixed if "Key" in action else action.get("Secret") == self.secret
        if action.get("Username") != self.user or not is_right:
            self.refused += 1
            await session.answer(action, "Error", Message="Authentication failed")
            session.writer.close()
            return
        self.logins += 1
        session.is_in = True
        session.groups = frozenset(action.get("Events").split(",")) - {"", "on"}
        await session.answer(action, "Success", Message="Authentication accepted")
        if self.says_booted:
            await session.say(
                f"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: {self.uptime_s}\r\n"
                f"LastReload: {self.uptime_s}\r\nStatus: Fully Booted\r\n\r\n".encode()
            )

    async def _status(self, session: "_Session", action: Frame) -> None:
        await session.answer(action, "Success", EventList="start", Message="Queue status will follow")
        number = action.get("ActionID")
        rows = list(self._rows())
        for event, headers in rows:
            await session.say(_encode([("Event", event), *headers, ("ActionID", number)]))
        complete = [("ActionID", number), ("EventList", "Complete"), ("ListItems", str(len(rows)))]
        await session.say(_encode([("Event", "QueueStatusComplete"), *complete]))
        session.is_served = True
        async with self._changed:
            self._changed.notify_all()

    def _rows(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        for queue in self._queues:
            yield "QueueParams", [("Queue", queue), ("Max", "0"), ("Strategy", "ringall")]
            for (of, interface), frame in self._members.items():
                if of == queue:
                    named = [("Queue", queue), ("Name", name_of(frame, "MemberName", "Name"))]
                    named += [("Location", interface), ("InCall", str(int((of, interface) in self._in_call)))]
                    same = ("StateInterface", "LastCall", "Status", "Paused", "PausedReason")
                    yield "QueueMember", [*named, *((key, frame.get(key)) for key in same)]
            for (of, channel), frame in self._waiting.items():
                if of == queue:
                    wait_s = max(0, self._now_us() - (instant_us(frame) or 0)) // 1_000_000
                    caller = ("CallerIDNum", frame.get("CallerIDNum"))
                    yield (
                        "QueueEntry",
                        [("Queue", queue), ("Uniqueid", channel), caller, ("Wait", str(wait_s))],
                    )


class _Session:
    """One manager. `is_in`: logged in, from then on events come; `is_served`: has had a snapshot.

    `groups`: the classes of events it asked for at login, empty for all.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.is_in = False
        self.is_served = False
        self.has_ended = False
        self.groups: frozenset[str] = frozenset()

    async def say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self, action: Frame, response: str, **headers: str) -> None:
        number = [("ActionID", action.get("ActionID"))] if "ActionID" in action else []
        await self.say(_encode([("Response", response), *number, *headers.items()]))


def _encode(headers: list[tuple[str, str]]) -> bytes:
    return "".join(f"{key}: {value}\r\n" for key, value in headers).encode() + b"\r\n"


def _moved(frame: Frame, by_s: int) -> Frame:
    """The same with its instants that much later: Timestamp, and the headers in whole epoch seconds."""
    return Frame(_INSTANTS.sub(lambda m: f"{m[1]}{int(m[2]) + by_s}", frame.raw)) if by_s else frame


def _frames_of(data: bytes) -> Iterator[tuple[Frame, int, bytes]]:
    """Each frame of a capture, the place of its first byte, and its bytes."""
    first = data.index(b"\r\n") + 2 if data.startswith(b"Asterisk Call Manager") else 0
    while (end := data.find(b"\r\n\r\n", first)) >= 0:
        raw = data[first : end + 4]
        yield Frame(raw[:-4].decode("utf-8", "replace").replace("\r\n", "\n")), first, raw
        first = end + 4
