"""The HTTP side of ingest: `POST /v1/events`, health, metrics, documentation. INTERFACE.md §4.

`POST /v1/events` is plain ASGI: it reads no further than it must, and a request costs no more than
its events do. What a body means is `intake.py`'s matter.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from msgspec import UNSET, Struct, UnsetType
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from schemas.errors import Unavailable
from schemas.vocabulary import Reason
from services.ingest import openapi
from services.ingest.bodies import BODY_S, BodyTooLarge, SenderGone, linger, read
from services.ingest.cloudevents import Refused, mode_of
from services.ingest.intake import BODY_BYTES, Door, Intake, Rejected, dead_letter
from services.ingest.metrics import HTTP, Metrics
from services.ingest.publisher import Message
from services.runtime.keys import ANYBODY, WRITES, Denial, Denied, Holder, Keyring, bearer, refuse_scrape

EVENTS_PATH = "/v1/events"

log = structlog.get_logger()


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
    """What every answer of `POST /v1/events` holds."""

    accepted: int = 0
    rejected: list[Rejected] = []
    detail: str | UnsetType = UNSET


class Answer(Struct, kw_only=True):
    status: int
    body: Body
    retry_after_s: int | None = None
    challenge: str | None = None


_encode = msgspec.json.Encoder().encode


def create_app(
    *,
    publisher: Log,
    door: Door,
    metrics: Metrics,
    clock: Callable[[], int],
    bounds: Bounds | None = None,
    keys: Keyring | None = None,
    address: str = "127.0.0.1:8081",
) -> FastAPI:
    """The whole of ingest's HTTP, around its collaborators. `clock` gives epoch milliseconds.

    `keys` None: none is asked for. `address`: where ingest listens.
    """
    endpoint = EventsEndpoint(
        publisher=publisher, door=door, metrics=metrics, clock=clock, bounds=bounds or Bounds(), keys=keys
    )
    app = _App(endpoint)
    document = openapi.document()
    app.openapi = lambda: document  # type: ignore[method-assign]

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready(response: Response) -> dict[str, object]:
        missing = [] if publisher.is_connected else ["broker"]
        response.status_code = 503 if missing else 200
        return {"status": "not_ready" if missing else "ready", "missing": missing}

    @app.get("/metrics", include_in_schema=False)
    async def series(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        denied = refuse_scrape(keys, bearer(headers), address=address, headers=headers)
        if denied is not None:
            metrics.refused(denied.reason)
            return Response(denied.detail, denied.status, {"www-authenticate": denied.challenge() or ""})
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(openapi.page(document))

    return app


class _App(FastAPI):
    """FastAPI, but posted events do not pass its layers: measured, these cost a third of the request."""

    def __init__(self, events: "EventsEndpoint") -> None:
        super().__init__(title="Vigie ingest", version="1", docs_url=None, redoc_url=None)
        self._events = events
        self.router.routes.append(Route(EVENTS_PATH, events, methods=["POST"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == EVENTS_PATH and scope["method"] == "POST":
            await self._events(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class EventsEndpoint:
    """`POST /v1/events` as an ASGI application."""

    def __init__(
        self,
        *,
        publisher: Log,
        door: Door,
        metrics: Metrics,
        clock: Callable[[], int],
        bounds: Bounds,
        keys: Keyring | None,
    ) -> None:
        self._keys = keys
        self._publisher = publisher
        self._door = door
        self._metrics = metrics
        self._clock = clock
        self._bounds = bounds
        self._requests = 0
        self._bytes = 0
        self._statuses = {
            status: metrics.requests.labels(str(status))
            for status in (202, 400, 401, 403, 408, 413, 415, 429, 503)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        known = dict(headers)
        try:
            answer = await self._answer(headers, known, receive)
            await _respond(send, answer)
        except BodyTooLarge as large:
            answer = _too_large()
            await _respond(send, answer, close=True)
            await self._tell_large(large, known, receive)
            await send({"type": "http.response.body", "body": b""})
        except SenderGone:
            return
        except asyncio.CancelledError:  # the web server stops and waits no longer
            answer = _refused(503, "stopping; send all again", retry_after_s=1)
            await _respond(send, answer)
        self._statuses[answer.status].inc()
        self._metrics.request_seconds.observe(time.perf_counter() - started)

    async def _answer(
        self, headers: list[tuple[bytes, bytes]], known: dict[bytes, bytes], receive: Receive
    ) -> Answer:
        sender = self._admit(known)
        if isinstance(sender, Denied):
            self._metrics.refused(sender.reason)
            return _denied(sender)
        media = known.get(b"content-type", b"").decode("latin-1")
        is_binary = not media.startswith("application/cloudevents") and any(
            name.startswith(b"ce-") for name in known
        )
        mode = mode_of(media, is_binary=is_binary)
        if mode is None:
            return _refused(415, openapi.MEDIA_TYPES)
        if known.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            return _refused(415, "Content-Encoding: bodies are read as they are, not compressed")
        declared = int(known.get(b"content-length", b"0"))
        if declared > BODY_BYTES:
            raise BodyTooLarge(b"", more=b"expect" not in known)
        length = declared or BODY_BYTES  # chunked: as much as it may become
        if self._requests >= self._bounds.requests or self._bytes + length > self._bounds.bytes:
            return _refused(429, "too much at once; send all again", retry_after_s=1)
        self._requests += 1
        self._bytes += length
        try:
            body = await read(receive, BODY_BYTES)
            intake = self._door.take(mode, headers, body, now_ms=self._clock(), sender=sender)
            return await self._store(intake)
        except TimeoutError:
            return _refused(408, f"the body did not arrive within {BODY_S:g} s")
        except Unavailable as error:
            retry_after_s = max(1, round(error.retry_after_s))
            return _refused(503, f"{error.detail}; send all again", retry_after_s=retry_after_s)
        finally:
            self._requests -= 1
            self._bytes -= length

    def _admit(self, known: dict[bytes, bytes]) -> Holder | Denied:
        """Who sends this. Without keys no web page may: it could let its name resolve to this machine."""
        if self._keys is not None:
            return self._keys.admit(bearer(known), WRITES)
        if b"origin" in known:
            return Denied(403, Denial.OTHER_ORIGIN, "a web page may not post events without a key")
        return ANYBODY

    async def _store(self, intake: Intake) -> Answer:
        """Answers once the log has everything. Raises `Unavailable`; then nothing is counted."""
        await self._publisher.send([*intake.events, *intake.letters])
        for (source, reason), n in intake.outcomes.items():
            self._metrics.count(source, reason, n)
        for name, n in intake.ignored.items():
            self._metrics.fields_ignored.labels(name).inc(n)
        return Answer(status=intake.status, body=Body(accepted=len(intake.events), rejected=intake.rejected))

    async def _tell_large(self, large: BodyTooLarge, known: dict[bytes, bytes], receive: Receive) -> None:
        """Reads on for a while, then writes the dead letter: with the hash of all, or of what was read."""
        digest = hashlib.sha256(large.part)
        size, whole = len(large.part), not large.more
        if large.more:
            size, whole = await linger(receive, digest.update, size)
        detail = f"body: above {BODY_BYTES} bytes" + ("" if whole else f"; hash of the first {size}")
        size = max(size, int(known.get(b"content-length", b"0")))
        refused = Refused(reason=Reason.TOO_LARGE, detail=detail)
        self._metrics.count(HTTP, Reason.TOO_LARGE)
        letter = dead_letter(refused, sha256=digest.hexdigest(), size=size, now_ms=self._clock())
        try:
            await self._publisher.send([letter])
        except Unavailable:
            log.warning("dead_letter_not_written", reason=letter.reason, sha256=letter.sha256)


def _refused(status: int, detail: str, *, retry_after_s: int | None = None) -> Answer:
    """Nothing of the body was looked at."""
    return Answer(status=status, body=Body(detail=detail), retry_after_s=retry_after_s)


def _denied(sender: Denied) -> Answer:
    return Answer(status=sender.status, body=Body(detail=sender.detail), challenge=sender.challenge())


def _too_large() -> Answer:
    rejected = Rejected(index=0, reason=Reason.TOO_LARGE, detail=f"body: above {BODY_BYTES} bytes")
    return Answer(status=413, body=Body(rejected=[rejected]))


async def _respond(send: Send, answer: Answer, *, close: bool = False) -> None:
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
