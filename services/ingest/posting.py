"""A POST, from its head to its answer: what is the same for events and for webhooks.

Plain ASGI: it reads no further than it must, and a request costs no more than what it holds does. What a
body means, and who may send it, is the `Taker`'s matter.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType
from starlette.types import Receive, Scope, Send

from schemas.errors import Unavailable
from schemas.vocabulary import Reason
from services.ingest.bodies import BODY_S, BodyTooLarge, SenderGone, linger, read
from services.ingest.cloudevents import Refused
from services.ingest.intake import BODY_BYTES, Rejected, dead_letter
from services.ingest.publisher import Message

log = structlog.get_logger()

RawHeaders = Sequence[tuple[bytes, bytes]]
Known = Mapping[bytes, bytes]


class Bounds(Struct, frozen=True, kw_only=True):
    """How much may be in hand at once; more is told to come back (429)."""

    requests: int = 512
    bytes: int = 64 * 1024 * 1024


class Log(Protocol):
    """Where events go: `publisher.Publisher`, or its double in tests."""

    @property
    def is_connected(self) -> bool: ...

    async def send(self, messages: Sequence[Message]) -> None: ...


class Body(Struct, kw_only=True):
    """What every answer holds. `dropped`: known to be of no use, by reason; webhooks only."""

    accepted: int = 0
    rejected: list[Rejected] = []
    dropped: dict[str, int] | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class Answer(Struct, kw_only=True):
    status: int
    body: Body
    retry_after_s: int | None = None
    challenge: str | None = None


class Taker(Protocol):
    """Who takes the bodies that arrive at one address."""

    def refuse(self, headers: RawHeaders, known: Known) -> Answer | None:
        """The answer to a request that is not to be read at all."""
        ...

    async def take(self, headers: RawHeaders, known: Known, body: bytes, query: bytes) -> Answer:
        """The answer, once the log has what the body told. Raises `Unavailable`."""
        ...

    def too_large(self) -> tuple[str | None, str | None]:
        """A body was above its limit, which is counted; the source and the site of its dead letter."""
        ...

    def answered(self, status: int, seconds: float) -> None:
        """Counts an answer."""
        ...


class Endpoint:
    """One address as an ASGI application."""

    def __init__(
        self, taker: Taker, *, publisher: Log, clock: Callable[[], int], bounds: Bounds | None = None
    ) -> None:
        self._taker = taker
        self._publisher = publisher
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._requests = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        known = dict(headers)
        try:
            answer = await self._answer(headers, known, scope["query_string"], receive)
            await respond(send, answer)
        except BodyTooLarge as large:
            answer = _too_large()
            await respond(send, answer, close=True)
            await self._tell_large(large, known, receive)
            await send({"type": "http.response.body", "body": b""})
        except SenderGone:
            return
        except asyncio.CancelledError:  # the web server stops and waits no longer
            answer = refused(503, "stopping; send all again", retry_after_s=1)
            await respond(send, answer)
        self._taker.answered(answer.status, time.perf_counter() - started)

    async def _answer(self, headers: RawHeaders, known: Known, query: bytes, receive: Receive) -> Answer:
        refusal = self._taker.refuse(headers, known)
        if refusal is not None:
            return refusal
        if known.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            return refused(415, "Content-Encoding: bodies are read as they are, not compressed")
        declared = int(known.get(b"content-length", b"0"))
        if declared > BODY_BYTES:
            raise BodyTooLarge(b"", more=b"expect" not in known)
        length = declared or BODY_BYTES  # chunked: as much as it may become
        if self._requests >= self._bounds.requests or self._bytes + length > self._bounds.bytes:
            return refused(429, "too much at once; send all again", retry_after_s=1)
        self._requests += 1
        self._bytes += length
        try:
            return await self._taker.take(headers, known, await read(receive, BODY_BYTES), query)
        except TimeoutError:
            return refused(408, f"the body did not arrive within {BODY_S:g} s")
        except Unavailable as error:
            retry_after_s = max(1, round(error.retry_after_s))
            return refused(503, f"{error.detail}; send all again", retry_after_s=retry_after_s)
        finally:
            self._requests -= 1
            self._bytes -= length

    async def _tell_large(self, large: BodyTooLarge, known: Known, receive: Receive) -> None:
        """Reads on for a while, then writes the dead letter: with the hash of all, or of what was read."""
        digest = hashlib.sha256(large.part)
        size, whole = len(large.part), not large.more
        if large.more:
            size, whole = await linger(receive, digest.update, size)
        detail = f"body: above {BODY_BYTES} bytes" + ("" if whole else f"; hash of the first {size}")
        size = max(size, int(known.get(b"content-length", b"0")))
        source, site = self._taker.too_large()
        refusal = Refused(reason=Reason.TOO_LARGE, detail=detail, source=source, site=site)
        letter = dead_letter(refusal, sha256=digest.hexdigest(), size=size, now_ms=self._clock())
        try:
            await self._publisher.send([letter])
        except Unavailable:
            log.warning("dead_letter_not_written", reason=letter.reason, sha256=letter.sha256)


_encode = msgspec.json.Encoder().encode


def refused(status: int, detail: str, *, retry_after_s: int | None = None) -> Answer:
    """Nothing of the body was looked at."""
    return Answer(status=status, body=Body(detail=detail), retry_after_s=retry_after_s)


def _too_large() -> Answer:
    rejected = Rejected(index=0, reason=Reason.TOO_LARGE, detail=f"body: above {BODY_BYTES} bytes")
    return Answer(status=413, body=Body(rejected=[rejected]))


async def respond(send: Send, answer: Answer, *, close: bool = False) -> None:
    """Sends the answer; with `close`, the connection ends after it, and a last empty part is still due."""
    content = _encode(answer.body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    if answer.challenge is not None:
        headers.append((b"www-authenticate", answer.challenge.encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": close})
