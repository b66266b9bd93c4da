"""Request bodies, read as far as they may be and no further."""

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive

BODY_S = 10.0
"""How long a sender may take for one body."""

LINGER_BYTES = 16 * 1024 * 1024
LINGER_S = 2.0
"""How far a body that is too large is read on after its answer: a sender who writes everything before
he reads would otherwise see a broken connection instead of the answer."""


class SenderGone(Exception):
    """The sender hung up."""


class BodyTooLarge(Exception):
    """`part` is what was read; `more` says whether there is more to read."""

    def __init__(self, part: bytes, *, more: bool) -> None:
        super().__init__("body too large")
        self.part = part
        self.more = more


async def read(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `BodyTooLarge` once it is above `limit` bytes, `SenderGone`, `TimeoutError`."""
    message = await _next(receive)
    body: bytes = message.get("body", b"")
    more: bool = message.get("more_body", False)
    if more:
        parts, size = [body], len(body)
        async with asyncio.timeout(BODY_S):
            while more and size <= limit:
                message = await _next(receive)
                part = message.get("body", b"")
                more = message.get("more_body", False)
                parts.append(part)
                size += len(part)
        body = b"".join(parts)
    if len(body) > limit:
        raise BodyTooLarge(body, more=more)
    return body


async def linger(receive: Receive, update: Callable[[bytes], object], size: int) -> tuple[int, bool]:
    """Gives what still comes to `update`, within bounds; its whole size, and whether that was the end."""
    try:
        async with asyncio.timeout(LINGER_S):
            while size < LINGER_BYTES:
                message = await _next(receive)
                part = message.get("body", b"")
                update(part)
                size += len(part)
                if not message.get("more_body", False):
                    return size, True
    except (TimeoutError, SenderGone):
        return size, False
    return size, False


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise SenderGone
    return message
