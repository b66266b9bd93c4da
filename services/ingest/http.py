"""The HTTP side of ingest: `POST /v1/events`, webhooks, health, metrics, documentation. INTERFACE.md §4.

What a posted body means is `intake.py`'s matter, what a webhook means that of its source's adapter.
"""

from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.vocabulary import Reason
from services.ingest import openapi
from services.ingest.cloudevents import Mode, mode_of
from services.ingest.intake import Door
from services.ingest.metrics import HTTP, Metrics
from services.ingest.posted import Posted
from services.ingest.posting import Answer, Body, Bounds, Endpoint, Known, Log, RawHeaders, refused, respond
from services.ingest.receiving import Unsigned
from services.ingest.standard_webhooks import Signer, is_signed, signers_of
from services.ingest.webhooks import PATH as WEBHOOKS_PATH
from services.runtime.keys import ANYBODY, WRITES, Denial, Denied, Holder, Keyring, bearer, refuse_scrape

EVENTS_PATH = "/v1/events"


def create_app(
    *,
    publisher: Log,
    door: Door,
    metrics: Metrics,
    clock: Callable[[], int],
    bounds: Bounds | None = None,
    keys: Keyring | None = None,
    address: str = "127.0.0.1:8081",
    webhooks: Mapping[str, ASGIApp] | None = None,
    signers: Sequence[Signer] = (),
    posted: Posted | None = None,
) -> FastAPI:
    """The whole of ingest's HTTP, around its collaborators. `clock` gives epoch milliseconds.

    `keys` None: none is asked for. `address`: where ingest listens. `webhooks`: by source id.
    `signers`: sources that sign the events they post. `posted`: where the source panel looks.
    """
    taker = EventsTaker(
        publisher=publisher,
        door=door,
        metrics=metrics,
        clock=clock,
        keys=keys,
        signers=signers,
        posted=posted,
    )
    events = Endpoint(taker, publisher=publisher, clock=clock, bounds=bounds)
    app = _App(events, webhooks or {})
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

    def __init__(self, events: ASGIApp, webhooks: Mapping[str, ASGIApp]) -> None:
        super().__init__(title="Vigie ingest", version="1", docs_url=None, redoc_url=None)
        self._events = events
        self._webhooks = webhooks
        self.router.routes.append(Route(EVENTS_PATH, events, methods=["POST"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path == EVENTS_PATH:
                return await self._events(scope, receive, send)
            if path.startswith(WEBHOOKS_PATH):
                webhook = self._webhooks.get(path.removeprefix(WEBHOOKS_PATH), _unknown_source)
                return await webhook(scope, receive, send)
        return await super().__call__(scope, receive, send)


async def _unknown_source(scope: Scope, receive: Receive, send: Send) -> None:
    """What is asked for is not said again: it may be anything."""
    answer = refused(404, "no source of that id takes webhooks; see [[sources]]")
    await respond(send, answer, close=True)
    await send({"type": "http.response.body", "body": b""})


class EventsTaker:
    """Takes what is posted to `POST /v1/events`."""

    def __init__(
        self,
        *,
        publisher: Log,
        door: Door,
        metrics: Metrics,
        clock: Callable[[], int],
        keys: Keyring | None,
        signers: Sequence[Signer],
        posted: Posted | None,
    ) -> None:
        self._keys = keys
        self._signers = signers
        self._posted = posted
        self._publisher = publisher
        self._door = door
        self._metrics = metrics
        self._clock = clock
        self._statuses = {
            status: metrics.requests.labels(str(status))
            for status in (202, 400, 401, 403, 408, 413, 415, 429, 503)
        }

    def refuse(self, headers: RawHeaders, known: Known) -> Answer | None:
        if not self._is_to_be_verified(known):
            sender = self._admit(known)
            if isinstance(sender, Denied):
                self._metrics.refused(sender.reason)
                return _denied(sender)
        if _mode(known) is None:
            return refused(415, openapi.MEDIA_TYPES)
        return None

    async def take(self, headers: RawHeaders, known: Known, body: bytes, query: bytes) -> Answer:
        """Answers once the log has everything. Raises `Unavailable`; then nothing is counted."""
        mode, now_ms = _mode(known), self._clock()
        assert mode is not None  # `refuse` has let it pass
        if self._is_to_be_verified(known):
            found = signers_of(self._signers, known, body, now_ms=now_ms)
            if isinstance(found, Unsigned):
                self._metrics.unsigned(HTTP, found)
                return refused(401, f"{found}: compare the secret with that of [[sources]]")
            names = {signer.source: signer.site for signer in found}
            intake = self._door.take(mode, headers, body, now_ms=now_ms, signers=names)
        else:
            sender = self._admit(known)
            assert isinstance(sender, Holder)
            intake = self._door.take(mode, headers, body, now_ms=now_ms, sender=sender)
        await self._publisher.send([*intake.events, *intake.letters])
        if self._posted is not None:
            self._posted.take(intake)
        for (source, reason), n in intake.outcomes.items():
            self._metrics.count(source, reason, n)
        for name, n in intake.ignored.items():
            self._metrics.fields_ignored.labels(name).inc(n)
        for source, n in intake.unsigned.items():
            self._metrics.unsigned(source, Unsigned.MISSING, n)
        return Answer(status=intake.status, body=Body(accepted=len(intake.events), rejected=intake.rejected))

    def too_large(self) -> tuple[str | None, str | None]:
        self._metrics.count(HTTP, Reason.TOO_LARGE)
        return None, None

    def answered(self, status: int, seconds: float) -> None:
        self._statuses[status].inc()
        self._metrics.request_seconds.observe(seconds)

    def _is_to_be_verified(self, known: Known) -> bool:
        """A signature is as good as a key, and is looked at instead of one once the body is there."""
        return bool(self._signers) and is_signed(known)

    def _admit(self, known: Known) -> Holder | Denied:
        """Who sends this. Without keys no web page may: it could let its name resolve to this machine."""
        if self._keys is not None:
            return self._keys.admit(bearer(known), WRITES)
        if b"origin" in known:
            return Denied(403, Denial.OTHER_ORIGIN, "a web page may not post events without a key")
        return ANYBODY


def _mode(known: Known) -> Mode | None:
    media = known.get(b"content-type", b"").decode("latin-1")
    is_binary = not media.startswith("application/cloudevents") and any(
        name.startswith(b"ce-") for name in known
    )
    return mode_of(media, is_binary=is_binary)


def _denied(sender: Denied) -> Answer:
    return Answer(status=sender.status, body=Body(detail=sender.detail), challenge=sender.challenge())
