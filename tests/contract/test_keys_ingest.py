"""Keys at ingest over real HTTP: who may write events, of which sites. INTERFACE.md §4, SEMANTICS.md §10."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.ingest.admission import Admission
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.runtime.keys import Keyring
from services.runtime.process import serve
from tests.doubles.event_log import MemoryLog
from tests.doubles.keys import AUTH, BOARD, BOARD_PARIS, INGEST, INGEST_PARIS, OPERATOR, bearing
from tests.doubles.served import free_port, until_listening
from tests.unit.ingest.posts import NOW_MS, PSEUDONYMS, body, entered

BATCH = {"content-type": "application/cloudevents-batch+json"}
HERE, THERE = entered(id="here"), entered(id="there", site="lyon")
NOWHERE, BROKEN = entered(id="nowhere", site="rome"), entered(id="broken", data={})


class Ingest:
    """Ingest's HTTP around a log in memory, with keys; it is told that it listens on `address`."""

    def __init__(self, address: str = "127.0.0.1:8081") -> None:
        self.log = MemoryLog()
        self.app = create_app(
            publisher=self.log,
            door=Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset({"paris", "lyon"}))),
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: NOW_MS,
            keys=Keyring(AUTH.keys),
            address=address,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Ingest"]:
        stop = asyncio.Event()
        address = f"127.0.0.1:{free_port()}"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(self.app, address, stop))
            await until_listening(address)
            try:
                async with httpx.AsyncClient(base_url=f"http://{address}") as self.http:
                    yield self
            finally:
                stop.set()

    async def post(self, key: str | None, *events: Any) -> tuple[int, dict[str, Any]]:
        answer = await self.http.post("/v1/events", content=body(list(events)), headers=BATCH | bearing(key))
        return answer.status_code, answer.json()


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with Ingest().running() as served:
        yield served


async def test_events_are_taken_with_a_key_for_them_and_no_other(ingest: Ingest) -> None:
    for key, status in (
        (None, 401),
        ("vigie_unknown", 401),
        (BOARD, 403),
        (OPERATOR, 403),
        (INGEST, 202),
    ):
        assert (await ingest.post(key, HERE))[0] == status, key
    assert [event.id for event in ingest.log.events] == ["here"]


async def test_a_refusal_says_what_is_needed_and_reads_nothing(ingest: Ingest) -> None:
    answer = await ingest.http.post("/v1/events", content=b"{", headers=BATCH)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="vigie"')
    assert answer.json() == {
        "accepted": 0,
        "rejected": [],
        "detail": "a key is needed: Authorization: Bearer KEY",
    }
    assert ingest.log.messages == []


async def test_events_of_other_sites_are_refused_one_by_one(ingest: Ingest) -> None:
    status, answer = await ingest.post(INGEST_PARIS, HERE, THERE, NOWHERE, BROKEN)

    assert (status, answer["accepted"]) == (202, 1)
    assert [(line["index"], line["reason"]) for line in answer["rejected"]] == [
        (1, "not_allowed"),
        (2, "not_allowed"),  # whether there is such a site is not told
        (3, "invalid"),
    ]
    assert [event.id for event in ingest.log.events] == ["here"]
    assert [letter.reason for letter in ingest.log.letters] == ["invalid"]


async def test_403_when_every_entry_is_for_another_site(ingest: Ingest) -> None:
    status, answer = await ingest.post(INGEST_PARIS, THERE, NOWHERE)
    assert (status, answer["accepted"], len(answer["rejected"])) == (403, 0, 2)
    assert (await ingest.post(INGEST_PARIS, THERE, BROKEN))[0] == 400
    assert (await ingest.post(INGEST, NOWHERE))[0] == 400
    assert (await ingest.post(INGEST_PARIS))[0] == 202
    assert ingest.log.events == []


async def test_health_and_the_contract_stay_open(ingest: Ingest) -> None:
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert (await ingest.http.get(path)).status_code == 200, path


async def test_metrics_are_open_on_this_machine_and_count_refusals(ingest: Ingest) -> None:
    await ingest.post(None, HERE)
    await ingest.post(BOARD, HERE)
    await ingest.post(INGEST_PARIS, THERE)
    text = (await ingest.http.get("/metrics")).text

    assert 'vigie_requests_refused_total{reason="no_key"} 1.0' in text
    assert 'vigie_requests_refused_total{reason="unknown_key"} 0.0' in text
    assert 'vigie_requests_refused_total{reason="other_use"} 1.0' in text
    assert 'vigie_events_total{outcome="not_allowed",source="http"} 1.0' in text
    assert 'vigie_ingest_requests_total{status="401"} 1.0' in text
    assert 'vigie_ingest_requests_total{status="403"} 2.0' in text


async def test_metrics_need_a_key_where_others_can_ask() -> None:
    async with Ingest("0.0.0.0:8081").running() as ingest:
        found = {
            key: (await ingest.http.get("/metrics", headers=bearing(key))).status_code
            for key in (None, "vigie_unknown", INGEST, BOARD_PARIS, BOARD, OPERATOR)
        }
    assert found == {
        None: 401,
        "vigie_unknown": 401,
        INGEST: 403,
        BOARD_PARIS: 403,
        BOARD: 200,
        OPERATOR: 200,
    }
