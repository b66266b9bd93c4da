"""A small Genesys Cloud: OAuth, REST and notification channels over real HTTP and websockets.

It speaks what services/ingest/adapters/genesys_cloud asks for, refuses what the real one refuses, and does
what the real one does now and then: says that a socket is closing, closes it, falls silent, asks to slow
down.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web

CLIENT, SECRET = "vigie-client", "the-secret-of-the-tests"
Json = dict[str, Any]


class Channel:
    """`topics` in force; `socket` while somebody is connected."""

    def __init__(self, number: str) -> None:
        self.id = number
        self.topics: set[str] = set()
        self.socket: web.WebSocketResponse | None = None
        self.pings = 0


class GenesysCloud:
    """`queues`: id → name; `members`: queue → user → joined; `users`: as GET /users shows them;
    `conversations`: as analytics shows them. `lacking`: permissions that the client does not have;
    `slow`: how many requests are answered 429; `is_deaf`: pings are not answered, nothing is said.
    """

    def __init__(self) -> None:
        self.url = ""
        self.queues: dict[str, str] = {}
        self.members: dict[str, dict[str, bool]] = {}
        self.users: list[Json] = []
        self.conversations: dict[str, Json] = {}
        self.lacking: set[str] = set()
        self.rejected: dict[str, list[str]] = {}
        self.most_topics = 1_000
        self.token_s = 86_400
        self.slow = 0
        self.failing: Counter[str] = Counter()
        self.is_deaf = False
        self.unauthorized = 0
        self.asked: Counter[str] = Counter()
        self.queries: list[Json] = []
        self.tokens: dict[str, float] = {}
        self.channels: dict[str, Channel] = {}
        self._numbers = itertools.count(1)

    # --- what happens there ---

    def revoke_tokens(self) -> None:
        self.tokens.clear()

    @property
    def connected(self) -> list[Channel]:
        return [each for each in self.channels.values() if each.socket is not None]

    async def notify(self, topic: str, body: Json) -> int:
        """To all who have subscribed and are connected; how many these are."""
        frame = {"topicName": topic, "version": "2", "eventBody": body, "metadata": {"CorrelationId": "c"}}
        return await self.say(json.dumps(frame), [each for each in self.connected if topic in each.topics])

    async def say(self, frame: str, channels: list[Channel]) -> int:
        if not self.is_deaf:
            for channel in channels:
                if channel.socket is not None:
                    await channel.socket.send_str(frame)
        return len(channels)

    async def announce_closing(self, *channels: Channel) -> None:
        body = {"message": "This websocket is closing in 60 seconds"}
        await self.say(
            json.dumps({"topicName": "v2.system.socket_closing", "eventBody": body}), list(channels)
        )

    async def cut(self) -> None:
        """Every socket, without a word."""
        for channel in self.connected:
            socket, channel.socket = channel.socket, None
            transport = socket._req.transport if socket is not None and socket._req is not None else None
            if transport is not None:
                transport.abort()

    # --- what is asked ---

    async def token(self, request: web.Request) -> web.Response:
        self.asked["token"] += 1
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        form = await request.post()
        if request.headers.get("authorization") != f"Basic {expected}":
            return web.json_response({"error": "invalid_client", "error_description": "no"}, status=400)
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        token = f"token-{next(self._numbers)}"
        self.tokens[token] = time.monotonic() + self.token_s
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": self.token_s})

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)  # type: ignore[no-any-return]
        resource = request.match_info.route.resource
        name = f"{request.method} {resource.canonical if resource is not None else request.path}"
        self.asked[name] += 1
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) < time.monotonic():
            self.unauthorized += 1
            return _refusal(401, "bad.credentials", "Invalid login credentials.")
        if self.slow > 0:
            self.slow -= 1
            return web.json_response({"status": 429}, status=429, headers={"retry-after": "0.01"})
        if self.failing[name] > 0:
            self.failing[name] -= 1
            return _refusal(503, "service.unavailable", "later")
        lacking = self.lacking & _NEEDS.get(name, set())
        if lacking:
            said = "Unable to perform the requested action. You are missing the following permission(s): "
            return _refusal(403, "missing.any.permissions", said + ", ".join(sorted(lacking)))
        return await handler(request)  # type: ignore[no-any-return]

    async def list_queues(self, request: web.Request) -> web.Response:
        return _page(request, [{"id": key, "name": name} for key, name in self.queues.items()])

    async def list_members(self, request: web.Request) -> web.Response:
        members = self.members.get(request.match_info["queue"], {})
        return _page(request, [{"id": user, "joined": joined} for user, joined in members.items()])

    async def list_users(self, request: web.Request) -> web.Response:
        asked = set(request.query.get("expand", "").split(","))
        hidden = {"presence", "routingStatus"} - asked
        return _page(request, [{k: v for k, v in each.items() if k not in hidden} for each in self.users])

    async def query(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.queries.append(body)
        start, end = body["interval"].split("/")
        only_open = "conversationFilters" in body
        found = [
            each
            for each in self.conversations.values()
            if each["conversationStart"] < end
            and each.get("conversationEnd", "9999") >= start
            and not (only_open and "conversationEnd" in each)
        ]
        size, number = body["paging"]["pageSize"], body["paging"]["pageNumber"]
        page = found[(number - 1) * size : number * size]
        return web.json_response({"conversations": page, "totalHits": len(found)} if page else {})

    async def details(self, request: web.Request) -> web.Response:
        asked = request.query["id"].split(",")
        found = [self.conversations[each] for each in asked if each in self.conversations]
        return web.json_response({"conversations": found})

    async def make_channel(self, request: web.Request) -> web.Response:
        channel = Channel(f"channel-{next(self._numbers)}")
        self.channels[channel.id] = channel
        if len(self.channels) > 20:  # the oldest goes, one that nobody is connected to first
            idle = [each for each in self.channels.values() if each.socket is None and each is not channel]
            del self.channels[(idle or list(self.channels.values()))[0].id]
        uri = f"{self.url.replace('http', 'ws')}/channels/{channel.id}"
        return web.json_response({"connectUri": uri, "id": channel.id, "expires": "2099-01-01T00:00:00.000Z"})

    async def subscribe(self, request: web.Request) -> web.Response:
        channel = self.channels[request.match_info["channel"]]
        topics = [each["id"] for each in await request.json()]
        if len(topics) > self.most_topics:
            return _refusal(400, "bad.request", f"at most {self.most_topics} topics")
        rejected = {each: self.rejected[each] for each in topics if each in self.rejected}
        if rejected and request.query.get("ignoreErrors") != "true":
            return _refusal(403, "not.authorized", "no")
        channel.topics = set(topics) - set(rejected)
        entities = [
            {"id": each, "state": "Rejected", "missingPermissions": rejected[each]}
            if each in rejected
            else {"id": each, "state": "Permitted"}
            for each in topics
        ]
        return web.json_response({"entities": entities})

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        channel = self.channels[request.match_info["channel"]]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        channel.socket = socket
        await socket.send_str(
            json.dumps({"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}})
        )
        async for message in socket:
            if message.type is WSMsgType.TEXT and json.loads(message.data) == {"message": "ping"}:
                channel.pings += 1
                pong = {"topicName": "channel.metadata", "eventBody": {"message": "pong"}}
                await self.say(json.dumps(pong), [channel])
        if channel.socket is socket:
            channel.socket = None
        return socket

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self.guard])
        channels = "/api/v2/notifications/channels"
        app.add_routes(
            [
                web.post("/oauth/token", self.token),
                web.get("/api/v2/routing/queues", self.list_queues),
                web.get("/api/v2/routing/queues/{queue}/members", self.list_members),
                web.get("/api/v2/users", self.list_users),
                web.post("/api/v2/analytics/conversations/details/query", self.query),
                web.get("/api/v2/analytics/conversations/details", self.details),
                web.post(channels, self.make_channel),
                web.put(f"{channels}/{{channel}}/subscriptions", self.subscribe),
                web.get("/channels/{channel}", self.connect),
            ]
        )
        return app


_NEEDS = {
    "GET /api/v2/routing/queues": {"routing:queue:view"},
    "POST /api/v2/analytics/conversations/details/query": {"analytics:conversationDetail:view"},
}


def _page(request: web.Request, entities: list[Json]) -> web.Response:
    size, number = int(request.query.get("pageSize", 25)), int(request.query.get("pageNumber", 1))
    return web.json_response(
        {
            "entities": entities[(number - 1) * size : number * size],
            "pageSize": size,
            "pageNumber": number,
            "total": len(entities),
            "pageCount": -(-len(entities) // size),
        }
    )


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"status": status, "code": code, "message": message}, status=status)


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[GenesysCloud]:
    """On a free port of this machine."""
    there = GenesysCloud()
    runner = web.AppRunner(there.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield there
    finally:
        await there.cut()
        await asyncio.sleep(0)
        await runner.cleanup()
