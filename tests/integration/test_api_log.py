"""The api and a real Kafka: rows in, commands out and answered, the broker away and back."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.errors import Unavailable
from schemas.events import API_SOURCE, AlertAcknowledge
from schemas.topics import ALERTS, DELIVERIES, EVENTS, SNAPSHOTS, partition_of
from schemas.vocabulary import AlertState, Freshness
from services.api.board import Board
from services.api.command_log import KafkaCommandLog
from services.api.commands import Commands
from services.api.consumer import Consumer
from services.api.deliveries import Deliveries
from services.api.hub import Hub
from services.api.metrics import Metrics
from services.api.sources import Sources
from services.cli.broker import EmbeddedBroker
from services.runtime.clock import now_ms
from tests.unit.api.rows import alert, queue_row, site_row
from tests.unit.api.test_deliveries import SENT

pytestmark = pytest.mark.broker


class Replica:
    """What `services/api/__main__.py` builds, without the web server."""

    def __init__(self, bootstrap: str) -> None:
        self.board = Board()
        self.log = KafkaCommandLog(bootstrap)
        self.commands = Commands(self.log, clock=now_ms, answer_s=30)
        self.metrics = Metrics(CollectorRegistry())
        self.hub = Hub(self.board, epoch="e", clock=now_ms)
        self.deliveries = Deliveries()
        self.sources = Sources()
        self.consumer = Consumer(
            bootstrap,
            self.board,
            hub=self.hub,
            commands=self.commands,
            deliveries=self.deliveries,
            sources=self.sources,
            metrics=self.metrics,
            clock=now_ms,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Replica"]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.consumer.run(stop))
            try:
                yield self
            finally:
                stop.set()
        await self.log.close()

    async def ready(self) -> None:
        await until(lambda: not self.consumer.missing())


async def until(is_true: Callable[[], object], within_s: float = 60) -> None:
    """Waits until something is true that only the other side of Kafka can make so."""
    end = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < end, "it did not come true"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def writer(bootstrap: str) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def put(producer: Any, key: bytes, row: object) -> None:
    """A row, or None to remove it, where its site's rows go."""
    site = codec.decode_key(key)[1]
    place = partition_of(site.encode(), len(await producer.partitions_for(SNAPSHOTS.name)))
    value = None if row is None else codec.encode(row)
    await producer.send_and_wait(SNAPSHOTS.name, value, key=key, partition=place)


def new_site() -> str:
    """A site of this test alone: the broker is shared."""
    return f"site-{uuid.uuid4().hex[:8]}"


async def test_rows_appear_change_and_go(broker: str) -> None:
    site = new_site()
    async with Replica(broker).running() as replica, writer(broker) as producer:
        await replica.ready()
        await put(producer, codec.site_key(site), site_row(site, now_ms=now_ms()))
        await put(producer, codec.queue_key(site, "support"), queue_row(site=site, now_ms=now_ms()))
        await until(lambda: (site, "support") in replica.board.queues and site in replica.board.sites)
        assert replica.board.site_freshness(site, now_ms()) is Freshness.LIVE
        await put(producer, codec.queue_key(site, "support"), queue_row(site=site, waiting=5))
        await until(lambda: replica.board.queues[site, "support"].waiting == 5)
        await put(producer, codec.queue_key(site, "support"), None)
        await until(lambda: (site, "support") not in replica.board.queues)


async def test_a_replica_starts_by_reading_to_the_end(broker: str) -> None:
    site = new_site()
    async with writer(broker) as producer:
        for number in range(300):
            row = queue_row(f"q{number % 30}", site=site, waiting=number)
            await put(producer, codec.queue_key(site, row.queue), row)
        await put(producer, codec.queue_key(site, "q0"), None)
        await put(producer, codec.site_key(site), site_row(site, alerts=[alert("a", site=site)]))
    replica = Replica(broker)
    assert len(replica.consumer.missing()) == 2
    async with replica.running():
        await replica.ready()
        waiting = {row.queue: row.waiting for row in replica.board.queues.values() if row.site == site}
        assert waiting == {f"q{number}": 270 + number for number in range(1, 30)}
        assert "a" in replica.board.alerts
        assert replica.board.site_freshness(site, now_ms()) is Freshness.STALE


async def test_a_record_that_cannot_be_read_is_counted_and_left_out(broker: str) -> None:
    site = new_site()
    async with Replica(broker).running() as replica, writer(broker) as producer:
        await replica.ready()
        before = unreadable(replica)
        for key, value in (
            (b"", b"{}"),
            (b"[]", b"{}"),
            (b"[1]", b"{}"),
            (b"\xff", b"{}"),
            (codec.queue_key(site, "q"), b"{}"),
            (codec.encode(("unheard of", site)), b"{}"),
        ):
            await producer.send_and_wait(SNAPSHOTS.name, value, key=key, partition=0)
        await producer.send_and_wait(ALERTS.name, b"[", partition=0)
        await producer.send_and_wait(ALERTS.name, None, key=b"a", partition=0)
        await put(producer, codec.queue_key(site, "fine"), queue_row("fine", site=site))
        await until(lambda: (site, "fine") in replica.board.queues and unreadable(replica) == before + 8)


async def test_deliveries_are_read_those_of_before_and_those_to_come(broker: str) -> None:
    before, after = (replace(SENT, alert_id=uuid.uuid4().hex[:16]) for _ in range(2))
    async with writer(broker) as producer:
        await producer.send_and_wait(DELIVERIES.name, codec.encode(before), key=b"k")
        async with Replica(broker).running() as replica:
            await replica.ready()
            await until(lambda: replica.deliveries.of(before.alert_id) == [before])
            await producer.send_and_wait(DELIVERIES.name, codec.encode(after), key=b"k")
            await until(lambda: replica.deliveries.of(after.alert_id) == [after])


async def test_an_acknowledgement_goes_through_the_log_and_comes_back(broker: str) -> None:
    site = new_site()
    firing = alert(uuid.uuid4().hex[:16], site=site)
    async with Replica(broker).running() as replica, writer(broker) as producer:
        await replica.ready()
        replica.board.apply_alert(firing)
        asked = asyncio.ensure_future(replica.commands.acknowledge(firing, by="Léa", note="j'y vais"))
        command, place = await next_command(broker, site)
        assert place == partition_of(site.encode(), 4)
        assert (command.alert_id, command.by, command.note) == (firing.alert_id, "Léa", "j'y vais")
        taken = replace(firing, version=2, state=AlertState.ACKNOWLEDGED, acknowledged_by="Léa")
        answer = replace(taken, command=command.command, accepted=True)
        await producer.send_and_wait(ALERTS.name, codec.encode(answer), key=firing.alert_id.encode())
        assert await asked == answer
        assert replica.board.alerts[firing.alert_id] == taken


@pytest.mark.timeout(300)  # Kafka starts three times
async def test_the_board_waits_for_its_broker_and_outlives_it(own_broker: EmbeddedBroker) -> None:
    site = new_site()
    await asyncio.to_thread(own_broker.stop)
    async with Replica(own_broker.bootstrap).running() as replica:
        await asyncio.sleep(1)
        assert len(replica.consumer.missing()) == 2
        await asyncio.to_thread(own_broker.start)
        await replica.ready()
        async with writer(own_broker.bootstrap) as producer:
            await put(producer, codec.site_key(site), site_row(site, now_ms=now_ms()))
            await until(lambda: site in replica.board.sites)
        await replica.log.write(command(site))
        await asyncio.to_thread(own_broker.stop)
        await until(lambda: replica.board.site_freshness(site, now_ms()) is Freshness.STALE)
        await until(lambda: replica.consumer.missing())
        with pytest.raises(Unavailable, match="may not have been saved"):  # it was sent on a known connection
            await replica.log.write(command(site))
        with pytest.raises(Unavailable, match="nothing was saved"):
            await replica.commands.acknowledge(alert(site=site), by="Léa", note=None)
        assert site in replica.board.sites
        await asyncio.to_thread(own_broker.start)
        async with writer(own_broker.bootstrap) as producer:
            await put(producer, codec.site_key(site), site_row(site, now_ms=now_ms(), behind_s=1.5))
            await until(lambda: replica.board.sites[site].behind_s == 1.5)
        await replica.ready()


def command(site: str) -> AlertAcknowledge:
    return AlertAcknowledge(
        id="1",
        source=API_SOURCE,
        site=site,
        occurred_ms=now_ms(),
        received_ms=now_ms(),
        alert_id="a",
        command="c",
        by="Léa",
        note=None,
    )


def unreadable(replica: Replica) -> float:
    value = replica.metrics.registry.get_sample_value("vigie_rows_unreadable_total")
    assert value is not None
    return value


async def next_command(bootstrap: str, site: str) -> tuple[AlertAcknowledge, int]:
    """The first command for this site in `vigie.events`, and its partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        parts = [TopicPartition(EVENTS.name, number) for number in range(4)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        async with asyncio.timeout(60):
            async for record in consumer:
                if record.key == site.encode():
                    event = codec.decode_event(record.value)
                    assert isinstance(event, AlertAcknowledge)
                    return event, record.partition
    finally:
        await consumer.stop()
    raise AssertionError("no command came")
