"""`POST /v1/sources/{id}` over a real socket, with a source that signs by a plain word."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import AnyEvent
from schemas.sources import SourceState
from schemas.vocabulary import Channel, Reason
from services.ingest.facts import Facts
from services.ingest.past import Take
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Spoiled, Translated, type_name
from tests.doubles.running_source import until
from tests.doubles.webhook_source import WebhookSource

AT_MS = 1_795_341_600_000
SOURCE = SourceConfig(id="brief/1", kind="chatwoot", site="paris")
SIGNED = {"x-word": "s3cret"}


class Brief:
    """Says that a contact exists for each `{"type": "new", "contact": …}`; remembers what it was told."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self.facts = Facts(source)
        self.secret = tools.secret
        self.recalled: list[str] = []
        self.is_going_on = False
        self.due_ms: int | None = None

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        word = request.headers.get("x-word")
        if word is None:
            return Unsigned.MISSING
        return None if word == self.secret else Unsigned.WRONG

    def take(self, request: Request, now_ms: int) -> Translated:
        try:
            told = json.loads(request.body)
        except ValueError as error:
            raise InvalidMessage("body: no JSON") from error
        if told["type"] != "new":
            return Translated(unknown=type(Translated().unknown)([type_name(told["type"])]))
        found = Translated()
        found.types["new"] += 1
        if "contact" not in told:
            found.spoiled.append(Spoiled.of(request.body, "new: contact: missing"))
            return found
        self.facts.received_ms = now_ms
        self.facts.created(told["contact"], told.get("at_ms", AT_MS), channel=Channel.CHAT)
        found.events = self.facts.take()
        return found

    def recall(self, event: AnyEvent) -> None:
        self.recalled.append(event.id)

    def go_on(self) -> None:
        self.is_going_on = True

    def due(self, now_ms: int) -> Translated:
        self.due_ms = None
        self.facts.received_ms = now_ms
        self.facts.ended("c1", now_ms, inferred=True)
        return Translated(events=self.facts.take())

    def next_due_ms(self) -> int | None:
        return self.due_ms


def new(contact: str = "c1", **more: object) -> bytes:
    return json.dumps({"type": "new", "contact": contact, **more}).encode()


@pytest.fixture
async def brief() -> AsyncIterator[WebhookSource]:
    served = WebhookSource(SOURCE, Brief, secret="s3cret", clock=lambda: AT_MS)
    async with served.running() as running:
        await until(lambda: running.report.status("i").state is SourceState.LISTENING)
        yield running


async def test_what_a_signed_webhook_tells_is_in_the_log_before_the_answer(brief: WebhookSource) -> None:
    status, body = await brief.post(new(), SIGNED)

    assert (status, body) == (202, {"accepted": 1, "rejected": [], "dropped": {}})
    assert [(event.id, event.source, event.site) for event in brief.log.events] == [
        ("c1/created", "brief/1", "paris")
    ]
    assert brief.value("vigie_events_total", outcome="accepted") == 1
    assert brief.value("vigie_webhooks_total", status="202") == 1


@pytest.mark.parametrize(
    ("headers", "reason"), [({}, "signature_missing"), ({"x-word": "guess"}, "signature_wrong")]
)
async def test_an_unsigned_one_is_refused_counted_and_said_once(
    brief: WebhookSource, headers: dict[str, str], reason: str
) -> None:
    with capture_logs() as logs:
        answers = [await brief.post(new(), headers) for _ in range(3)]

    assert {status for status, _ in answers} == {401}
    assert all(reason in body["detail"] for _, body in answers)
    assert brief.log.messages == []
    assert brief.value("vigie_webhooks_refused_total", reason=reason) == 3
    assert [entry["reason"] for entry in logs if entry["event"] == "webhook_refused"] == [reason]
    assert brief.report.status("i").unsigned == {reason: 3}


async def test_anybody_is_heard_where_the_settings_say_so_but_no_web_page() -> None:
    open_to_all = SourceConfig(id="brief/1", kind="chatwoot", allow_unsigned=True)
    async with WebhookSource(open_to_all, Brief).running() as brief:
        await until(lambda: brief.report.status("i").state is SourceState.LISTENING)
        status, _ = await brief.post(new())
        from_page, _ = await brief.post(new(), {"origin": "https://evil.example"})

    assert (status, from_page) == (202, 403)
    assert brief.report.status("i").is_open


async def test_a_body_that_cannot_be_read_is_400_and_a_dead_letter(brief: WebhookSource) -> None:
    status, body = await brief.post(b"{", SIGNED)

    assert status == 400
    assert body["rejected"] == [{"index": 0, "reason": "invalid", "detail": "body: no JSON"}]
    (letter,) = brief.log.letters
    assert (letter.source, letter.reason, letter.size) == ("brief/1", "invalid", 1)


async def test_a_known_type_that_says_too_little_is_a_dead_letter_and_not_sent_again(
    brief: WebhookSource,
) -> None:
    status, body = await brief.post(b'{"type": "new"}', SIGNED)

    assert (status, body["accepted"], len(body["rejected"])) == (202, 0, 1)
    assert [letter.detail for letter in brief.log.letters] == ["new: contact: missing"]
    status_now = brief.report.status("i")
    assert (status_now.dead_letters, status_now.letters) == (1, brief.log.letters)


async def test_an_unknown_type_is_counted_and_dropped(brief: WebhookSource) -> None:
    status, body = await brief.post(b'{"type": "later\\u0007"}', SIGNED)

    assert (status, body["dropped"]) == (202, {"unknown_type": 1})
    assert brief.log.messages == []
    assert brief.report.status("i").unknown == {"later\ufffd": 1}
    assert brief.value("vigie_events_total", outcome="unknown_type") == 1


async def test_an_instant_ahead_of_ours_is_a_dead_letter(brief: WebhookSource) -> None:
    _, body = await brief.post(new(at_ms=AT_MS + 301_000), SIGNED)

    assert [each["reason"] for each in body["rejected"]] == [Reason.FUTURE]
    assert brief.log.events == []


async def test_while_the_log_is_away_the_sender_is_told_to_come_back(brief: WebhookSource) -> None:
    brief.log.is_away = True
    status, _ = await brief.post(new(), SIGNED)
    brief.log.is_away = False
    again, _ = await brief.post(new(), SIGNED)

    assert (status, again) == (503, 202)
    assert [event.id for event in brief.log.events] == ["c1/created"]


async def test_a_body_above_its_limit_is_413_and_a_dead_letter(brief: WebhookSource) -> None:
    status, _ = await brief.post(b"x" * (1024 * 1024 + 1), SIGNED)
    await until(lambda: brief.log.letters)

    assert status == 413
    assert brief.log.letters[0].reason == Reason.TOO_LARGE
    assert brief.log.letters[0].source == "brief/1"


async def test_a_source_that_is_not_there_is_404(brief: WebhookSource) -> None:
    status, body = await brief.post(new(), SIGNED, path="/v1/sources/other")

    assert status == 404
    assert "[[sources]]" in body["detail"]


async def test_before_the_past_is_known_nobody_is_let_in_and_then_what_falls_due_is_told() -> None:
    may_go_on = asyncio.Event()
    made: list[Brief] = []

    async def past(take: Take) -> None:
        facts = Facts(SOURCE)
        facts.created("c0", AT_MS, channel=Channel.CHAT)
        for event in facts.take():
            take(event)
        await may_go_on.wait()

    def make(source: SourceConfig, tools: Tools) -> Brief:
        made.append(Brief(source, tools))
        return made[0]

    async with WebhookSource(SOURCE, make, secret="s3cret", past=past, clock=lambda: AT_MS).running() as it:
        early, _ = await it.post(new(), SIGNED)
        may_go_on.set()
        await until(lambda: it.report.status("i").state is SourceState.LISTENING)
        late, _ = await it.post(new(), SIGNED)
        made[0].due_ms = AT_MS
        await until(lambda: len(it.log.events) == 2)

    assert (early, late) == (503, 202)
    assert (made[0].recalled, made[0].is_going_on) == (["c0/created"], True)
    assert [event.id for event in it.log.events] == ["c1/created", "c1/ended"]
