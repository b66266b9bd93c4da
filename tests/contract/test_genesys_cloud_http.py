"""What EventBridge posts, over a real socket: its key and its events; and which way a source is heard."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.config import SourceConfig
from schemas.events import AgentStateChanged
from schemas.sources import SourceState
from schemas.vocabulary import AgentState
from services.ingest import sources
from services.ingest.adapters.genesys_cloud.receiver import Receiver
from services.ingest.metrics import Metrics
from services.ingest.past import Take
from services.ingest.report import Report
from services.ingest.tools import Tools
from services.runtime.clock import now_ms
from tests.doubles.event_log import MemoryLog
from tests.doubles.genesys_calls import ADA, detail, event, presence, routing, source
from tests.doubles.running_source import PSEUDONYMS, until
from tests.doubles.webhook_source import WebhookSource

KEY, OLD_KEY = "a-key-of-ours", "the-key-before"
SIGNED = {"x-api-key": KEY}
ENTERED = detail("acd.start", 5)


def body(payload: Any) -> bytes:
    return json.dumps(payload).encode()


@pytest.fixture
async def there() -> AsyncIterator[WebhookSource]:
    served = WebhookSource(source(), Receiver, secret=KEY, previous_secret=OLD_KEY)
    async with served.running() as running:
        await until(lambda: running.report.status("i").state is SourceState.LISTENING)
        yield running


@pytest.mark.parametrize("headers", [SIGNED, {"x-api-key": OLD_KEY}, {"Authorization": f"Bearer {KEY}"}])
async def test_both_keys_are_good(there: WebhookSource, headers: dict[str, str]) -> None:
    assert await there.post(body(ENTERED), headers) == (
        202,
        {"accepted": 1, "rejected": [], "dropped": {}},
    )


@pytest.mark.parametrize(
    ("headers", "reason"), [({}, "signature_missing"), ({"x-api-key": "x"}, "signature_wrong")]
)
async def test_other_keys_are_refused(there: WebhookSource, headers: dict[str, str], reason: str) -> None:
    status, _ = await there.post(body(ENTERED), headers)

    assert (status, there.log.events) == (401, [])
    assert there.value("vigie_webhooks_refused_total", reason=reason) == 1


async def test_while_the_log_is_away_it_comes_again_and_is_told_again(there: WebhookSource) -> None:
    presence_ = event(f"v2.users.{ADA}.presence", {**presence("ON_QUEUE", 0), "primary": True})
    there.log.is_away = True
    status, _ = await there.post(body([ENTERED, presence_]), SIGNED)
    there.log.is_away = False
    again, _ = await there.post(body([ENTERED, presence_]), SIGNED)

    assert (status, again) == (503, 202)
    assert [type(each).__name__ for each in there.log.events] == ["QueueEntered", "AgentStateChanged"]


@pytest.mark.parametrize("raw", [b"not json", b"[", b"\xff\xfe"])
async def test_what_is_no_json_is_a_dead_letter(there: WebhookSource, raw: bytes) -> None:
    status, answer = await there.post(raw, SIGNED)

    assert status == 400
    assert [each["reason"] for each in answer["rejected"]] == ["invalid"]


async def test_the_other_half_of_a_state_is_read_back_from_the_log() -> None:
    told = AgentStateChanged(
        id=f"{ADA}/state/{1_709_283_500_000_000:016}/available",
        source="genesys",
        site="paris",
        occurred_ms=1_709_283_500_000,
        received_ms=0,
        agent="ada",
        state=AgentState.AVAILABLE,
    )

    async def past(take: Take) -> None:
        take(told)

    served = WebhookSource(source(), Receiver, secret=KEY, past=past)
    status = {"id": ADA, "routingStatus": routing("INTERACTING", 9)}
    async with served.running() as running:
        await until(lambda: running.report.status("i").state is SourceState.LISTENING)
        await running.post(body(event(f"v2.users.{ADA}.routingStatus", status)), SIGNED)

    (found,) = served.log.events
    assert isinstance(found, AgentStateChanged)
    assert (found.agent, found.state) == ("ada", AgentState.IN_CONTACT)


def hooked(config: SourceConfig) -> bool:
    metrics = Metrics(CollectorRegistry(), sources=[config.id])
    log = MemoryLog()
    tools = Tools(
        put=log.send,
        send=log.send,
        pseudonyms=PSEUDONYMS,
        report=Report(config, metrics=metrics, clock=now_ms),
        stop=asyncio.Event(),
        secret="s",
    )
    return sources.hook(config, tools) is not None


async def test_one_source_is_heard_one_way() -> None:
    """The secret of an OAuth client is no key that EventBridge may show."""
    ours, theirs = source(user="client"), source()

    assert sources.runner(ours) is not None
    assert not hooked(ours)
    assert sources.runner(theirs) is None
    assert hooked(theirs)
