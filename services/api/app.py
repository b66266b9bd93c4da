"""The web application, put together from what it is handed; the process does that in `__main__`.

Outermost stands `Edge`: it lets the socket past FastAPI, refuses who may not ask, signs a page in and
puts the security headers on every answer. Inside: REST, the contract and its page, the wallboard.
"""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas import codec
from schemas.config import Config
from services.api import answers, asyncapi, live, routes, sign_in
from services.api.board import Board
from services.api.commands import Commands
from services.api.deliveries import Deliveries
from services.api.guard import HEADERS, Guard
from services.api.hub import Hub
from services.api.metrics import Metrics
from services.api.openapi import Api
from services.api.routes import Readiness
from services.api.sources import Sources
from services.runtime.keys import ANYBODY, Denied, keyring

HERE = Path(__file__).parent
WALLBOARD = HERE / "wallboard"
DOCS = HERE / "docs"
SOCKET_PATH = "/api/v1/live"


def create_app(
    board: Board,
    hub: Hub,
    *,
    commands: Commands,
    deliveries: Deliveries,
    sources: Sources,
    readiness: Readiness,
    metrics: Metrics,
    config: Config,
    clock: Callable[[], int],
    wallboard: Path = WALLBOARD,
) -> ASGIApp:
    """The ASGI application. `hub.run` and what fills the board are the caller's tasks."""
    app = Api(
        title="Vigie",
        version=version("vigie"),
        description="The board of a contact centre, now.",
        docs_url=None,  # FastAPI's page loads its scripts from elsewhere
        redoc_url=None,
        dependencies=[routes.alerts_of_the_key(board)],
    )
    answers.install(app)
    app.include_router(routes.board_routes(board, hub, config, clock=clock))
    app.include_router(routes.action_routes(board, commands))
    app.include_router(routes.delivery_routes(board, deliveries))
    app.include_router(routes.source_routes(board, sources, clock=clock))
    app.include_router(routes.operations_routes(readiness, metrics))
    app.add_route("/asyncapi.yaml", _socket_contract, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_route("/docs", _page(DOCS, "index.html"), methods=["GET", "HEAD"], include_in_schema=False)
    app.add_route("/docs/{path:path}", _files(DOCS), methods=["GET", "HEAD"], include_in_schema=False)
    app.add_route("/", _page(wallboard, "index.html"), methods=["GET", "HEAD"], include_in_schema=False)
    app.add_route("/{path:path}", _files(wallboard), methods=["GET", "HEAD"], include_in_schema=False)
    guard = Guard(config.http.origins, keys=keyring(config.auth), address=config.http.api)
    return Edge(app, live.endpoint(hub, guard, metrics), guard=guard, metrics=metrics)


class Edge:
    """What stands before everything: the socket's way in, who may ask, headers."""

    def __init__(self, app: ASGIApp, socket: ASGIApp, *, guard: Guard, metrics: Metrics) -> None:
        self._app = app
        self._socket = socket
        self._guard = guard
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == SOCKET_PATH:
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._answer_to(scope)(scope, receive, send_with_headers)

    def _answer_to(self, scope: Scope) -> ASGIApp:
        """What answers: a refusal, the way on for a page that brought its key, or the application."""
        holder = self._guard.admit(scope)
        if isinstance(holder, Denied):
            self._metrics.refused(holder.reason)
            return answers.denied(holder)
        if scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            key, rest = sign_in.key_in_query(scope["query_string"])
            if key is not None:
                return self._sign_in(key, rest, is_secure=self._guard.is_secure(scope))
        return self._app

    def _sign_in(self, key: str, rest: bytes, *, is_secure: bool) -> Response:
        """The page again, with the key in a cookie; without it when the key opens nothing."""
        answer = Response(
            status_code=303, headers={"location": sign_in.place(rest), "cache-control": "no-store"}
        )
        holder = self._guard.find(key)
        if isinstance(holder, Denied):
            self._metrics.refused(holder.reason)
        elif holder is not ANYBODY:
            answer.headers["set-cookie"] = sign_in.cookie(key, is_secure=is_secure)
        return answer


async def _socket_contract(_request: Request) -> Response:
    # every JSON text is a YAML text
    return Response(codec.encode(asyncapi.document()), media_type="application/yaml")


def _files(folder: Path) -> Callable[[Request], Awaitable[Response]]:
    """The files of a folder, by name; the browser asks each time whether they have changed."""
    files = StaticFiles(directory=folder, check_dir=False)

    async def answer(request: Request) -> Response:
        return await _file(files, request.path_params["path"], request)

    return answer


def _page(folder: Path, name: str) -> Callable[[Request], Awaitable[Response]]:
    files = StaticFiles(directory=folder, check_dir=False)

    async def answer(request: Request) -> Response:
        return await _file(files, name, request)

    return answer


async def _file(files: StaticFiles, path: str, request: Request) -> Response:
    try:
        response = await files.get_response(path, request.scope)
    except HTTPException as error:
        raise HTTPException(error.status_code, "nothing has this address") from error
    response.headers["cache-control"] = "no-cache"
    return response
