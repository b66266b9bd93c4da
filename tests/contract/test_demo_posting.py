"""The demo's way to ingest, over real HTTP: nothing lost, nothing twice, whatever ingest answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from schemas.errors import Misconfigured
from services.cli.demo.__main__ import Show, _parse, heartbeat, play
from services.cli.demo.post import BATCH, Poster
from services.cli.demo.timeline import CloudEvent
from services.runtime.clock import now_ms


class ScriptedIngest:
    """Answers with the statuses it was given, one after the other, then 202; keeps what it took."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[list[CloudEvent]] = []
        self.tries: list[list[CloudEvent]] = []

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/cloudevents-batch+json"
        events = msgspec.json.decode(await request.read(), type=list[CloudEvent])
        self.tries.append(events)
        status = self.statuses.pop(0) if self.statuses else 202
        if status == 202:
            self.bodies.append(events)
            return web.json_response({"accepted": len(events), "rejected": []}, status=202)
        return web.json_response({}, status=status, headers={"Retry-After": "0"})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Poster]:
        app = web.Application(client_max_size=2**20)
        app.router.add_post("/v1/events", self.take)
        app.router.add_get("/health/ready", self.ready)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Poster(session, f"http://127.0.0.1:{runner.addresses[0][1]}/")
        finally:
            await runner.cleanup()

    async def ready(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ready"})

    def ids(self) -> list[str]:
        return [event.id for body in self.bodies for event in body]


def events(count: int) -> list[CloudEvent]:
    return [heartbeat("lyon", number) for number in range(count)]


async def test_large_pasts_go_in_batches_in_their_order() -> None:
    ingest = ScriptedIngest()
    async with ingest.running() as poster:
        await poster.deliver(events(2 * BATCH + 1), asyncio.Event())
    assert [len(body) for body in ingest.bodies] == [BATCH, BATCH, 1]
    assert ingest.ids() == [event.id for event in events(2 * BATCH + 1)]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_same_batch_is_sent_until_it_is_taken(status: int) -> None:
    ingest = ScriptedIngest(status, 202, status, status)
    async with ingest.running() as poster:
        await poster.deliver(events(BATCH + 7), asyncio.Event())
    assert ingest.ids() == [event.id for event in events(BATCH + 7)]
    assert len(ingest.tries) == 5


@pytest.mark.parametrize("status", [401, 403, 404, 413, 415])
async def test_what_will_never_be_taken_is_not_sent_again(status: int) -> None:
    ingest = ScriptedIngest(status)
    async with ingest.running() as poster:
        with pytest.raises(Misconfigured, match=str(status)):
            await poster.deliver(events(3), asyncio.Event())
    assert len(ingest.tries) == 1


def test_the_centre_shows_the_key_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("vigie_abc")

    assert _parse(["--key-file", str(file)]).headers == {"Authorization": "Bearer vigie_abc"}
    with pytest.raises(SystemExit) as ended:
        _parse(["--key-file", str(tmp_path / "none")])
    assert ended.value.code == 2


async def test_stop_ends_the_waiting_for_an_ingest_that_is_away() -> None:
    stop = asyncio.Event()
    ingest = ScriptedIngest(*[503] * 1000)
    async with ingest.running() as poster:
        task = asyncio.create_task(poster.deliver(events(1), stop))
        while not ingest.tries:  # noqa: ASYNC110  # the server's list cannot wake us
            await asyncio.sleep(0.01)
        stop.set()
        async with asyncio.timeout(20):
            await task
    assert ingest.bodies == []


async def test_show_sends_its_past_then_lives_and_closes_when_told() -> None:
    stop = asyncio.Event()
    ingest = ScriptedIngest(503)
    show = Show(ingest="", rate=4, seed=1, site="lyon", start_ms=now_ms())
    async with ingest.running() as poster:
        task = asyncio.create_task(play(show, poster, stop))
        while not any(id.startswith("heartbeat") for id in ingest.ids()):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
        stop.set()
        async with asyncio.timeout(30):
            await task
    ids = ingest.ids()
    assert len(set(ids)) == len(ids) > 1000
    assert ingest.bodies[-1][-1].data["state"] == "offline"
