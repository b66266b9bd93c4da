"""`POST /v1/events` over a real socket: every answer of INTERFACE.md §4 and SEMANTICS.md §10.

Samples of the CloudEvents specification are sent as they stand there (HTTP binding 1.0.2, §3). Its
Kafka records do not come this way: what is in our topics is our own form.
"""

import asyncio
import contextlib
import hashlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from schemas.board import DeadLetter
from schemas.events import ContactCreated
from services.ingest.admission import Admission
from services.ingest.http import create_app
from services.ingest.intake import BODY_BYTES, Door
from services.ingest.metrics import Metrics
from services.ingest.posting import Bounds
from services.runtime.process import serve
from tests.doubles.event_log import MemoryLog
from tests.doubles.served import free_port
from tests.unit.ingest.posts import NOW_MS, PSEUDONYMS, body, entered, post

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class Ingest:
    """Ingest's HTTP around a log in memory, its clock at `NOW_MS`."""

    def __init__(self, *, bounds: Bounds | None = None, sites: tuple[str, ...] = ()) -> None:
        self.log = MemoryLog()
        self.metrics = Metrics(CollectorRegistry(), sources=["shop"])
        self.address = ("127.0.0.1", free_port())
        self.app = create_app(
            publisher=self.log,
            door=Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset(sites))),
            metrics=self.metrics,
            clock=lambda: NOW_MS,
            bounds=bounds,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Ingest"]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(self.app, f"{self.address[0]}:{self.address[1]}", stop))
            await asyncio.sleep(0)
            try:
                async with aiohttp.ClientSession(f"http://{self.address[0]}:{self.address[1]}") as self.http:
                    yield self
            finally:
                stop.set()

    async def post(
        self, content: Any, media: str | None = STRUCTURED, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if media is not None:
            named["content-type"] = media
        data = content if isinstance(content, bytes) or hasattr(content, "__aiter__") else body(content)
        data = io.BytesIO(data) if isinstance(data, bytes) else data
        skip = ["content-type"] if media is None else []
        async with self.http.post("/v1/events", data=data, headers=named, skip_auto_headers=skip) as answer:
            assert answer.headers["content-type"] == "application/json"
            return answer.status, await answer.json()

    async def raw(self, request: bytes, *, then: bytes = b"") -> bytes:
        """All that comes back on a connection on which just this was sent, and its end."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            if then:
                writer.write(then)
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    def value(self, series: str) -> float:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series + " "))


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with Ingest().running() as served:
        yield served


def request(content: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["POST /v1/events HTTP/1.1", "Host: x", *headers]
    lines.append(f"Content-Length: {len(content) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class TestAccepted:
    async def test_structured(self, ingest: Ingest) -> None:
        assert await ingest.post(entered()) == (202, {"accepted": 1, "rejected": []})
        assert [event.id for event in ingest.log.events] == ["e1"]

    async def test_batch(self, ingest: Ingest) -> None:
        posted = [entered(id=f"e{i}") for i in range(3)]
        assert await ingest.post(posted, BATCH) == (202, {"accepted": 3, "rejected": []})
        assert [event.id for event in ingest.log.events] == ["e0", "e1", "e2"]

    async def test_empty_batch(self, ingest: Ingest) -> None:
        assert await ingest.post([], BATCH) == (202, {"accepted": 0, "rejected": []})

    @pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", None])
    async def test_binary(self, ingest: Ingest, media: str | None) -> None:
        status, answer = await ingest.post(
            {"contact": "c", "customer": "+33612345678"},
            media,
            ce_specversion="1.0",
            ce_id="%C3%A9t%C3%A9",
            ce_source="shop",
            ce_type="vigie.contact.created.v1",
        )
        assert (status, answer) == (202, {"accepted": 1, "rejected": []})
        (event,) = ingest.log.events
        assert isinstance(event, ContactCreated)
        assert (event.id, event.site, event.customer) == ("été", "main", PSEUDONYMS.of("+33612345678"))

    async def test_good_entries_of_a_batch_with_bad_ones(self, ingest: Ingest) -> None:
        content = b"[" + body(entered()) + b',{"a":NaN},' + body(entered(id="e2")) + b"]"
        status, answer = await ingest.post(content, BATCH)
        assert (status, answer["accepted"]) == (202, 2)
        assert [(line["index"], line["reason"]) for line in answer["rejected"]] == [(1, "invalid")]
        assert [letter.sha256 for letter in ingest.log.letters] == [hashlib.sha256(b'{"a":NaN}').hexdigest()]

    async def test_chunked(self, ingest: Ingest) -> None:
        async def parts() -> AsyncIterator[bytes]:
            whole = body(entered())
            for i in range(0, len(whole), 7):
                yield whole[i : i + 7]

        assert (await ingest.post(parts()))[0] == 202

    async def test_connection_is_kept(self, ingest: Ingest) -> None:
        both = request(body(entered()), f"Content-Type: {STRUCTURED}") * 2
        assert (await ingest.raw(both)).count(b"HTTP/1.1 202") == 2

    async def test_greatest_body(self, ingest: Ingest) -> None:
        posted = [entered(id=f"e{i}") for i in range(5000)]
        content = body(posted)
        content += b" " * (BODY_BYTES - len(content))
        assert (await ingest.post(content, BATCH))[1]["accepted"] == 5000


class TestRefused:
    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe", b"null", b"[]", b'{"id":"\\ud800"}', b"[" * 10_000, b'{"a":1e999}', b"\x00"],
        ids=lambda content: repr(content[:12]),
    )
    async def test_broken_body_is_400_and_a_dead_letter(self, ingest: Ingest, content: bytes) -> None:
        for media in (STRUCTURED, BATCH) if content != b"[]" else (STRUCTURED,):
            status, answer = await ingest.post(content, media)
            assert (status, answer["accepted"]) == (400, 0)
            assert [(line["index"], line["reason"]) for line in answer["rejected"]] == [(0, "invalid")]
            letter = ingest.log.letters[-1]
            assert (letter.reason, letter.source, letter.size) == ("invalid", "http", len(content))
            assert letter.sha256 == hashlib.sha256(content).hexdigest()
        assert (await ingest.post(entered()))[0] == 202

    async def test_clock_an_hour_ahead_is_400_future(self, ingest: Ingest) -> None:
        status, answer = await ingest.post(entered(time="2026-11-22T11:00:00Z"))
        assert (status, answer["rejected"][0]["reason"]) == (400, "future")
        assert [letter.reason for letter in ingest.log.letters] == ["future"]

    async def test_unknown_type_is_400_and_no_dead_letter(self, ingest: Ingest) -> None:
        status, answer = await ingest.post(entered(type="vigie.queue.entered.v9"))
        assert (status, answer["rejected"][0]["reason"]) == (400, "unknown_type")
        assert ingest.log.messages == []

    async def test_unknown_site_is_400_and_no_dead_letter(self) -> None:
        async with Ingest(sites=("lyon",)).running() as ingest:
            status, answer = await ingest.post(entered())
            assert (status, answer["rejected"][0]["reason"]) == (400, "unknown_site")
            assert ingest.log.messages == []

    @pytest.mark.parametrize(
        "media", ["text/plain", "application/json", "application/cloudevents+xml", "", None, "x", "é"]
    )
    async def test_media_type_not_known_is_415(self, ingest: Ingest, media: str | None) -> None:
        status, answer = await ingest.post(entered(), media)
        assert (status, answer["accepted"]) == (415, 0)
        assert "application/cloudevents+json" in answer["detail"]

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
    async def test_compressed_body_is_415(self, ingest: Ingest, coding: str) -> None:
        content = body(entered())
        answer = await ingest.raw(
            request(
                content, f"Content-Type: {STRUCTURED}", f"Content-Encoding: {coding}", "Connection: close"
            )
        )
        assert b" 415 " in answer
        assert b"Content-Encoding" in answer

    async def test_event_above_64_kib_alone_is_413(self, ingest: Ingest) -> None:
        status, answer = await ingest.post(entered(note="x" * 65_536))
        assert (status, answer["rejected"][0]["reason"]) == (413, "too_large")
        assert [letter.reason for letter in ingest.log.letters] == ["too_large"]

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8081"])
    async def test_web_page_is_403(self, ingest: Ingest, origin: str) -> None:
        assert (await ingest.post(entered(), origin=origin))[0] == 403
        assert ingest.log.messages == []
        assert ingest.value('vigie_requests_refused_total{reason="other_origin"}') == 1

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
    async def test_other_methods_are_405(self, ingest: Ingest, method: str) -> None:
        async with ingest.http.request(method, "/v1/events") as answer:
            assert answer.status == 405


class TestTooLarge:
    async def test_ten_megabytes_are_413(self, ingest: Ingest) -> None:
        status, answer = await ingest.post(b"x" * 10_000_000, BATCH)
        assert (status, answer["rejected"][0]["reason"]) == (413, "too_large")
        assert (await self.letter(ingest)).size == 10_000_000

    async def test_ten_megabytes_in_chunks_are_413(self, ingest: Ingest) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 100_000

        assert (await ingest.post(parts(), BATCH))[0] == 413
        assert "hash of the first" in (await self.letter(ingest)).detail

    @pytest.mark.parametrize("is_chunked", [False, True])
    async def test_who_writes_all_before_he_reads_sees_the_answer(
        self, ingest: Ingest, is_chunked: bool
    ) -> None:
        content = b"x" * 10_000_000
        sent = request(content, f"Content-Type: {BATCH}")
        if is_chunked:
            head = request(b"", f"Content-Type: {BATCH}", "Transfer-Encoding: chunked")
            head = head.replace(b"Content-Length: 0\r\n", b"")
            sent = head + f"{len(content):x}".encode() + b"\r\n" + content + b"\r\n0\r\n\r\n"
        assert (await ingest.raw(sent)).startswith(b"HTTP/1.1 413 ")
        letter = await self.letter(ingest)
        assert (letter.size, letter.sha256) == (len(content), hashlib.sha256(content).hexdigest())

    async def test_one_byte_more_than_allowed_is_413(self, ingest: Ingest) -> None:
        assert (await ingest.post(b" " * (BODY_BYTES + 1), BATCH))[0] == 413

    async def test_declared_size_is_answered_before_the_body_comes(self, ingest: Ingest) -> None:
        reader, writer = await asyncio.open_connection(*ingest.address)
        writer.write(request(b"", f"Content-Type: {BATCH}", length=10**12))
        assert b" 413 " in await reader.readline()
        writer.close()

    async def test_who_asks_first_is_told_before_he_sends(self, ingest: Ingest) -> None:
        head = request(b"", f"Content-Type: {BATCH}", "Expect: 100-continue", length=10**7)
        answer = await ingest.raw(head)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer

    @staticmethod
    async def letter(ingest: Ingest) -> DeadLetter:
        async with asyncio.timeout(20):
            await ingest.log.arrived.wait()
        (letter,) = ingest.log.letters
        assert letter.reason == "too_large"
        return letter


class TestNotNow:
    async def test_log_away_is_503_and_nothing_is_claimed_or_counted(self, ingest: Ingest) -> None:
        ingest.log.is_away = True
        for content in (entered(), entered(data={})):
            async with ingest.http.post(
                "/v1/events", data=body(content), headers={"content-type": STRUCTURED}
            ) as answer:
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                told = await answer.json()
                assert (told["accepted"], told["rejected"]) == (0, [])
        assert ingest.value('vigie_events_total{outcome="accepted",source="shop"}') == 0
        ingest.log.is_away = False
        assert (await ingest.post(entered()))[0] == 202
        assert ingest.value('vigie_events_total{outcome="accepted",source="shop"}') == 1

    @pytest.mark.parametrize("bounds", [Bounds(requests=0), Bounds(bytes=10)])
    async def test_too_much_at_once_is_429(self, bounds: Bounds) -> None:
        async with (
            Ingest(bounds=bounds).running() as ingest,
            ingest.http.post(
                "/v1/events", data=body(entered()), headers={"content-type": STRUCTURED}
            ) as answer,
        ):
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            assert (await answer.json())["accepted"] == 0

    async def test_room_is_given_back_after_every_answer(self) -> None:
        async with Ingest(bounds=Bounds(requests=1, bytes=2 * BODY_BYTES)).running() as ingest:
            for content in (entered(), b"{", b"x" * 3_000_000, entered()):
                assert (await ingest.post(content))[0] in (202, 400, 413)

    async def test_sender_who_hangs_up_costs_nothing(self) -> None:
        async with Ingest(bounds=Bounds(requests=1)).running() as ingest:
            head = request(b'{"id"', f"Content-Type: {STRUCTURED}", length=500)
            _, writer = await asyncio.open_connection(*ingest.address)
            writer.write(head)
            await writer.drain()
            writer.close()
            statuses = [429]
            async with asyncio.timeout(20):
                while statuses[-1] == 429:  # until the server has noticed
                    statuses.append((await ingest.post(entered()))[0])
            assert statuses[-1] == 202


class TestSpecificationSamples:
    """samples 01 to 03 of the specification: well formed, and of a type that is not ours."""

    async def test_binary(self, ingest: Ingest) -> None:
        content = b'{"appinfoA":"abc","appinfoB":123,"appinfoC":true}'
        attributes = {
            "ce-specversion": "1.0",
            "ce-type": "com.example.someevent",
            "ce-time": "2018-04-05T03:56:24Z",
            "ce-id": "1234-1234-1234",
            "ce-source": "/mycontext/subcontext",
            "ce-partitionkey": "queue-42",
        }
        headers = [f"{name}: {value}" for name, value in attributes.items()]
        sent = request(
            content, *headers, "Content-Type: application/json; charset=utf-8", "Connection: close"
        )
        answer = await ingest.raw(sent)
        assert b" 400 " in answer
        assert b'"reason":"unknown_type"' in answer

    async def test_structured(self, ingest: Ingest) -> None:
        sample = {
            "specversion": "1.0",
            "type": "com.example.someevent",
            "source": "/mycontext/subcontext",
            "id": "1234-1234-1234",
            "time": "2018-04-05T03:56:24Z",
            "datacontenttype": "application/json",
            "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
        }
        status, answer = await ingest.post(sample, f"{STRUCTURED}; charset=utf-8")
        assert (status, answer["rejected"][0]["reason"]) == (400, "unknown_type")
        ours = {**sample, "type": "vigie.queue.entered.v1", "data": {"contact": "c", "queue": "q"}}
        assert (await ingest.post(ours))[0] == 202

    async def test_batch(self, ingest: Ingest) -> None:
        sample = {
            "specversion": "1.0",
            "type": "com.example.someevent",
            "source": "/mycontext/4",
            "id": "B234-1234-1234",
            "time": "2018-04-05T17:31:00Z",
            "comexampleextension1": "value",
            "comexampleothervalue": 5,
            "datacontenttype": "application/vnd.apache.thrift.binary",
            "data_base64": "AAECAwQ=",
        }
        ours = {**sample, "type": "vigie.queue.entered.v1"}
        status, answer = await ingest.post([sample, ours], f"{BATCH}; charset=utf-8")
        assert status == 400
        assert [line["reason"] for line in answer["rejected"]] == ["unknown_type", "invalid"]
        assert answer["rejected"][1]["detail"] == "datacontenttype: only JSON is read"


class TestTheRest:
    async def test_live_and_ready_and_what_is_missing(self, ingest: Ingest) -> None:
        async with ingest.http.get("/health/ready") as answer:
            assert (answer.status, (await answer.json())["missing"]) == (200, [])
        ingest.log.is_away = True
        async with ingest.http.get("/health/ready") as answer:
            assert (answer.status, (await answer.json())["missing"]) == (503, ["broker"])
        async with ingest.http.get("/health/live") as answer:
            assert answer.status == 200

    async def test_series_start_at_zero_and_count_by_source_and_outcome(self, ingest: Ingest) -> None:
        assert ingest.value('vigie_dead_letters_total{reason="invalid"}') == 0
        assert ingest.value('vigie_source_up{source="shop"}') == 0
        await ingest.post([entered(), entered(source="other"), entered(data={}), 7], BATCH)
        await ingest.post(post("vigie.hold.start.v1", data={"contact": "c", "mood": "calm"}))
        assert ingest.value('vigie_events_total{outcome="accepted",source="shop"}') == 2
        assert ingest.value('vigie_events_total{outcome="accepted",source="http"}') == 1
        assert ingest.value('vigie_events_total{outcome="invalid",source="shop"}') == 1
        assert ingest.value('vigie_events_total{outcome="invalid",source="http"}') == 1
        assert ingest.value('vigie_ingest_fields_ignored_total{event="hold.start"}') == 1
        async with ingest.http.get("/metrics") as answer:
            assert "vigie_build_info" in await answer.text()

    async def test_openapi_says_every_answer_and_its_examples_are_true(self, ingest: Ingest) -> None:
        async with ingest.http.get("/openapi.json") as answer:
            document = await answer.json()
        operation = document["paths"]["/v1/events"]["post"]
        assert set(operation["responses"]) == {
            *("202", "400", "401", "403", "408", "413", "415", "429", "503")
        }
        content = operation["requestBody"]["content"]
        for media in (STRUCTURED, BATCH):
            assert (await ingest.post(content[media]["example"], media))[0] == 202
        headers = {each["name"].replace("-", "_"): each["example"] for each in operation["parameters"]}
        example = content["application/json"]["example"]
        assert (await ingest.post(example, "application/json", **headers))[0] == 202
        assert all(f"vigie.{name}.v1" in json.dumps(document) for name in ("queue.left", "source.heartbeat"))

    async def test_docs_fetch_nothing_from_elsewhere(self, ingest: Ingest) -> None:
        async with ingest.http.get("/docs") as answer:
            page = await answer.text()
        assert "/v1/events" in page
        assert "http://" not in page.replace("http://127", "")
        assert "<script" not in page
