"""`POST /v1/events` with Standard Webhooks signatures, over a real socket; their library signs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from standardwebhooks.webhooks import Webhook

from schemas.config import AuthConfig
from services.ingest.admission import Admission
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.ingest.standard_webhooks import Signer
from services.runtime.keys import keyring
from services.runtime.process import serve
from services.runtime.secrets import webhook_key
from tests.doubles.event_log import MemoryLog
from tests.doubles.keys import AUTH
from tests.doubles.served import free_port
from tests.unit.ingest.posts import NOW_MS, PSEUDONYMS, entered

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MEDIA = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class Ingest:
    """Source `shop` of site `paris` signs; `crm` does not."""

    def __init__(self, auth: AuthConfig | None = None) -> None:
        self.log = MemoryLog()
        self.metrics = Metrics(CollectorRegistry(), sources=["shop", "crm"])
        self.address = f"127.0.0.1:{free_port()}"
        self.app = create_app(
            publisher=self.log,
            door=Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset()), signing=frozenset({"shop"})),
            metrics=self.metrics,
            clock=lambda: NOW_MS,
            keys=keyring(auth),
            signers=[Signer("shop", "paris", [webhook_key(SECRET)])],
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Ingest"]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(self.app, self.address, stop))
            await asyncio.sleep(0)
            try:
                async with aiohttp.ClientSession(f"http://{self.address}") as self.http:
                    yield self
            finally:
                stop.set()

    async def post(
        self,
        posted: Any,
        *,
        secret: str | None = SECRET,
        media: str = MEDIA,
        at_ms: int = NOW_MS,
        spoil: str = "",
    ) -> tuple[int, dict[str, Any]]:
        body = json.dumps(posted)
        headers = {"content-type": media}
        if secret is not None:
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            signature = Webhook(secret).sign("msg_1", at, body)
            headers |= {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(at_ms // 1000),
                "webhook-signature": signature,
            }
        async with self.http.post("/v1/events", data=body + spoil, headers=headers) as answer:
            return answer.status, await answer.json()

    def refused(self, source: str, reason: str) -> float | None:
        labels = {"source": source, "reason": reason}
        return self.metrics.registry.get_sample_value("vigie_webhooks_refused_total", labels)


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with Ingest().running() as served:
        yield served


async def test_what_a_source_signs_is_taken(ingest: Ingest) -> None:
    assert (await ingest.post(entered()))[0] == 202
    assert (await ingest.post([entered(id="e2")], media=BATCH))[0] == 202
    assert [event.id for event in ingest.log.events] == ["e1", "e2"]


async def test_what_it_does_not_sign_is_refused_and_counted(ingest: Ingest) -> None:
    status, body = await ingest.post(entered(), secret=None)

    assert (status, body["accepted"]) == (401, 0)
    assert body["rejected"][0]["reason"] == "not_allowed"
    assert "webhook-signature" in body["rejected"][0]["detail"]
    assert ingest.refused("shop", "signature_missing") == 1
    assert ingest.log.messages == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"secret": "whsec_IDZaS93evvdKCd+zQkAv5l2Cw8rg8V5U"}, "signature_wrong"),
        ({"spoil": " "}, "signature_wrong"),
        ({"at_ms": NOW_MS - 301_000}, "signature_old"),
        ({"at_ms": NOW_MS + 302_000}, "signature_old"),
    ],
)
async def test_a_signature_that_is_none_is_401_by_its_reason(
    ingest: Ingest, how: dict[str, Any], reason: str
) -> None:
    status, body = await ingest.post(entered(), **how)

    assert status == 401
    assert reason in body["detail"]
    assert ingest.refused("http", reason) == 1
    assert ingest.log.messages == []


async def test_who_signs_speaks_in_its_own_name_and_for_its_own_site(ingest: Ingest) -> None:
    status, body = await ingest.post(
        [entered(source="crm", id="a"), entered(site="lyon", id="b"), entered(id="c")], media=BATCH
    )

    assert (status, body["accepted"]) == (202, 1)
    assert [(each["index"], each["reason"]) for each in body["rejected"]] == [
        (0, "not_allowed"),
        (1, "not_allowed"),
    ]
    assert (await ingest.post(entered(source="crm")))[0] == 403


async def test_sources_that_do_not_sign_post_as_before(ingest: Ingest) -> None:
    assert (await ingest.post(entered(source="crm"), secret=None))[0] == 202


async def test_where_keys_are_asked_for_a_signature_is_as_good() -> None:
    async with Ingest(AUTH).running() as ingest:
        signed, _ = await ingest.post(entered())
        neither, _ = await ingest.post(entered(source="crm"), secret=None)

    assert (signed, neither) == (202, 401)
