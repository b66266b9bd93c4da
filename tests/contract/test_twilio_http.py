"""Twilio's webhooks over a real socket: what is signed comes into the log, and nothing else does."""

import json
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from schemas.sources import SourceState
from services.ingest import sources
from services.ingest.adapters.twilio_taskrouter.connect import Receiver
from tests.doubles.running_source import until
from tests.doubles.twilio import CALLER, START_MS, Task, message, source
from tests.doubles.twilio_sender import TwilioSender
from tests.doubles.webhook_source import WebhookSource

TOKEN, OLD_TOKEN = "a new token", "the token before"
PUBLIC = "https://vigie.example.org"
URL = f"{PUBLIC}/v1/sources/flex"
CREATED = Task(1).told("created", 120)
ENTERED = Task(1).enter("Support", 1_200).entered


@pytest.fixture
async def hook() -> AsyncIterator[WebhookSource]:
    served = WebhookSource(
        source(public_url=PUBLIC),
        Receiver,
        secret=TOKEN,
        previous_secret=OLD_TOKEN,
        clock=lambda: START_MS + 60_000,
    )
    async with served.running() as running:
        await until(lambda: running.report.status("i").state is SourceState.LISTENING)
        yield running


@pytest.fixture
def twilio(hook: WebhookSource) -> TwilioSender:
    return TwilioSender(hook, token=TOKEN, url=URL)


def ids(hook: WebhookSource) -> list[str]:
    return [event.id for event in hook.log.events]


def test_the_kind_is_one_that_comes_to_us() -> None:
    adapter = sources.ADAPTERS["twilio_taskrouter"]

    assert (adapter.receiver, adapter.run) == (Receiver, None)


async def test_forms_event_streams_and_conversations_come_to_one_address(
    hook: WebhookSource, twilio: TwilioSender
) -> None:
    answers = [
        await twilio.form(CREATED.form),
        await twilio.json(json.dumps([CREATED.event, ENTERED.event]).encode()),
        await twilio.json(ENTERED.json),
        await twilio.form(message(1, 2_000, author="system")),
    ]

    assert [(status, body["accepted"]) for status, body in answers] == [
        (202, 1),
        (202, 2),
        (202, 1),
        (202, 1),
    ]
    created, entered = ids(hook)[0], ids(hook)[2]
    assert ids(hook)[:4] == [created, created, entered, entered]
    assert hook.value("vigie_webhooks_total", status="202") == 4
    assert CALLER not in str(hook.log.messages)


async def test_the_token_before_is_still_good(hook: WebhookSource) -> None:
    status, _ = await TwilioSender(hook, token=OLD_TOKEN, url=URL).form(CREATED.form)

    assert (status, len(ids(hook))) == (202, 1)


@pytest.mark.parametrize("way", ["form", "json"])
@pytest.mark.parametrize(
    ("token", "url", "headers", "reason"),
    [
        ("another", URL, {}, "signature_wrong"),
        ("", URL, {}, "signature_wrong"),
        (TOKEN, "https://elsewhere.example.org/v1/sources/flex", {}, "signature_wrong"),
        (TOKEN, URL, {"x-twilio-signature": ""}, "signature_missing"),
        (TOKEN, URL, {"x-twilio-signature": "not base64"}, "signature_malformed"),
    ],
)
async def test_what_is_not_signed_with_the_token_for_this_address_is_refused_and_said_once(
    hook: WebhookSource, way: str, token: str, url: str, headers: dict[str, str], reason: str
) -> None:
    sender = TwilioSender(hook, token=token, url=url)
    with capture_logs() as logs:
        for _ in range(2):
            if way == "form":
                status, body = await sender.form(CREATED.form, headers)
            else:
                status, body = await sender.json(CREATED.json, headers)
            assert (status, reason in body["detail"]) == (401, True)

    assert hook.log.messages == []
    assert hook.value("vigie_webhooks_refused_total", reason=reason) == 2
    assert [entry["reason"] for entry in logs if entry["event"] == "webhook_refused"] == [reason]
    assert TOKEN not in str(logs)


async def test_a_body_that_was_altered_on_its_way_is_refused(
    hook: WebhookSource, twilio: TwilioSender
) -> None:
    reordered = json.dumps(dict(reversed(CREATED.event.items()))).encode()
    answers = [
        await twilio.form(CREATED.form.replace(b"voice", b"video"), signed=CREATED.form),
        await twilio.form(CREATED.form + b"&More=1", signed=CREATED.form),
        await twilio.json(CREATED.json + b"\n", signed=CREATED.json),
        await twilio.json(reordered, signed=CREATED.json),
        await twilio.form(CREATED.form, {"content-type": "application/json"}),
        await twilio.json(CREATED.json, {"content-type": "text/plain"}, signed=b""),
    ]

    assert [status for status, _ in answers] == [401] * 6
    assert hook.log.messages == []


@pytest.mark.parametrize("body", [b"{", b"[{},", b"\xff"])
async def test_a_signed_body_that_is_no_json_is_400_and_a_dead_letter(
    hook: WebhookSource, twilio: TwilioSender, body: bytes
) -> None:
    status, answer = await twilio.json(body)

    assert (status, [each["detail"] for each in answer["rejected"]]) == (400, ["body: no JSON"])
    assert [letter.detail for letter in hook.log.letters] == ["body: no JSON"]


async def test_what_says_too_little_is_a_dead_letter_and_not_sent_again(
    hook: WebhookSource, twilio: TwilioSender
) -> None:
    broken = Task(1).told("created", 120, TaskSid="")
    status, answer = await twilio.json(json.dumps([broken.event, ENTERED.event]).encode())

    assert (status, answer["accepted"], len(answer["rejected"])) == (202, 1, 1)
    assert [letter.detail for letter in hook.log.letters] == ["task.created: task_sid: missing"]


async def test_an_event_of_another_product_is_counted_and_dropped(
    hook: WebhookSource, twilio: TwilioSender
) -> None:
    status, answer = await twilio.json(b'[{"type": "com.twilio.messaging.message.sent", "data": {}}]')

    assert (status, answer["dropped"]) == (202, {"unknown_type": 1})
    assert hook.report.status("i").unknown == {"com.twilio.messaging.message.sent": 1}


async def test_while_the_log_is_away_twilio_is_told_to_come_back_and_the_repeat_is_taken(
    hook: WebhookSource, twilio: TwilioSender
) -> None:
    hook.log.is_away = True
    away = [await twilio.form(ENTERED.form), await twilio.json(ENTERED.json)]
    hook.log.is_away = False
    back = [await twilio.form(ENTERED.form), await twilio.json(ENTERED.json)]

    assert [status for status, _ in away + back] == [503, 503, 202, 202]
    assert len(set(ids(hook))) == 1


async def test_without_a_public_address_that_of_the_request_is_taken() -> None:
    served = WebhookSource(source(), Receiver, secret=TOKEN, clock=lambda: START_MS + 60_000)
    async with served.running() as hook:
        await until(lambda: hook.report.status("i").state is SourceState.LISTENING)
        twilio = TwilioSender(hook, token=TOKEN, url=URL)
        as_signed, _ = await twilio.form(CREATED.form, {"host": "vigie.example.org"})
        elsewhere, _ = await twilio.form(CREATED.form, {"host": "10.0.0.7:8081"})

    assert (as_signed, elsewhere) == (202, 401)


async def test_without_a_token_nothing_is_taken_not_even_what_an_empty_one_signed() -> None:
    served = WebhookSource(source(public_url=PUBLIC), Receiver, clock=lambda: START_MS + 60_000)
    async with served.running() as hook:
        await until(lambda: hook.report.status("i").state is SourceState.LISTENING)
        status, _ = await TwilioSender(hook, token="", url=URL).form(CREATED.form)

    assert (status, hook.log.messages) == (401, [])
