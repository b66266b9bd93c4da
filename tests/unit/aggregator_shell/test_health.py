"""The aggregator's pages, asked over ASGI with the parts as they are before Kafka answers."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from schemas.config import Config
from services.aggregator.holdings import Fetch
from services.aggregator.metrics import Metrics
from services.aggregator.settings import Settings
from services.aggregator.worker import Worker
from tests.doubles.counting_partition import CountingPartition
from tests.doubles.keys import AUTH, BOARD, BOARD_PARIS, INGEST, bearing


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(tmp_path, Config(), address="127.0.0.1:8082") as client:
        yield client


@contextlib.asynccontextmanager
async def asking(data: Path, config: Config, *, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the pages of a worker that listens on `address`, as it would be."""
    registry = CollectorRegistry()
    worker = Worker(
        Settings(kafka="127.0.0.1:1", address=address, data=data),
        config,
        make=CountingPartition,
        metrics=Metrics(registry, version="1.2.3"),
        registry=registry,
        hand_over=_nowhere,
        crash=_nobody,
    )
    transport = httpx.ASGITransport(app=worker.pages)
    async with httpx.AsyncClient(transport=transport, base_url="http://aggregator") as client:
        yield client
    await worker.close()


async def test_metrics_need_a_key_where_others_can_ask_and_health_does_not(tmp_path: Path) -> None:
    async with asking(tmp_path, Config(auth=AUTH), address="0.0.0.0:8082") as client:
        found = {
            key: (await client.get("/metrics", headers=bearing(key))).status_code
            for key in (None, INGEST, BOARD_PARIS, BOARD)
        }
        assert found == {None: 401, INGEST: 403, BOARD_PARIS: 403, BOARD: 200}
        assert (await client.get("/health/live")).status_code == 200
        text = (await client.get("/metrics", headers=bearing(BOARD))).text
        assert 'vigie_requests_refused_total{reason="other_use"} 1.0' in text


async def _nowhere(fetch: Fetch) -> None:
    raise AssertionError(f"nothing is fetched: {fetch}")


async def _nobody(error: BaseException) -> None:
    raise error


async def test_ready_says_what_is_missing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "missing": ["Kafka"], "partitions": []}


async def test_live_while_the_work_moves(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()["live"]) == (200, True)


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'vigie_build_info{service="aggregator",version="1.2.3"} 1.0' in answer.text
    assert 'vigie_events_total{outcome="accepted",source="http"} 0.0' in answer.text
