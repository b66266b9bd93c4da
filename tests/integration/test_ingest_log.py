"""Ingest and a real Kafka: 202 means in the log, whatever becomes of the broker."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from prometheus_client import CollectorRegistry, generate_latest

from schemas import codec
from schemas.board import DeadLetter
from schemas.errors import Unavailable
from schemas.events import EVERY_SITE, INGEST_SOURCE, SourceEvent, SourceHeartbeat
from schemas.topics import DEAD_LETTERS, EVENTS, partition_of
from services.cli.broker import EmbeddedBroker
from services.ingest import heartbeats
from services.ingest.metrics import Metrics
from services.ingest.publisher import Publisher
from tests.doubles.event_log import MemoryLog
from tests.unit.ingest.posts import NOW_MS, entered, taken

pytestmark = pytest.mark.broker
PATIENCE_S = 60.0


def event(id_: str, *, site: str = "paris", source: str = "shop") -> SourceEvent:
    return taken(entered(id=id_, site=site, source=source)).event


def letter(source: str) -> DeadLetter:
    return DeadLetter(
        source=source, reason="invalid", detail="data: …", sha256="0" * 64, size=1, received_ms=NOW_MS
    )


@contextlib.asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[Publisher]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publisher.run())
        try:
            yield publisher
        finally:
            await publisher.close(PATIENCE_S)


def new_publisher(bootstrap: str, *, capacity: int = 10_000, answer_s: float = PATIENCE_S) -> Publisher:
    metrics = Metrics(CollectorRegistry(), sources=["shop"])
    return Publisher(bootstrap, metrics=metrics, capacity=capacity, answer_s=answer_s)


async def records(bootstrap: str, topic: str) -> dict[int, list[ConsumerRecord]]:
    """All that the topic holds, by partition."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: dict[int, list[ConsumerRecord]] = {at.partition: [] for at in ends}
        missing = {at for at, end in ends.items() if end > 0}
        while missing:
            for at, batch in (await consumer.getmany(timeout_ms=500)).items():
                found[at.partition] += batch
                if batch[-1].offset + 1 >= ends[at]:
                    missing.discard(at)
        return found
    finally:
        await consumer.stop()


async def ids(bootstrap: str, *, source: str) -> list[str]:
    """Ids of the source's events in the log, in its order: its site lies in one partition."""
    found = await records(bootstrap, EVENTS.name)
    events = [codec.decode_event(record.value) for batch in found.values() for record in batch]
    return [each.id for each in events if each.source == source]


async def test_events_lie_in_their_sites_partition_by_its_key(broker: str) -> None:
    async with running(new_publisher(broker)) as publisher:
        sites = [f"site-{i}" for i in range(12)]
        await publisher.send(
            [event(f"{site}-{i}", site=site, source="by-site") for i in range(3) for site in sites]
        )
    found = await records(broker, EVENTS.name)
    seen: dict[str, list[str]] = {site: [] for site in sites}
    for number, batch in found.items():
        for record in batch:
            each = codec.decode_event(record.value)
            if each.source == "by-site":
                assert record.key == each.site.encode()
                assert partition_of(record.key, len(found)) == number
                seen[each.site].append(each.id)
    assert seen == {site: [f"{site}-{i}" for i in range(3)] for site in sites}


async def test_dead_letters_lie_by_source(broker: str) -> None:
    async with running(new_publisher(broker)) as publisher:
        await publisher.send([letter("odd source")])
    found = [record for batch in (await records(broker, DEAD_LETTERS.name)).values() for record in batch]
    mine = [record for record in found if record.key == b"odd source"]
    assert [codec.decode_dead_letter(record.value) for record in mine] == [letter("odd source")]


@pytest.mark.parametrize("kind", ["real", "double"])
async def test_log_has_all_of_what_was_sent_in_order(broker: str, kind: str) -> None:
    """The contract that the double shares with the real one."""
    sent = [event(f"e{i}", source=f"contract-{kind}") for i in range(5)]
    if kind == "double":
        memory = MemoryLog()
        await memory.send(sent)
        await memory.send([])
        memory.is_away = True
        with pytest.raises(Unavailable):
            await memory.send(sent)
        assert (memory.is_connected, memory.events) == (False, sent)
        return
    async with running(new_publisher(broker)) as publisher:
        await publisher.send(sent)
        await publisher.send([])
        assert publisher.is_connected
    away = new_publisher("127.0.0.1:1", answer_s=0.2)
    with pytest.raises(Unavailable):
        await away.send(sent)
    assert not away.is_connected
    assert await ids(broker, source=f"contract-{kind}") == [each.id for each in sent]


async def test_many_senders_at_once_keep_their_own_order(broker: str) -> None:
    async with running(new_publisher(broker)) as publisher:
        await asyncio.gather(
            *(publisher.send([event(f"{n}-{i}", source="many") for i in range(40)]) for n in range(100))
        )
    found = await ids(broker, source="many")
    assert Counter(found) == Counter(f"{n}-{i}" for n in range(100) for i in range(40))
    for n in range(0, 100, 20):
        assert [each for each in found if each.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(40)]


async def test_more_than_one_batch_holds(broker: str) -> None:
    big = "x" * 250
    async with running(new_publisher(broker)) as publisher:
        await publisher.send([event(f"{i}-{big}", source="big") for i in range(5000)])
    assert len(await ids(broker, source="big")) == 5000


async def test_heartbeat_in_every_partition(broker: str) -> None:
    fourth = asyncio.Event()
    instants: list[int] = []

    def clock() -> int:
        instants.append(NOW_MS + len(instants))
        if len(instants) == 4:
            fourth.set()
        return instants[-1]

    async with running(new_publisher(broker)) as publisher:
        beating = asyncio.create_task(heartbeats.run(publisher, clock=clock, every_s=0.01))
        await fourth.wait()
        beating.cancel()
    for batch in (await records(broker, EVENTS.name)).values():
        events = [codec.decode_event(record.value) for record in batch]
        beats = [each for each in events if each.source == INGEST_SOURCE]
        assert [each.occurred_ms for each in beats][:3] == instants[:3]
        assert all(isinstance(each, SourceHeartbeat) and each.clock_ms is None for each in beats)
        assert {each.site for each in beats} == {EVERY_SITE}


async def test_broker_killed_then_back(own_broker: EmbeddedBroker) -> None:
    """Nothing is claimed while it is away, nothing claimed is lost, sources are held back."""
    publisher = new_publisher(own_broker.bootstrap, answer_s=1.0)
    metrics = Metrics(CollectorRegistry(), sources=["late"])
    late = Publisher(own_broker.bootstrap, metrics=metrics, capacity=10)
    async with running(publisher), asyncio.timeout(2 * PATIENCE_S):
        await _until_sent(publisher, event("before"))
        await asyncio.to_thread(own_broker.kill)
        async with running(late):
            putting = asyncio.create_task(late.put([event(f"late-{i}", source="late") for i in range(25)]))
            for i in range(3):
                with pytest.raises(Unavailable):
                    await publisher.send([event(f"away-{i}")])
            await publisher.put([event(f"put-{i}") for i in range(50)])
            assert not publisher.is_connected
            assert not putting.done()
            assert b"vigie_ingest_buffer_events 10.0" in generate_latest(metrics.registry)
            await asyncio.to_thread(own_broker.start)
            await putting
            await _until_sent(publisher, event("after"))
    found = await ids(own_broker.bootstrap, source="shop")
    assert {"before", "after"} <= set(found)
    puts = dict.fromkeys(each for each in found if each.startswith("put-"))  # a repeat changes nothing
    assert list(puts) == [f"put-{i}" for i in range(50)]
    assert await ids(own_broker.bootstrap, source="late") == [f"late-{i}" for i in range(25)]
    text = generate_latest(metrics.registry).decode()
    assert "vigie_ingest_buffer_events 0.0" in text
    assert 'vigie_events_total{outcome="accepted",source="late"} 25.0' in text


async def _until_sent(publisher: Publisher, message: SourceEvent) -> None:
    while True:
        try:
            return await publisher.send([message])
        except Unavailable:
            await asyncio.sleep(0.1)
