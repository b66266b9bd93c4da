"""Bad input through the whole chain: each gets the answer of SEMANTICS.md §10, and nothing stops.

By POST /v1/events, and straight into `vigie.events`, where nobody but ingest should write. After
all of it the same processes run, are ready, have folded everything, and count what is good.
"""

import asyncio
import contextlib
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.board import DeadLetter
from schemas.codec import decode_dead_letter
from schemas.config import KafkaConfig
from schemas.topics import DEAD_LETTERS, EVENTS, partition_of
from services.runtime.clock import now_ms
from tests.end_to_end.running_system import BATCH, SITE, STRUCTURED, RunningSystem, iso, until
from tests.unit.ingest.posts import body, entered, packed, post
from tests.unit.ingest.spoiling import FIELDS, oversize, spoiled, without, wrong

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

QUEUE = "spoiled"
AT_ONCE = 16

Answer = tuple[int, dict[str, Any]]
Send = Callable[..., Awaitable[Answer]]


@contextlib.asynccontextmanager
async def sending(system: RunningSystem) -> AsyncIterator[Send]:
    """Posts over kept connections, a few at a time."""
    address = f"http://{system.addresses['ingest']}/v1/events"
    room = asyncio.Semaphore(AT_ONCE)

    async def send(content: bytes, media: str = STRUCTURED) -> Answer:
        headers = {"content-type": media}
        async with room, http.post(address, data=io.BytesIO(content), headers=headers) as said:
            return said.status, await said.json()

    async with aiohttp.ClientSession() as http:
        yield send


@pytest_asyncio.fixture
async def unharmed(system: RunningSystem) -> AsyncIterator[None]:
    """Whatever the test does: the same processes, ready, with nothing left to fold, and still counting."""
    pids = system.pids
    yield
    assert system.pids == pids
    assert await system.unready() == {}

    async def is_folded() -> bool:
        return await system.lag() == 0

    async def waits(count: int) -> bool:
        return bool((await system.row(QUEUE))["waiting"] == count)

    await system.tell("queue.entered", contact="good", queue=QUEUE)
    await until(lambda: waits(1), "a good event counts")
    await system.tell("queue.left", contact="good", queue=QUEUE, outcome="abandoned")
    await until(lambda: waits(0), "its end too")
    await until(is_folded, "the lag is back to 0")


async def whole(system: RunningSystem, content: bytes) -> bytes:
    """The answer's first line to who sends all before he reads, whatever he is told meanwhile."""
    host, _, port = system.addresses["ingest"].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: {BATCH}\r\n"
    writer.write(head.encode() + f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    try:
        return await reader.readline()
    finally:
        writer.close()


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and reason of a post of which nothing was taken."""
    status, said = answer
    assert said["accepted"] == 0, said
    return status, said["rejected"][0]["reason"]


def hashes(contents: Iterable[bytes]) -> set[str]:
    return {hashlib.sha256(content).hexdigest() for content in contents}


async def letters(
    system: RunningSystem, wanted: set[str], *, topic: str | None = None
) -> dict[str, DeadLetter]:
    """All dead letters of what was posted, or lay in a topic, by hash, once those wanted are among them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, DeadLetter] = {}
    try:
        consumer.assign([TopicPartition(DEAD_LETTERS.name, n) for n in range(KafkaConfig().partitions)])
        async with asyncio.timeout(60):
            while not wanted <= found.keys():
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found |= {made.sha256: made for made in map(_letter, records) if made.topic == topic}
    finally:
        await consumer.stop()
    return found


def _letter(record: Any) -> DeadLetter:
    return decode_dead_letter(record.value)


@pytest.mark.usefixtures("unharmed")
async def test_each_field_missing_null_of_a_wrong_type_and_oversize(system: RunningSystem) -> None:
    cases: list[tuple[bytes, bool, str]] = []
    for kind, field in FIELDS:
        posts = [
            (without(kind, field.name), field.required),
            (spoiled(kind, field.name, None), field.required),
        ]
        posts += [(spoiled(kind, field.name, value), True) for value in (*wrong(field), oversize(field))]
        for posted, is_bad in posts:
            content = body({**posted, "id": f"field-{len(cases)}"})
            cases.append((content, is_bad, f"data.{field.name}"))
    async with sending(system) as send:
        answers = await asyncio.gather(*(send(content) for content, _, _ in cases))
    for (content, is_bad, place), answer in zip(cases, answers, strict=True):
        if is_bad:
            assert refusal(answer) == (400, "invalid"), content
            assert answer[1]["rejected"][0]["detail"].startswith((f"{place}: ", f"{place}["))
        else:
            assert answer == (202, {"accepted": 1, "rejected": []}), content
    bad = hashes(content for content, is_bad, _ in cases if is_bad)
    found = await letters(system, bad)
    assert {found[each].reason for each in bad} == {"invalid"}
    print(f"\n{len(cases)} posts, {len(bad)} of them refused")


WHOLE = body(entered())
DEEP = b"[" * 10_000 + b"]" * 10_000


def spoilt(value: bytes) -> bytes:
    """A good event with other bytes where one value was."""
    return WHOLE.replace(b'"a-1"', value, 1)


BROKEN = [
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b"\x00",
    b"[" * 10_000,
    *(WHOLE[:length] for length in range(1, len(WHOLE), 7)),
    spoilt(b'"a\x001"'),
    spoilt(b'"a\\u00001"'),
    spoilt(b'"\xff"'),
    spoilt(b'"\\ud800"'),
    spoilt(b"NaN"),
    spoilt(b"1e308"),
    spoilt(DEEP),
    spoilt(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    body(post("vigie.survey.answered.v1")).replace(b'"score": 4', b'"score": 1e308'),
    body(post("vigie.survey.answered.v1")).replace(b'"score": 4', b'"score": -Infinity'),
    body(entered(data=None, data_base64=packed({"contact": "c\x00", "queue": "q"}))),
]


@pytest.mark.usefixtures("unharmed")
async def test_bodies_that_are_no_event(system: RunningSystem) -> None:
    async with sending(system) as send:
        for media in (STRUCTURED, BATCH):
            answers = await asyncio.gather(*(send(content, media) for content in BROKEN))
            for content, answer in zip(BROKEN, answers, strict=True):
                assert refusal(answer) == (400, "invalid"), content[:80]
        mixed = b"[" + body(entered(id="one")) + b"," + DEEP + b"," + body(entered(id="two")) + b"]"
        status, said = await send(mixed, BATCH)
    assert (status, said["accepted"]) == (202, 2)
    assert [(line["index"], line["reason"]) for line in said["rejected"]] == [(1, "invalid")]
    found = await letters(system, hashes(BROKEN))
    assert {found[each].reason for each in hashes(BROKEN)} == {"invalid"}


@pytest.mark.usefixtures("unharmed")
async def test_a_clock_ahead_what_is_not_known_and_what_is_too_large(system: RunningSystem) -> None:
    ahead = body(entered(time=iso(now_ms() + 3_600_000)))
    unknown = body(entered(type="vigie.queue.entered.v9"))
    elsewhere = body(entered(site="lyon"))
    command = body(entered(type="vigie.alert.acknowledge.v1"))
    large_event, large_body = body(entered(note="x" * 65_536)), b" " * 10_000_000
    async with sending(system) as send:
        assert refusal(await send(ahead)) == (400, "future")
        assert refusal(await send(unknown)) == (400, "unknown_type")
        assert refusal(await send(command)) == (400, "unknown_type")
        assert refusal(await send(elsewhere)) == (400, "unknown_site")
        assert refusal(await send(large_event)) == (413, "too_large")
        assert b" 413 " in await whole(system, large_body)
        status, said = await send(WHOLE, "text/plain")
        assert (status, said["accepted"]) == (415, 0)
    found = await letters(system, hashes([ahead, large_event, large_body]))
    assert found.keys().isdisjoint(hashes([unknown, elsewhere, command]))
    reasons = {each: found[each].reason for each in hashes([ahead, large_event, large_body])}
    assert sorted(reasons.values()) == ["future", "too_large", "too_large"]


@pytest.mark.usefixtures("unharmed")
async def test_requests_cut_in_the_middle(system: RunningSystem) -> None:
    host, _, port = system.addresses["ingest"].partition(":")
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: {STRUCTURED}\r\n".encode()
    request = head + f"Content-Length: {len(WHOLE)}\r\n\r\n".encode() + WHOLE
    for length in range(1, len(request), 11):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request[:length])
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_garbage_in_the_log_is_a_dead_letter_and_stops_nobody(
    system: RunningSystem, unharmed: None
) -> None:
    envelope = {"id": "x", "source": "x", "site": SITE, "occurred_ms": now_ms(), "received_ms": now_ms()}
    entry = {**envelope, "type": "queue.entered", "contact": "c", "queue": QUEUE}
    wrong_values: tuple[object, ...] = (None, [], 1.5, {"a": 1}, "")
    spoiled_fields = [{**entry, name: value} for name in entry for value in wrong_values]
    garbage = [
        b"no json",
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        DEEP,
        b'{"type":' * 10_000,
        b'{"type":"queue.entered"}',
        json.dumps({**entry, "type": "nobody.knows"}).encode(),
        json.dumps({**entry, "occurred_ms": float("nan")}).encode(),
        json.dumps({**entry, "occurred_ms": 1e308}).encode(),
        json.dumps({**entry, "occurred_ms": 2**53 - 1}).encode(),
        json.dumps({**entry, "received_ms": 2**53 - 1}).encode(),
        json.dumps({**entry, "rank": 10**400}).encode(),
        json.dumps({**entry, "queue": "q" * 500_000}).encode(),
        json.dumps(entry).encode().replace(b'"c"', b'"\\ud800"'),
        *(json.dumps(each).encode() for each in spoiled_fields),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=system.bootstrap, acks="all")
    await producer.start()
    try:
        key = SITE.encode()
        number = partition_of(key, KafkaConfig().partitions)
        for value in (*garbage, None):
            sent = await producer.send_and_wait(EVENTS.name, value, key=key, partition=number)
        for other in range(KafkaConfig().partitions):
            await producer.send_and_wait(EVENTS.name, b"no json, no key", partition=other)
    finally:
        await producer.stop()
    wanted = hashes([*garbage, b"no json, no key"])
    found = await letters(system, wanted, topic=EVENTS.name)
    ours = [found[each] for each in wanted]
    assert {letter.source for letter in ours} == {"vigie/aggregator", "x"}  # its own where it can be read
    assert {letter.reason for letter in ours} == {"invalid", "future"}
    tombstone = found[hashlib.sha256(b"").hexdigest()]
    assert (tombstone.size, tombstone.offset) == (0, sent.offset)


@pytest.mark.usefixtures("unharmed")
async def test_the_source_panel_says_what_came_and_what_was_refused(system: RunningSystem) -> None:
    """Also of a source that is in no file."""
    source = {"source": "panel/till"}
    unknown = entered(**source, type="com.example.someevent")
    spoiled_one = entered(**source, data={"contact": "c"})
    status, answer = await system.post(
        body([post("vigie.agent.state.v1", **source), unknown, spoiled_one]), BATCH
    )
    assert (status, answer["accepted"]) == (202, 1)

    async def till() -> dict[str, Any]:
        _, text = await system.get("api", f"/api/v1/sources?site={SITE}")
        found = [each for each in json.loads(text)["sources"] if each["source"] == "panel/till"]
        return found[0] if found else {}

    async def is_told() -> bool:
        return bool((await till()).get("events"))

    await until(is_told, "the panel knows the source")
    told = await till()
    assert (told["state"], told["kind"], told["types"]) == ("listening", "http", {"agent.state": 1})
    assert (told["unknown"], told["dead_letters"]) == ({"com.example.someevent": 1}, 1)
    assert told["outcomes"] == {"unknown_type": 1, "invalid": 1}
    assert [(each["reason"], each["source"]) for each in told["letters"]] == [("invalid", "panel/till")]
