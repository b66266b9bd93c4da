"""A webhook receiver on loopback: answers as scripted, keeps what came and when, checks signatures.

It speaks HTTP by hand, so that it can do what no decent server does: cut, dawdle, answer nonsense.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from msgspec import Struct
from standardwebhooks import Webhook

from services.runtime.clock import now_ms

TLS = Path(__file__).parents[1] / "data" / "tls"


class Reply(Struct, frozen=True, kw_only=True):
    """What to answer. `status` None: read the request and close without a word."""

    status: int | None = 200
    headers: dict[str, str] = {}
    body: bytes = b"ok"
    delay_s: float = 0.0
    is_cut_at_once: bool = False
    is_body_slow: bool = False


class Arrival(Struct, frozen=True, kw_only=True):
    """A request that came whole. `reply`: what it was answered. `is_signed`: its signature holds."""

    at_ms: int
    path: str
    headers: dict[str, str]
    body: bytes
    reply: Reply
    is_signed: bool

    @property
    def delivery_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        return str(json.loads(self.body)["type"])

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    @property
    def is_taken(self) -> bool:
        return self.reply.status is not None and 200 <= self.reply.status < 300


class Receiver:
    """`choose` gives the reply to a request, from what is known of it; left alone, everything is taken."""

    def __init__(self, secret: str, *, tls: bool = False) -> None:
        self.arrived: list[Arrival] = []
        self.connections = 0
        self.script: list[Reply] = []
        self.choose: Callable[[Arrival], Reply] = lambda _arrival: Reply()
        self.port = 0
        self._secret = secret
        self._context = server_tls() if tls else None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/hook"

    async def open(self) -> None:
        """Listens: on a free port the first time, on the same one afterwards."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Nobody listens any more, and what was open is cut."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.script and self.script[0].is_cut_at_once:
            self.script.pop(0)
            return
        first = await reader.readexactly(1)
        if not first.isalpha():  # TLS, to one that speaks none
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        arrival = Arrival(
            at_ms=now_ms(),
            path=head[0].split(" ")[1],
            headers=headers,
            body=body,
            reply=Reply(),
            is_signed=self._verifies(headers, body),
        )
        reply = self.script.pop(0) if self.script else self.choose(arrival)
        self.arrived.append(
            Arrival(**{name: getattr(arrival, name) for name in Arrival.__struct_fields__} | {"reply": reply})
        )
        await asyncio.sleep(reply.delay_s)
        if reply.status is None:
            return
        lines = [f"HTTP/1.1 {reply.status} As scripted", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        if reply.is_body_slow:
            for byte in reply.body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.5)
        else:
            writer.write(reply.body)
        await writer.drain()

    def _verifies(self, headers: dict[str, str], body: bytes) -> bool:
        """By the library of Standard Webhooks, as a receiver would; it refuses what is 5 minutes old."""
        try:
            Webhook(self._secret).verify(body, headers)
        except Exception:
            return False
        return True


@contextlib.asynccontextmanager
async def receiving(secret: str, *, tls: bool = False) -> AsyncIterator[Receiver]:
    """A receiver in this event loop."""
    receiver = Receiver(secret, tls=tls)
    await receiver.open()
    try:
        yield receiver
    finally:
        await receiver.close()


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    return context


def client_trust() -> ssl.SSLContext:
    """A client that trusts our certificate."""
    return ssl.create_default_context(cafile=str(TLS / "certificate.pem"))
