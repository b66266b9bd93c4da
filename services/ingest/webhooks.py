"""The shell around receivers: a webhook comes in, is held to its signature, translated, and stored."""

import asyncio
from typing import NoReturn
from urllib.parse import quote

from schemas.board import DeadLetter
from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.vocabulary import Reason
from services.ingest.handover import hand_over, messages_of
from services.ingest.intake import Rejected
from services.ingest.metrics import Metrics
from services.ingest.posting import Answer, Body, Endpoint, Known, Log, RawHeaders, refused
from services.ingest.publisher import Message
from services.ingest.receiving import Receiver, Remembering, Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Spoiled, Translated

PATH = "/v1/sources/"
LOOK_S = 0.25
"""How often what is due is looked for."""


def path_of(source: SourceConfig) -> str:
    """Where the source's webhooks arrive, as it stands in a URL."""
    return PATH + quote(source.id, safe="/~")


class Hook:
    """A source that comes to us: its receiver, and whether that knows what was told before."""

    def __init__(self, source: SourceConfig, receiver: Receiver, tools: Tools) -> None:
        self.receiver = receiver
        self._source = source
        self._tools = tools
        self._ready = asyncio.Event()

    def endpoint(self, *, publisher: Log, metrics: Metrics) -> Endpoint:
        """Where its webhooks arrive, as an ASGI application."""
        taker = WebhookTaker(
            self._source,
            self.receiver,
            publisher=publisher,
            metrics=metrics,
            tools=self._tools,
            ready=self._ready,
        )
        return Endpoint(taker, publisher=publisher, clock=self._tools.clock)

    async def attend(self) -> NoReturn:
        """Reads back what was told before, then lets requests in, and hands on what falls due."""
        receiver, tools = self.receiver, self._tools
        if isinstance(receiver, Remembering):
            await tools.recall(receiver.recall)
            receiver.go_on()
        self._ready.set()
        tools.report.listening()
        while True:
            await asyncio.sleep(LOOK_S)
            if isinstance(receiver, Remembering):
                await self._look_at_the_clock(receiver)

    async def _look_at_the_clock(self, receiver: Remembering) -> None:
        due_ms = receiver.next_due_ms()
        if due_ms is not None and due_ms <= self._tools.clock():
            due = receiver.due(self._tools.clock())
            await hand_over(due, put=self._tools.put, report=self._tools.report, clock=self._tools.clock)


class WebhookTaker:
    """Takes the webhooks of one source. `ready`: what was told before is known."""

    def __init__(
        self,
        source: SourceConfig,
        receiver: Receiver,
        *,
        publisher: Log,
        metrics: Metrics,
        tools: Tools,
        ready: asyncio.Event,
    ) -> None:
        self._source = source
        self._receiver = receiver
        self._publisher = publisher
        self._metrics = metrics
        self._report = tools.report
        self._clock = tools.clock
        self._ready = ready
        self._path = path_of(source)

    def refuse(self, headers: RawHeaders, known: Known) -> Answer | None:
        if self._source.allow_unsigned and b"origin" in known:
            self._report.unsigned(Unsigned.OTHER_ORIGIN)
            return refused(403, "a web page may not post here")
        if not self._ready.is_set():
            return refused(503, "starting; send it again", retry_after_s=1)
        return None

    async def take(self, headers: RawHeaders, known: Known, body: bytes, query: bytes) -> Answer:
        request = Request(
            path=self._path,
            query=query.decode("latin-1"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers},
            body=body,
        )
        now_ms = self._clock()
        if not self._source.allow_unsigned:
            unsigned = self._receiver.verify(request, now_ms)
            if unsigned is not None:
                self._report.unsigned(unsigned)
                return refused(401, f"{unsigned}: compare the secret with that of the sender")
        try:
            translated = self._receiver.take(request, now_ms)
        except InvalidMessage as error:
            translated = Translated(spoiled=[Spoiled.of(body, error.detail)])
        return await self._store(translated, now_ms)

    async def _store(self, translated: Translated, now_ms: int) -> Answer:
        messages = messages_of(translated, report=self._report, now_ms=now_ms)
        await self._publisher.send(messages)
        self._report.handed_on(messages)
        answer = _answer(translated, messages)
        self._metrics.count(self._source.id, Reason.ACCEPTED, answer.body.accepted)
        return answer

    def too_large(self) -> tuple[str | None, str | None]:
        self._report.count(Reason.TOO_LARGE)
        return self._source.id, self._source.site

    def answered(self, status: int, seconds: float) -> None:
        self._metrics.webhook_answered(self._source.id, status, seconds)


def _answer(translated: Translated, messages: list[Message]) -> Answer:
    """202 where anything of it was of use, or known to be of none; 400 where nothing could be read."""
    letters = [message for message in messages if isinstance(message, DeadLetter)]
    accepted = len(messages) - len(letters)
    dropped = dict(translated.dropped)
    if unknown := translated.unknown.total():
        dropped[Reason.UNKNOWN_TYPE] = unknown
    is_of_no_use = bool(letters) and not accepted and not dropped and not translated.types
    return Answer(
        status=400 if is_of_no_use else 202,
        body=Body(
            accepted=accepted,
            rejected=[
                Rejected(index=i, reason=Reason(letter.reason), detail=letter.detail)
                for i, letter in enumerate(letters)
            ],
            dropped={str(reason): n for reason, n in dropped.items()},
        ),
    )
