"""Chatwoot and Rocket.Chat over a real socket: signed and not, broken, repeated, the log away."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from schemas.config import SourceConfig
from schemas.sources import SourceState
from services.ingest.adapters.chatwoot import connect as chatwoot
from services.ingest.adapters.rocketchat import connect as rocketchat
from services.runtime.clock import now_ms
from tests.doubles.running_source import until
from tests.doubles.webhook_source import WebhookSource

DATA = Path(__file__).parents[1] / "data"
STORY = (DATA / "chatwoot" / "conversation_lifecycle.jsonl").read_bytes().splitlines()
SESSION = (DATA / "rocketchat" / "session.jsonl").read_bytes().splitlines()
TOKEN = {"x-rocketchat-livechat-token": "tok"}


def signed(body: bytes, *, secret: str = "now", at_s: int | None = None) -> Mapping[str, str]:
    at = str(now_ms() // 1000 if at_s is None else at_s)
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-chatwoot-signature": f"sha256={digest}", "x-chatwoot-timestamp": at}


@pytest.fixture
async def chat() -> AsyncIterator[WebhookSource]:
    source = SourceConfig(id="chat", kind="chatwoot", site="paris")
    it = WebhookSource(source, chatwoot.Receiver, secret="now", previous_secret="before")
    async with it.running():
        await until(lambda: it.report.status("i").state is SourceState.LISTENING)
        yield it


@pytest.fixture
async def rocket() -> AsyncIterator[WebhookSource]:
    source = SourceConfig(id="rc", kind="rocketchat", site="paris")
    it = WebhookSource(source, rocketchat.Receiver, secret="tok", previous_secret="old")
    async with it.running():
        await until(lambda: it.report.status("i").state is SourceState.LISTENING)
        yield it


async def test_a_conversation_is_taken_as_it_is_signed(chat: WebhookSource) -> None:
    for body in STORY:
        status, answer = await chat.post(body, signed(body))
        assert (status, answer["rejected"]) == (202, [])
    ids = [event.id for event in chat.log.events]

    assert len(set(ids)) == len(ids) - 2  # the second body repeats the first
    assert (await chat.post(STORY[-1], signed(STORY[-1], secret="before")))[0] == 202


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "signature_missing"),
        (signed(STORY[0], secret="guess"), "signature_wrong"),
        (signed(STORY[0] + b" "), "signature_wrong"),
        (signed(json.dumps(json.loads(STORY[0])).encode() + b"\n"), "signature_wrong"),
        (signed(STORY[0], at_s=now_ms() // 1000 - 301), "signature_old"),
    ],
)
async def test_what_is_not_signed_so_is_refused(
    chat: WebhookSource, headers: Mapping[str, str], reason: str
) -> None:
    status, answer = await chat.post(STORY[0], headers)

    assert status == 401
    assert reason in answer["detail"]
    assert chat.log.messages == []
    assert chat.value("vigie_webhooks_refused_total", reason=reason) == 1


async def test_a_body_that_is_none_is_400_and_a_dead_letter(chat: WebhookSource) -> None:
    assert (await chat.post(b"{", signed(b"{")))[0] == 400
    assert [letter.reason for letter in chat.log.letters] == ["invalid"]


async def test_while_the_log_is_away_it_is_sent_again_under_the_same_ids(chat: WebhookSource) -> None:
    chat.log.is_away = True
    away, _ = await chat.post(STORY[0], signed(STORY[0]))
    chat.log.is_away = False
    again, _ = await chat.post(STORY[0], signed(STORY[0]))

    assert (away, again) == (503, 202)
    assert [event.id for event in chat.log.events] == ["2/77/created", "2/77/first/entered"]


async def test_rocket_chat_shows_its_token_the_old_one_too(rocket: WebhookSource) -> None:
    for body in SESSION:
        assert (await rocket.post(body, TOKEN))[0] == 202
    old, _ = await rocket.post(SESSION[0], {"x-rocketchat-livechat-token": "old"})
    wrong, _ = await rocket.post(SESSION[0], {"x-rocketchat-livechat-token": "guess"})
    missing, _ = await rocket.post(SESSION[0])

    assert (old, wrong, missing) == (202, 401, 401)
    assert rocket.log.letters == []
