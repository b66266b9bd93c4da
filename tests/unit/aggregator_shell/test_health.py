"""The aggregator's pages, asked over ASGI with the parts as they are before Kafka answers."""

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


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    registry = CollectorRegistry()
    worker = Worker(
        Settings(bootstrap="127.0.0.1:1", address="127.0.0.1:0", data=tmp_path),
        Config(),
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
