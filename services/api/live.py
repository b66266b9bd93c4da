"""`WS /api/v1/live`: one connection from its first byte to its last. SEMANTICS.md §9.

One task reads what little a client may say, one sends what its mailbox holds. The frames are made
in `hub.py`. Spoken in plain ASGI: a wrapper per connection would cost memory in each of thousands.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from services.api.board import View
from services.api.client import Client
from services.api.guard import Guard
from services.api.hub import Hub
from services.api.metrics import Metrics
from services.runtime.keys import Denied

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_TEXT = 4096
"""Characters of a client's message; a longer one is ignored."""
CLOSE_GRACE_S = 5.0
"""A stalled client that takes its bytes again within this time still reads why it is closed."""

RESUME_S = 1.0
"""How long a client that opens with `?resume=1` has to say what it holds."""

BINARY_REFUSED = 1003
NOT_ALLOWED = 1008
TOO_SLOW = 4008


class Request(Struct):
    """What a client may say: `resume` (it missed something, and names what it holds) or `snapshot`."""

    type: str
    epoch: str | None = None
    seq: int | None = None


_requests = msgspec.json.Decoder(Request)


def endpoint(hub: Hub, guard: Guard, metrics: Metrics) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application of the socket."""

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        holder = guard.admit(scope)
        if isinstance(holder, Denied):
            metrics.closed(NOT_ALLOWED)
            metrics.refused(holder.reason)
            await send({"type": "websocket.close", "code": NOT_ALLOWED, "reason": holder.reason})
            return
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=100)
        client = hub.join(view(query.get("site", [None])[0], query.get("queues", []), sites=holder.sites))
        has_asked = asyncio.Event()
        if query.get("resume") != ["1"]:
            has_asked.set()
        try:
            await _serve(client, hub, receive, send, metrics, has_asked)
        finally:
            hub.leave(client)

    return live


async def _serve(
    client: Client, hub: Hub, receive: Receive, send: Send, metrics: Metrics, has_asked: asyncio.Event
) -> None:
    """Reads and sends until either ends; a client that takes nothing is closed with 4008."""
    client.writer = writer = asyncio.create_task(_send_all(client, hub, send, has_asked))
    reader = asyncio.create_task(_read_all(client, hub, receive, metrics, has_asked))
    try:
        await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        said = reader.result() if reader.done() else None  # else the writer failed: the client is gone
        code = TOO_SLOW if client.stalled else said
    finally:
        for task in (writer, reader):
            task.cancel()
        ends = await asyncio.gather(writer, reader, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, OSError):  # OSError: the client went away
            raise end
    if code is not None:
        metrics.closed(code)
        await _close(code, send)


async def _read_all(
    client: Client, hub: Hub, receive: Receive, metrics: Metrics, has_asked: asyncio.Event
) -> int | None:
    """Until the client is gone (None) or has to be closed (the code)."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            return BINARY_REFUSED
        request = _request(text)
        if request is None:
            metrics.ignored.inc()
            continue
        if request.type == "resume":
            hub.resume(client, request.epoch, request.seq)
        else:
            client.post_not_recovered()
        has_asked.set()


async def _send_all(client: Client, hub: Hub, send: Send, has_asked: asyncio.Event) -> None:
    """Speaks first, but to who wants to say first what it holds; for a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RESUME_S):
            await has_asked.wait()
    while True:
        await client.wait()
        await _send_waiting(client, hub, send)


async def _send_waiting(client: Client, hub: Hub, send: Send) -> None:
    """A function of its own: a loop that waits would keep the last frame in memory, for each client."""
    for frame in client.take(hub.clock()):
        client.sending_since_ms = hub.clock()
        await send({"type": "websocket.send", "text": frame})
        client.sending_since_ms = None
    hub.sent(client.taken_told_ms)


async def _close(code: int, send: Send) -> None:
    """Says why, if the client still takes anything; else cuts the connection."""
    try:
        async with asyncio.timeout(CLOSE_GRACE_S):
            await send({"type": "websocket.close", "code": code})
    except TimeoutError:
        # uvicorn would keep the connection until its bytes are taken, which may be never
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()


def _request(text: str) -> Request | None:
    """What a client asks for; None: nothing that makes sense."""
    if len(text) > MAX_TEXT:
        return None
    with contextlib.suppress(msgspec.MsgspecError, RecursionError):
        request = _requests.decode(text)
        return request if request.type in ("resume", "snapshot") else None
    return None


def view(site: str | None, queues: list[str], *, sites: frozenset[str] | None = None) -> View:
    """The view of one site (None: all of `sites`) and of queues, given as lists with commas (none: all)."""
    names = frozenset(name for part in queues for name in part.split(",") if name)
    return View(site or None, names or None, sites)
