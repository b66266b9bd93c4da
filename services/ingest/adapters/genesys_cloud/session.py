"""One connection: channels, what they say, a look at what is open, until it is lost. Pure rules elsewhere.

The next channels are opened, subscribed and connected before the old ones are left, which are read a
little longer: what comes twice is known (`told.py`). Reconnecting after a loss is `connect.py`'s.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import aiohttp
import structlog
from msgspec import Struct

from schemas.config import SourceConfig
from services.ingest.adapters.genesys_cloud import listing
from services.ingest.adapters.genesys_cloud.api import Api
from services.ingest.adapters.genesys_cloud.channels import (
    Ended,
    Inbox,
    Link,
    Opened,
    is_closing,
    is_pong,
    open_all,
)
from services.ingest.adapters.genesys_cloud.listing import Plan
from services.ingest.adapters.genesys_cloud.pace import Pace
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.fields import Object, text
from services.ingest.handover import hand_over
from services.ingest.line import Lost
from services.ingest.tools import Tools
from services.ingest.translated import Spoiled, Translated

INBOX = 5_000
"""Frames that wait for their turn; then nothing more is read, and Genesys Cloud's socket is held back."""
FRAME_BYTES = 1024 * 1024
BATCH = 200
SHOWN_QUEUES = 50

log = structlog.get_logger()


class Look(Struct, frozen=True):
    """What Genesys Cloud says is so. `gone`: open here, and not there."""

    plan: Plan
    users: list[Object]
    conversations: list[Object]
    gone: list[str]


class Session:
    """`run` ends only by raising `Lost`."""

    def __init__(
        self,
        source: SourceConfig,
        tools: Tools,
        *,
        http: aiohttp.ClientSession,
        translator: Translator,
        pace: Pace,
    ) -> None:
        self._source = source
        self._tools = tools
        self._http = http
        self._api = Api(http, source, tools.secret, pace)
        self._translator = translator
        self._pace = pace
        self._inbox: Inbox = asyncio.Queue(INBOX)
        self._plan = Plan({}, frozenset(), {}, ())
        self._since_ms = translator.heard_ms()
        self._is_whole = False
        self._links: list[Link] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[Opened] | None = None
        self._looking: asyncio.Task[Look] | None = None
        self._renew_s = self._ping_s = self._look_s = 0.0

    async def run(self) -> None:
        await self._api.renew()
        self._plan = await listing.plan(self._api, self._source)
        self._translator.watch(self._plan.names)
        if not self._plan.topics:
            raise Lost("the OAuth client sees no queue: give its role the divisions of the queues")
        opened = await open_all(self._api, self._http, self._plan.topics, inbox=self._inbox, pace=self._pace)
        self._use(opened)
        self._say_once(opened)
        while True:
            await self._hear()
            await self._look_at_the_clock()

    async def close(self) -> None:
        """Leaves everything. Never raises, never waits long."""
        for task in (self._opening, self._looking):
            await _cancelled(task)
        if self._opening is not None and not self._opening.cancelled() and self._opening.exception() is None:
            self._links += self._opening.result().links
        for leaving in self._leaving:
            leaving.cancel()
        await asyncio.gather(*(link.leave() for link in self._links))

    # --- what is said ---

    async def _hear(self) -> None:
        """What has come by now, at most one tick later."""
        frames: list[tuple[Link, bytes | Ended]] = []
        try:
            async with asyncio.timeout(self._pace.tick_s):
                frames.append(await self._inbox.get())
        except TimeoutError:
            return
        while len(frames) < BATCH and not self._inbox.empty():
            frames.append(self._inbox.get_nowait())
        now_ms, found, ended = self._tools.clock(), Translated(), ""
        for link, frame in frames:
            if isinstance(frame, Ended):
                ended = ended or ("" if link.is_left else frame.reason)
            elif is_pong(frame):
                link.is_answered = True
            elif len(frame) > FRAME_BYTES:
                detail = f"larger than {FRAME_BYTES >> 20} MiB"
                found.spoiled.append(Spoiled.of(frame, detail, is_too_large=True))
            else:
                if is_closing(frame) and not link.is_left:
                    self._renew_s = 0.0
                found.add(self._translator.take_any(frame, now_ms))
        await self._hand_on(found)
        if ended:
            raise Lost(ended)

    async def _hand_on(self, found: Translated) -> None:
        start_s = time.monotonic()
        tools = self._tools
        await hand_over(found, put=tools.put, report=tools.report, clock=tools.clock)
        held_s = time.monotonic() - start_s
        for link in self._links:  # while the buffer was full nothing was read: that is not their silence
            link.heard_s += held_s

    # --- what is due ---

    async def _look_at_the_clock(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._ping_s:
            await self._ping(now_s)
        for link in self._links:
            if now_s - link.heard_s > self._pace.pong_s and self._inbox.empty():
                raise Lost(f"nothing heard, no pong, for {self._pace.pong_s:g} s: the channel is half open")
        await self._renew(now_s)
        await self._look(now_s)

    async def _ping(self, now_s: float) -> None:
        """A heartbeat is told once all channels have answered the ping before."""
        if self._is_whole and self._ping_s and all(link.is_answered for link in self._links):
            await self._hand_on(self._translator.heartbeat(self._tools.clock()))
        for link in self._links:
            await link.ping()
        self._ping_s = now_s + self._pace.ping_s

    async def _renew(self, now_s: float) -> None:
        """The next channels, with a new token, before the old ones end."""
        if self._opening is None:
            if now_s >= self._renew_s:
                self._opening = asyncio.create_task(self._open_next())
            return
        if not self._opening.done():
            return
        opening, self._opening = self._opening, None
        try:
            opened = opening.result()
        except Lost as lost:
            log.warning("source_not_renewed", source=self._source.id, reason=lost.reason)
            self._renew_s = now_s + self._pace.retry_s
            return
        for link in self._links:
            leaving = asyncio.create_task(link.leave(self._pace.overlap_s))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        self._use(opened)

    async def _open_next(self) -> Opened:
        await self._api.renew()
        return await open_all(self._api, self._http, self._plan.topics, inbox=self._inbox, pace=self._pace)

    def _use(self, opened: Opened) -> None:
        self._links = opened.links
        now_ms, pace = self._tools.clock(), self._pace
        ends = [self._api.token_left_s, *(_left_s(link, now_ms) for link in opened.links)]
        life_s = min(pace.life_s, max(min(ends) - pace.early_s, min(ends) / 2))
        self._renew_s = time.monotonic() + max(life_s, pace.tick_s)
        self._ping_s = 0.0

    async def _look(self, now_s: float) -> None:
        if self._looking is None:
            if now_s >= self._look_s:
                self._looking = asyncio.create_task(self._ask())
            return
        if not self._looking.done():
            return
        looking, self._looking = self._looking, None
        self._look_s = time.monotonic() + (self._pace.refresh_s if self._is_whole else self._pace.settle_s)
        try:
            look = looking.result()
        except Lost as lost:
            if not self._is_whole:
                raise
            log.warning("source_not_looked_at", source=self._source.id, reason=lost.reason)
            return
        await self._apply(look)
        self._is_whole = True
        self._tools.report.up()

    async def _apply(self, look: Look) -> None:
        now_ms, translator = self._tools.clock(), self._translator
        if look.plan.topics != self._plan.topics:
            self._renew_s = 0.0
        self._plan = look.plan
        translator.watch(look.plan.names)
        found = translator.snapshot(look.conversations, now_ms)
        found.add(translator.users(look.users, look.plan.activated, now_ms))
        found.add(translator.gone(look.gone, now_ms))
        await self._hand_on(found)

    async def _ask(self) -> Look:
        """Raises `Lost`."""
        api, asked_ms = self._api, self._tools.clock()
        plan = await listing.plan(api, self._source) if self._is_whole else self._plan
        users = [each async for each in listing.users(api, plan.users)]
        found = {_id(each): each async for each in listing.open_conversations(api, asked_ms)}
        if not self._is_whole and self._since_ms:
            async for each in listing.conversations_since(api, self._since_ms, asked_ms):
                found[_id(each)] = each
        before_ms = asked_ms - round(self._pace.settle_s * 1000)
        unseen = [
            each for each in self._translator.open_contacts(heard_before_ms=before_ms) if each not in found
        ]
        over = {_id(each): each async for each in listing.conversations(api, unseen)}
        gone = [each for each in unseen if each not in over or "conversationEnd" in over[each]]
        return Look(plan, users, [*found.values(), *over.values()], gone)

    def _say_once(self, opened: Opened) -> None:
        """What whoever sets it up needs to know, at the start of a connection."""
        unnamed = {
            number: name for number, name in self._plan.names.items() if number not in self._source.map
        }
        if unnamed and not self._translator.heard_ms():
            shown = [f"{name} = {number}" for number, name in list(unnamed.items())[:SHOWN_QUEUES]]
            log.info("genesys_queues_not_in_map", source=self._source.id, queues=shown, count=len(unnamed))
        if opened.rejected:
            log.warning(
                "genesys_topics_rejected",
                source=self._source.id,
                count=len(opened.rejected),
                first=opened.rejected[0],
                missing=sorted(set(opened.permissions)),
            )


def _id(conversation: Object) -> str:
    return text(conversation.get("conversationId")) or ""


def _left_s(link: Link, now_ms: int) -> float:
    return (link.expires_ms - now_ms) / 1000 if link.expires_ms is not None else float("inf")


async def _cancelled(task: Awaitable[Any] | None) -> None:
    if isinstance(task, asyncio.Task):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
