"""The aggregator's own pages: /metrics, /health/live, /health/ready (INTERFACE.md §5, §6).

Live means that the work moves, not that the port answers; ready says what is still missing.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.aggregator.assignment import Assignment
from services.aggregator.holdings import Holdings
from services.runtime.keys import Denied

Headers = Mapping[bytes, bytes]

_STILL_S = 10.0
"""The tick runs each second and waits for the broker: without one for so long, nothing moves."""


def create_pages(
    registry: CollectorRegistry,
    holdings: Holdings,
    assignment: Assignment,
    *,
    refuse: Callable[[Headers], Denied | None],
) -> Starlette:
    """An ASGI application; it reads what it is handed and changes nothing.

    `refuse` says of a request's headers why /metrics is not shown.
    """

    async def metrics(request: Request) -> Response:
        denied = refuse(dict(request.scope["headers"]))
        if denied is not None:
            return Response(denied.detail, denied.status, {"www-authenticate": denied.challenge() or ""})
        # the values of one instant are taken here; writing thousands of lines would hold up the fold
        page = await asyncio.to_thread(generate_latest, _Collected(list(registry.collect())))
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    async def live(_request: Request) -> Response:
        still_s = time.monotonic() - holdings.ticked
        alive = still_s < _STILL_S
        return JSONResponse({"live": alive, "still_s": round(still_s, 1)}, status_code=200 if alive else 503)

    async def ready(_request: Request) -> Response:
        missing = what_is_missing(holdings, assignment)
        body = {"ready": not missing, "missing": missing, "partitions": sorted(holdings.held)}
        return JSONResponse(body, status_code=503 if missing else 200)

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/health/live", live),
            Route("/health/ready", ready),
        ]
    )


class _Collected(Collector):
    """Series that were collected before."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def what_is_missing(holdings: Holdings, assignment: Assignment) -> list[str]:
    """One phrase per thing this worker still waits for; none when it works."""
    if not assignment.is_connected:
        return ["Kafka"]
    if not assignment.is_joined:
        return ["an assignment from the group"]
    return [f"the state of partition {n}" for n in assignment.loading if n not in holdings.held]
