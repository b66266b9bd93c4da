"""A small event socket: framing over TCP, login, filters, `api`, events in JSON and plain, of a CallCenter.

It obeys as mod_event_socket.c does: what stands behind CUSTOM in `event` is a subclass, an event passes when
any filter fits, values are URL-encoded in plain. Events that happen while nobody is connected are missed, as
with the real one. Its misbehaviours are attributes.
"""

import asyncio
import contextlib
import json
from urllib.parse import quote

from tests.doubles.callcenter import CallCenter, Headers

AUTH = b"Content-Type: auth/request\n\n"
GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"


class EslServer:
    """Use as `async with EslServer(pbx) as server`. `port` is free and chosen by the system.

    `is_rude`: the caller's address is refused. `answers`: questions are answered; False: half open.
    `refuses`: questions that are refused, by their first word. `cut_after`: so many more bytes of events are
    sent, then the connection ends; None: it stays. `logins` counts who was let in; `commands` are all it was
    told, `questions` all that it was asked.
    """

    def __init__(self, pbx: CallCenter, *, password: str = "s3cret") -> None:
        self.pbx = pbx
        self.password = password
        self.is_rude = False
        self.answers = True
        self.refuses: frozenset[str] = frozenset()
        self.cut_after: int | None = None
        self.logins = 0
        self.refused = 0
        self.commands: list[str] = []
        self.questions: list[str] = []
        self.port = 0
        self.sessions: set[_Session] = set()
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        pbx.listeners.append(self.tell)

    async def __aenter__(self) -> "EslServer":
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
        for session in list(self.sessions):
            session.writer.transport.abort()
        await self.until_listening(0)
        if self._server is not None:
            await self._server.wait_closed()

    async def shut_down(self) -> None:
        """Says good-bye to everybody, as when mod_event_socket is unloaded."""
        for session in list(self.sessions):
            session.say(_frame("text/disconnect-notice", GOODBYE))
            session.end()
        await self.until_listening(0)

    async def until_listening(self, n: int) -> None:
        """Until `n` clients get events."""
        async with self._changed:
            await self._changed.wait_for(lambda: sum(bool(each.names) for each in self.sessions) == n)

    def garbage(self, data: bytes) -> None:
        """Bytes as they are to every client."""
        for session in self.sessions:
            session.say(data)

    def tell(self, headers: Headers) -> None:
        """What happens, to every client that wants it."""
        for session in list(self.sessions):
            if session.wants(headers):
                self._send_event(session, session.written(headers))

    def _send_event(self, session: "_Session", data: bytes) -> None:
        if self.cut_after is None:
            session.say(data)
            return
        session.say(data[: self.cut_after])
        self.cut_after = max(0, self.cut_after - len(data))
        if self.cut_after == 0:
            self.cut_after = None
            session.end()

    # --- one connection ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer)
        self.sessions.add(session)
        try:
            if self.is_rude:
                session.say(_frame("text/rude-rejection", b"Access Denied, go away.\n"))
                session.end()
            else:
                session.say(AUTH)
            while True:
                words = (await reader.readuntil(b"\n\n")).decode().strip("\r\n")
                if not session.has_ended:
                    await self._obey(session, words)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.sessions.discard(session)
            writer.transport.abort()
            async with self._changed:
                self._changed.notify_all()

    async def _obey(self, session: "_Session", words: str) -> None:
        verb, _, rest = words.partition(" ")
        self.commands.append(verb if verb == "auth" else words)
        if verb == "exit":
            session.reply("+OK bye")
            session.end()
        elif verb == "auth" and not session.is_in:
            self._log_in(session, rest)
        elif not session.is_in:
            session.reply("-ERR command not found")
        elif verb == "filter":
            key, _, value = rest.partition(" ")
            session.filters.append((key, value))
            session.reply(f"+OK filter added. [{key}]=[{value}]")
        elif verb == "event":
            session.reply(session.subscribe(rest))
            async with self._changed:
                self._changed.notify_all()
        elif verb == "api" and self.answers:
            self._answer(session, rest)
        elif verb != "api":
            session.reply("-ERR command not found")

    def _log_in(self, session: "_Session", password: str) -> None:
        if password != self.password:
            self.refused += 1
            session.reply("-ERR invalid")
            session.say(_frame("text/disconnect-notice", GOODBYE))
            session.end()
            return
        self.logins += 1
        session.is_in = True
        session.reply("+OK accepted")

    def _answer(self, session: "_Session", question: str) -> None:
        self.questions.append(question)
        if question.partition(" ")[0] in self.refuses:
            session.reply("-ERR permission denied")
            return
        session.say(_frame("api/response", (self.pbx.api(question) or "-ERR no reply\n").encode()))


class _Session:
    """One client. `names`, `subclasses`: the events it asked for; `filters`: any of them lets one pass."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.is_in = False
        self.has_ended = False
        self.format = "plain"
        self.names: set[str] = set()
        self.subclasses: set[str] = set()
        self.filters: list[tuple[str, str]] = []

    def say(self, data: bytes) -> None:
        if not self.has_ended:
            with contextlib.suppress(OSError):
                self.writer.write(data)

    def reply(self, text: str) -> None:
        self.say(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode())

    def end(self) -> None:
        """What was said arrives, then nothing more."""
        if not self.has_ended:
            self.has_ended = True
            self.names.clear()
            with contextlib.suppress(OSError):
                self.writer.write_eof()

    def subscribe(self, words: str) -> str:
        is_custom = False
        for number, word in enumerate(words.split(" ")):
            if number == 0 and word in ("plain", "json", "xml"):
                self.format = word
            elif is_custom:
                self.subclasses.add(word)
            else:
                self.names.add(word)
                is_custom = word == "CUSTOM"
        return f"+OK event listener enabled {self.format}" if self.names else "-ERR no keywords supplied"

    def wants(self, headers: Headers) -> bool:
        name = headers["Event-Name"]
        if name not in self.names or (name == "CUSTOM" and headers["Event-Subclass"] not in self.subclasses):
            return False
        return not self.filters or any(headers.get(key) == value for key, value in self.filters)

    def written(self, headers: Headers) -> bytes:
        if self.format == "json":
            return _frame("text/event-json", json.dumps(headers).encode(), is_length_first=True)
        lines = [f"{key}: {quote(value, safe='') or '_undef_'}\n" for key, value in headers.items()]
        return _frame("text/event-plain", ("".join(lines) + "\n").encode(), is_length_first=True)


def _frame(kind: str, body: bytes, *, is_length_first: bool = False) -> bytes:
    head = [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\n".join(reversed(head) if is_length_first else head).encode() + b"\n\n" + body
