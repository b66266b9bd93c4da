"""REST: INTERFACE.md §5. Each route reads the board, or writes a command to the log, and answers JSON."""

from collections.abc import Callable
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from schemas import codec
from schemas.board import Alert, QueueRow
from schemas.config import Config, RuleConfig
from schemas.definitions import DEFINITIONS, SERVICE_LEVELS
from schemas.vocabulary import AlertState, WindowName
from services.api import wire
from services.api.answers import Refused, json
from services.api.board import Board, View
from services.api.commands import Action, Commands, Snooze
from services.api.deliveries import Deliveries
from services.api.guard import holder_of
from services.api.hub import Hub
from services.api.live import view
from services.api.metrics import Metrics
from services.api.openapi import answers
from services.api.sources import Sources

MAX_BODY = 16 * 1024
_NO_ALERT = "no alert has this alert_id"

Site = Annotated[str | None, Query(description="One site only.")]
Queues = Annotated[list[str] | None, Query(description="These queues only, with commas between them.")]
OneWindow = Annotated[WindowName | None, Query(description="This window only, of the five.")]
States = Annotated[list[str] | None, Query(description="Alerts in these states, with commas between them.")]
Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[
    str | None,
    Query(description="Alerts older than this one (an alert_id), or fired before this instant (ms)."),
]


class Readiness(Protocol):
    def missing(self) -> list[str]:
        """What the api still waits for, one sentence each; empty when it is ready."""


A = TypeVar("A", bound=Action)

_actions = msgspec.json.Decoder(Action)
_snoozes = msgspec.json.Decoder(Snooze)


def board_routes(board: Board, hub: Hub, config: Config, *, clock: Callable[[], int]) -> APIRouter:
    """What can be read."""
    router = APIRouter(prefix="/api/v1", tags=["board"])

    @router.get("/board", responses=answers("Board", 400), summary="Every queue, now")
    async def read_board(
        request: Request, site: Site = None, queues: Queues = None, window: OneWindow = None
    ) -> Response:
        body = wire.snapshot_body(board, _view(request, site, queues), clock(), window=window)
        return json(wire.document("snapshot", body, epoch=hub.epoch, seq=board.seq))

    @router.get("/queues/{queue:path}", responses=answers("QueueRow", 400, 404), summary="One queue")
    async def read_queue(
        request: Request, queue: str, site: Site = None, window: OneWindow = None
    ) -> Response:
        row = _one_queue(board, _view(request, site), queue)
        return json(wire.queue_text(board, row, clock(), window=window))

    @router.get("/agents", responses=answers("Agents"), summary="Agents and what they do")
    async def read_agents(request: Request, site: Site = None) -> Response:
        seen = _view(request, site)
        rows = [row for (at, _), row in sorted(board.agents.items()) if seen.shows_site(at)]
        return json(codec.encode({"agents": rows}).decode())

    @router.get("/alerts", responses=answers("Alerts", 400), summary="Alerts, newest first")
    async def read_alerts(
        request: Request, state: States = None, site: Site = None, limit: Limit = 100, before: Before = None
    ) -> Response:
        found = _older(board.alerts_newest_first(_view(request, site), _states(state)), board, before)
        following = found[limit - 1].alert_id if len(found) > limit else None
        following_text = codec.encode(following).decode()
        return json(f'{{"alerts":{wire.alerts_text(found[:limit])},"next":{following_text}}}')

    @router.get("/definitions", responses=answers("Definitions"), summary="What each figure means")
    async def read_definitions() -> Response:
        registry = {"definitions": DEFINITIONS, "service_levels": SERVICE_LEVELS}
        return json(codec.encode(registry).decode())

    @router.get("/rules", responses=answers("Rules"), summary="The alert rules in force")
    async def read_rules(request: Request) -> Response:
        rules = rules_seen(config, holder_of(request.scope).sites)
        return json(codec.encode({"rules": rules, "flap": config.flap}).decode())

    return router


def action_routes(board: Board, commands: Commands) -> APIRouter:
    """What people can do."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["actions"])

    @router.post("/{alert_id}/acknowledge", summary="Somebody takes the alert", **_acting("Action"))
    async def acknowledge(alert_id: str, request: Request) -> Response:
        action = await _said(request, _actions)
        alert = _known(board, alert_id)
        return _outcome(alert, await commands.acknowledge(alert, by=action.by, note=action.note))

    @router.post("/{alert_id}/snooze", summary="It comes back at an instant", **_acting("Snooze"))
    async def snooze(alert_id: str, request: Request) -> Response:
        action = await _said(request, _snoozes)
        alert, until_ms = _known(board, alert_id), action.until_ms
        return _outcome(
            alert, await commands.snooze(alert, by=action.by, note=action.note, until_ms=until_ms)
        )

    @router.post("/{alert_id}/resolve", summary="Somebody closes the alert", **_acting("Action"))
    async def resolve(alert_id: str, request: Request) -> Response:
        action = await _said(request, _actions)
        alert = _known(board, alert_id)
        return _outcome(alert, await commands.resolve(alert, by=action.by, note=action.note))

    return router


def delivery_routes(board: Board, deliveries: Deliveries) -> APIRouter:
    """Who was told."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["board"])

    @router.get(
        "/{alert_id}",
        responses=answers("AlertWithDeliveries", 404),
        summary="One alert, and what became of its notices",
    )
    async def read_alert(alert_id: str) -> Response:
        return json(wire.alert_with_deliveries_text(_known(board, alert_id), deliveries.of(alert_id)))

    return router


def source_routes(board: Board, sources: Sources, *, clock: Callable[[], int]) -> APIRouter:
    """Where everything comes from."""
    router = APIRouter(prefix="/api/v1", tags=["board"])

    @router.get("/sources", responses=answers("Sources"), summary="Sources, and how each stands")
    async def read_sources(request: Request, site: Site = None) -> Response:
        views = sources.views(board, _view(request, site), clock())
        return json(codec.encode({"sources": views}).decode())

    return router


def operations_routes(readiness: Readiness, metrics: Metrics) -> APIRouter:
    """What those who run it ask."""
    router = APIRouter(tags=["operations"])

    @router.get("/health/live", summary="The process answers")
    async def live() -> Response:
        return json('{"status":"live"}')

    @router.get(
        "/health/ready", responses=answers("Health", 503), summary="The board is loaded and the log answers"
    )
    async def ready() -> Response:
        missing = readiness.missing()
        body = {"status": "not_ready" if missing else "ready", "missing": missing}
        return json(codec.encode(body).decode(), status=503 if missing else 200)

    @router.get("/metrics", summary="Prometheus")
    async def read_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def alerts_of_the_key(board: Board) -> Any:
    """On every route: an alert that its path names is not there for a key of other sites."""

    async def check(request: Request) -> None:
        alert = board.alerts.get(request.path_params.get("alert_id", ""))
        if alert is not None and not holder_of(request.scope).covers(alert.site):
            raise Refused(404, _NO_ALERT)

    return Depends(check)


def rules_seen(config: Config, sites: frozenset[str] | None) -> list[RuleConfig]:
    """The rules as somebody sees whose key is for `sites` (None: all): of their own queues.

    A rule that names none of these is left out; one that names no queue at all is everybody's.
    """
    if sites is None:
        return config.rules
    theirs = {queue.id for queue in config.queues if queue.site in sites}
    seen = []
    for rule in config.rules:
        queues = None if rule.queues is None else [queue for queue in rule.queues if queue in theirs]
        if queues is None or queues:
            seen.append(msgspec.structs.replace(rule, queues=queues))
    return seen


def _view(request: Request, site: str | None, queues: list[str] | None = None) -> View:
    return view(site, queues or [], sites=holder_of(request.scope).sites)


def _one_queue(board: Board, seen: View, queue: str) -> QueueRow:
    found = [row for (at, name), row in board.queues.items() if name == queue and seen.shows_site(at)]
    if not found:
        raise Refused(404, "no such queue has been seen")
    if len(found) > 1:
        sites = ", ".join(sorted(row.site for row in found))
        raise Refused(400, f"several sites have this queue; add ?site= with one of {sites}")
    return found[0]


def _states(given: list[str] | None) -> frozenset[AlertState] | None:
    words = [word for part in given or [] for word in part.split(",") if word]
    unknown = [word for word in words if word not in list(AlertState)]
    if unknown:
        raise Refused(400, f"state {unknown[0]!r} is not known; there are {', '.join(AlertState)}")
    return frozenset(AlertState(word) for word in words) or None


def _older(alerts: list[Alert], board: Board, before: str | None) -> list[Alert]:
    if before is None:
        return alerts
    if before in board.alerts:
        mark = board.alerts[before]
        return [a for a in alerts if (-a.fired_ms, a.alert_id) > (-mark.fired_ms, mark.alert_id)]
    if not (before.isascii() and before.isdigit()):
        raise Refused(400, "before: neither an alert_id that is known nor an instant in ms")
    return [alert for alert in alerts if alert.fired_ms < int(before[:16])]


def _acting(body: str) -> dict[str, Any]:
    """What the contract says of a route on which somebody acts on an alert."""
    schema = {"$ref": f"#/components/schemas/{body}"}
    return {
        "responses": answers("Alert", 202, 400, 404, 409, 413, 415, 503),
        "openapi_extra": {"requestBody": {"content": {"application/json": {"schema": schema}}}},
    }


def _known(board: Board, alert_id: str) -> Alert:
    alert = board.alerts.get(alert_id)
    if alert is None:
        raise Refused(404, "no alert has this alert_id")
    return alert


async def _said(request: Request, decoder: msgspec.json.Decoder[A]) -> A:
    """The body, decoded. JSON must be said: a form of another site could be sent without asking."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Refused(415, "content-type must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(413, f"the body is above {MAX_BODY} bytes")
    try:
        action = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise Refused(400, str(fault)) from fault
    by = action.by or holder_of(request.scope).id
    if not by.strip():
        raise Refused(400, "by: says who acts, and may not be blank")
    return msgspec.structs.replace(action, by=by)


def _outcome(alert: Alert, answer: Alert | None) -> Response:
    """200 taken, 409 not allowed in its state, 202 on its way: the alert in each case."""
    if answer is None:
        return json(wire.alert_text(alert), status=202)
    return json(wire.alert_text(answer), status=200 if answer.accepted else 409)
