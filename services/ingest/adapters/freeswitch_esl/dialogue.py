"""What is said over one connection before events are understood: frames in and out, login, subscription."""

import asyncio
import contextlib
import time

from schemas.config import SourceConfig
from services.ingest.adapters.freeswitch_esl.frames import Frame, FrameReader, command
from services.ingest.adapters.freeswitch_esl.wire import CALLCENTER, CHANNEL_EVENTS
from services.ingest.line import LoginRefused, Lost, read_within
from services.ingest.translated import Spoiled

FILTERS = (f"Event-Subclass {CALLCENTER}", "variable_cc_side member", "variable_cc_side agent")
"""Any of them lets an event pass: channels that are no member's and no agent's stay away."""

REFUSED_ADDRESS = (
    "FreeSWITCH refuses connections from this address (text/rude-rejection): allow it in the list that "
    "apply-inbound-acl of event_socket.conf.xml names, then `reload mod_event_socket`"
)
REFUSED_PASSWORD = (
    "FreeSWITCH refuses the password ({said}): compare the secret with `password` in event_socket.conf.xml"
)


class Dialogue:
    """A connection that is open; each method but `close` raises `Lost` once it is not.

    `early`: frames that came while an answer was waited for. `heard_s`: when something came last.
    """

    def __init__(
        self,
        source: SourceConfig,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        *,
        answer_s: float,
    ) -> None:
        """`answer_s`: how long an answer may take, in seconds."""
        self.heard_s = time.monotonic()
        self.early: list[Frame] = []
        self._source = source
        self._reader, self._writer = streams
        self._frames = FrameReader()
        self._unread: list[Frame] = []
        self._answer_s = answer_s

    async def log_in(self, secret: str) -> None:
        """Raises `LoginRefused` for the address or the password."""
        await self._await("auth/request", "greeting")
        answer = await self._ask(f"auth {secret}", shown="auth")
        said = answer.get("Reply-Text")
        if not said.startswith("+OK"):
            raise LoginRefused(REFUSED_PASSWORD.format(said=said[:40] or "no reason given"))

    async def subscribe(self) -> None:
        """Names behind CUSTOM are subclasses, so the channels' events stand before it."""
        kind = self._source.format or "json"
        for filter_ in FILTERS:
            await self._ask(f"filter {filter_}")
        events = f"event {kind} {' '.join(CHANNEL_EVENTS)} CUSTOM {CALLCENTER}"
        said = (await self._ask(events)).get("Reply-Text")
        if not said.startswith("+OK"):
            raise Lost(f"FreeSWITCH gives us no events ({said[:60]})")

    async def read(self, patience_s: float) -> list[Frame]:
        """What comes within that time, perhaps nothing."""
        if self._unread:
            frames, self._unread = self._unread, []
            return frames
        data = await read_within(self._reader, patience_s, peer="FreeSWITCH")
        if not data:
            return []
        self.heard_s = time.monotonic()  # an answer may stand behind much that was held back
        return self._frames.feed(data)

    async def send(self, words: str, *, shown: str | None = None) -> None:
        """`shown` stands for words that are a secret."""
        self._writer.write(command(words))
        try:
            async with asyncio.timeout(self._answer_s):
                await self._writer.drain()
        except OSError as error:  # TimeoutError is one
            raise Lost(f"connection lost while sending {shown or words}") from error

    def take_refused(self) -> list[Spoiled]:
        """Frames that were no frames, or too large, since the last time."""
        return self._frames.take_refused()

    async def close(self) -> None:
        """Says good-bye where that is possible; never raises, never waits long."""
        with contextlib.suppress(OSError):
            self._writer.write(command("exit"))
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    async def _ask(self, words: str, *, shown: str | None = None) -> Frame:
        await self.send(words, shown=shown)
        return await self._await("command/reply", f"answer to {shown or words}")

    async def _await(self, kind: str, what: str) -> Frame:
        """The next frame of that kind; those before it are kept, those behind it are read next."""
        deadline_s = time.monotonic() + self._answer_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            frames = await self.read(left_s)
            for number, frame in enumerate(frames):
                if frame.type == kind:
                    self._unread = frames[number + 1 :]
                    return frame
                obey(frame)
                self.early.append(frame)
        address = f"{self._source.host}:{self._source.port_in_force}"
        raise Lost(f"{address} does not speak as an event socket does: no {what}")


def obey(frame: Frame) -> None:
    """What a frame says of the connection itself. Raises `Lost` when it is its end."""
    if frame.type == "text/rude-rejection":
        raise LoginRefused(REFUSED_ADDRESS)
    if frame.type == "text/disconnect-notice" and frame.get("Content-Disposition") != "linger":
        raise Lost("FreeSWITCH has ended the connection (text/disconnect-notice)")
