"""The notifier's own pages: /metrics, /health/live, /health/ready. INTERFACE.md §5, §6.

Live means that the work moves, or that Kafka is asked again; ready says what is still missing.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.runtime.keys import Denied

Headers = Mapping[bytes, bytes]

STILL_S = 60.0
"""Reading moves several times a second; connecting and loading take a while."""


class Work(Protocol):
    def missing(self) -> list[str]: ...
    def still_s(self) -> float: ...


def create_pages(
    registry: CollectorRegistry, work: Work, *, refuse: Callable[[Headers], Denied | None]
) -> Starlette:
    """An ASGI application; it reads what it is handed and changes nothing.

    `refuse` says of a request's headers why /metrics is not shown.
    """

    async def metrics(request: Request) -> Response:
        denied = refuse(dict(request.scope["headers"]))
        if denied is not None:
            return Response(denied.detail, denied.status, {"www-authenticate": denied.challenge() or ""})
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def live(_request: Request) -> Response:
        still_s = work.still_s()
        alive = still_s < STILL_S
        return JSONResponse({"live": alive, "still_s": round(still_s, 1)}, status_code=200 if alive else 503)

    async def ready(_request: Request) -> Response:
        missing = work.missing()
        return JSONResponse({"ready": not missing, "missing": missing}, status_code=503 if missing else 200)

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/health/live", live),
            Route("/health/ready", ready),
        ]
    )
