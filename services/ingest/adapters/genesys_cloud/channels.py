"""Notification channels: made, subscribed and connected; each is read until it ends.

https://developer.genesys.cloud/notificationsalerts/notifications/notifications-apis
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
from msgspec import Struct

from services.ingest.adapters.genesys_cloud.api import Api, TooMuch, missing, permissions_in
from services.ingest.adapters.genesys_cloud.pace import Pace
from services.ingest.fields import instant, text
from services.ingest.line import LoginRefused, Lost

MAX_FRAME = 16 * 1024 * 1024
"""Beyond, the protocol allows nothing but to close; smaller ones that are too large are only refused."""
CLOSE_S = 1.0


class Ended(Struct, frozen=True):
    """A channel says no more, and why."""

    reason: str


class Link:
    """A channel that is connected. What it says goes into `inbox`, which holds it back while that is full."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, inbox: "Inbox", expires_ms: int | None
    ) -> None:
        self.expires_ms = expires_ms
        self.is_left = False
        self.heard_s = time.monotonic()
        self.is_answered = True
        self._socket = socket
        self._inbox = inbox
        self._reading = asyncio.create_task(self._read())

    async def ping(self) -> None:
        """Raises `Lost`."""
        self.is_answered = False
        try:
            async with asyncio.timeout(CLOSE_S * 10):
                await self._socket.send_str('{"message":"ping"}')
        except (OSError, TimeoutError, aiohttp.ClientError, RuntimeError) as error:
            raise Lost("the channel was lost while sending a ping") from error

    async def leave(self, after_s: float = 0.0) -> None:
        """Reads on so long, then closes. Never raises, never waits long after that."""
        self.is_left = True
        await asyncio.sleep(after_s)
        self._reading.cancel()
        with contextlib.suppress(Exception):  # it may be closed, half open, or in the midst of either
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            self.heard_s = time.monotonic()
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                data = message.data
                await self._inbox.put((self, data.encode() if isinstance(data, str) else bytes(data)))
                self.heard_s = time.monotonic()  # while it was held back nothing could be heard
        code = self._socket.close_code
        error = self._socket.exception()
        said = f"code {code}" if error is None else type(error).__name__
        await self._inbox.put((self, Ended(f"Genesys Cloud closed the notification channel ({said})")))


Inbox = asyncio.Queue[tuple[Link, bytes | Ended]]


class Opened(Struct, frozen=True):
    """`rejected`: topics that may not be heard; `permissions`: what is missing for them."""

    links: list[Link]
    rejected: list[str]
    permissions: list[str]


async def open_all(
    api: Api, http: aiohttp.ClientSession, topics: Sequence[str], *, inbox: Inbox, pace: Pace
) -> Opened:
    """As many channels as the topics need. Raises `Lost`, `LoginRefused`; then none is left open."""
    links: list[Link] = []
    rejected: list[str] = []
    permissions: list[str] = []
    waiting = [list(topics[i : i + pace.most_topics]) for i in range(0, len(topics), pace.most_topics)]
    try:
        while waiting:
            if len(links) + len(waiting) > pace.most_channels:
                raise LoginRefused(_too_many(topics, pace))
            part = waiting.pop(0)
            channel = await api.post("/api/v2/notifications/channels", None)
            try:
                answer = await _subscribe(api, text(channel.get("id")) or "", part)
            except TooMuch as error:
                if len(part) == 1:
                    raise LoginRefused(f"Genesys Cloud takes no topic {part[0]}: compare topics") from error
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
                continue
            rejected += [topic for topic, _ in answer]
            permissions += [each for _, several in answer for each in several]
            if len(rejected) == len(topics):
                raise LoginRefused(missing(permissions))
            links.append(await _connect(http, channel, inbox=inbox, pace=pace))
    except BaseException:
        await asyncio.gather(*(link.leave() for link in links))
        raise
    return Opened(links, rejected, permissions)


async def _subscribe(api: Api, channel: str, topics: list[str]) -> list[tuple[str, list[str]]]:
    """The topics that are rejected, each with the permissions that are missing. Raises `TooMuch`."""
    path = f"/api/v2/notifications/channels/{channel}/subscriptions"
    answer = await api.put(path, [{"id": topic} for topic in topics], params={"ignoreErrors": "true"})
    entities = answer.get("entities")
    return [
        (text(each.get("id")) or "?", _lacking(each))
        for each in (entities if isinstance(entities, list) else [])
        if isinstance(each, dict) and each.get("state") == "Rejected"
    ]


def _lacking(topic: dict[str, Any]) -> list[str]:
    told = topic.get("missingPermissions")
    found = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
    return found or permissions_in(text(topic.get("rejectionReason")))


async def _connect(http: aiohttp.ClientSession, channel: Any, *, inbox: Inbox, pace: Pace) -> Link:
    uri = text(channel.get("connectUri"))
    if uri is None or not uri.startswith(("wss://", "ws://")):
        raise Lost("Genesys Cloud made a channel without a connectUri")
    try:
        async with asyncio.timeout(pace.connect_s):
            socket = await http.ws_connect(uri, max_msg_size=MAX_FRAME, autoping=True)
    except TimeoutError as error:
        raise Lost("the notification channel does not answer") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Lost(f"the notification channel cannot be connected ({type(error).__name__})") from error
    return Link(socket, inbox, instant(channel.get("expires")))


def _too_many(topics: Sequence[str], pace: Pace) -> str:
    return (
        f"{len(topics)} topics need more than {pace.most_channels} notification channels: name fewer queues "
        "in queues, or the topics themselves in topics, or give a part of the queues to another [[sources]] "
        "with an OAuth client of its own"
    )


def is_pong(frame: bytes) -> bool:
    """Whether the channel answers a ping."""
    return len(frame) < 500 and b"pong" in frame and _message(frame) == "pong"


def is_closing(frame: bytes) -> bool:
    """Whether Genesys Cloud says that it is about to close the channel."""
    return b"v2.system.socket_closing" in frame[:200]


def _message(frame: bytes) -> str | None:
    try:
        told = json.loads(frame)
    except ValueError:
        return None
    body = told.get("eventBody", told) if isinstance(told, dict) else None
    return text(body.get("message")) if isinstance(body, dict) else None
