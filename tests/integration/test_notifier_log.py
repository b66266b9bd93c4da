"""The notifier on a real Kafka, with real receivers: told once, recorded, and taken up after a crash."""

import asyncio
import base64
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.board import Alert
from schemas.config import ChannelConfig, Config, EgressConfig, PersonConfig, TeamConfig
from schemas.deliveries import Delivery, DeliveryState
from schemas.recipients import Destination
from schemas.topics import ALERTS, DELIVERIES, partition_of
from services.notifier.channels import Channels
from services.notifier.egress import Guard
from services.notifier.metrics import Metrics
from services.notifier.session import Sessions
from services.notifier.webhook import Webhook
from services.runtime.clock import now_ms
from tests.doubles.receiver import Receiver, Reply, receiving
from tests.unit.notifier.told import Story

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Centre:
    """A team of this test alone (the broker is shared), led by one person with one receiver."""

    def __init__(self, bootstrap: str, receiver: Receiver) -> None:
        self.bootstrap = bootstrap
        self.team = f"team-{uuid.uuid4().hex[:8]}"
        self.receiver = receiver
        channel = ChannelConfig(kind="webhook", url=receiver.url, secret_env="S")
        self.config = Config(
            teams=[TeamConfig(id=self.team, leads=["lea"])],
            people=[PersonConfig(id="lea", channels=[channel])],
            egress=EgressConfig(allow=["127.0.0.1/32"]),
        )

    def story(self) -> Story:
        return Story(uuid.uuid4().hex[:16], now_ms=now_ms() - 1000, team=self.team)

    @contextlib.asynccontextmanager
    async def notifier(self, slot: int = 0) -> AsyncIterator["Running"]:
        """A notifier, until the end of the block; it is then asked to stop, unless it crashed before."""
        async with Webhook(Guard(self.config.egress.allow), clock=now_ms) as webhook:
            sender = Channels(
                self.config, keys={Destination("lea", "webhook"): KEY}, webhook=webhook, mailer=None
            )
            metrics = Metrics(CollectorRegistry())
            sessions = Sessions(
                self.bootstrap, self.config, slot=slot, sender=sender, metrics=metrics, clock=now_ms
            )
            running = Running(sessions, metrics)
            try:
                yield running
            finally:
                await running.stop()


class Running:
    def __init__(self, sessions: Sessions, metrics: Metrics) -> None:
        self.sessions = sessions
        self.metrics = metrics
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(sessions.run(self._stop))

    async def ready(self) -> None:
        await until(lambda: not self.sessions.missing())

    async def crash(self) -> None:
        """Ends at once: what it did is left as it is."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def stop(self) -> None:
        self._stop.set()
        if not self._task.cancelled():
            await self._task


async def until(is_true: Callable[[], object], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < end, "it did not come true"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def writer(bootstrap: str) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def put(producer: Any, *alerts: Alert) -> None:
    for alert in alerts:
        await producer.send_and_wait(ALERTS.name, codec.encode(alert), key=alert.alert_id.encode())


async def ledger_of(bootstrap: str, alert_id: str) -> list[Delivery]:
    """Every record of an alert's deliveries, in their order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        part = TopicPartition(DELIVERIES.name, partition_of(alert_id.encode(), 4))
        consumer.assign([part])
        end = (await consumer.end_offsets([part]))[part]
        found: list[Delivery] = []
        while await consumer.position(part) < end:
            fetched = await consumer.getmany(part, timeout_ms=200)
            found += [codec.decode_delivery(record.value) for record in fetched.get(part, ())]
        return [each for each in found if each.alert_id == alert_id]
    finally:
        await consumer.stop()


async def test_an_alert_is_told_in_order_and_recorded(broker: str) -> None:
    async with receiving(SECRET) as receiver, writer(broker) as producer:
        centre = Centre(broker, receiver)
        story = centre.story()
        async with centre.notifier() as it:
            await it.ready()
            await put(producer, story.fired(), story.fired())
            await until(lambda: len(receiver.arrived) == 1)
            await put(producer, story.acknowledged())
            await until(lambda: len(receiver.arrived) == 2)
            await producer.send_and_wait(ALERTS.name, b"{", key=story.now.alert_id.encode())
            await put(producer, story.resolved())
            await until(lambda: len(receiver.arrived) == 3)
            await until(lambda: not it.sessions.outbox.waiting())
            unreadable = it.metrics.registry.get_sample_value("vigie_rows_unreadable_total")
            assert unreadable is not None
            assert unreadable >= 1  # other tests write such into the same Kafka

        types = [arrival.type for arrival in receiver.arrived]
        assert types == ["alert.fired", "alert.acknowledged", "alert.resolved"]
        assert all(arrival.is_signed for arrival in receiver.arrived)
        records = await ledger_of(broker, story.now.alert_id)
        assert [each.state for each in records] == [DeliveryState.SENDING, DeliveryState.DELIVERED] * 3
        assert [each.delivery_id for each in records[1::2]] == [a.delivery_id for a in receiver.arrived]

        async with centre.notifier() as again:  # the log is read anew: nothing of it leaves twice
            await again.ready()
            await asyncio.sleep(0.5)
            assert len(receiver.arrived) == 3


async def test_a_notice_under_way_at_a_crash_comes_again_under_its_id_and_only_then(broker: str) -> None:
    async with receiving(SECRET) as receiver, writer(broker) as producer:
        centre = Centre(broker, receiver)
        story = centre.story()
        receiver.script = [Reply(delay_s=5)]
        async with centre.notifier() as it:
            await it.ready()
            await put(producer, story.fired())
            await until(lambda: len(receiver.arrived) == 1)
            await it.crash()
        async with centre.notifier() as it:
            await until(lambda: len(receiver.arrived) == 2)
            await until(lambda: not it.sessions.outbox.waiting())
            await it.crash()
        await put(producer, story.resolved())
        async with centre.notifier():
            await until(lambda: len(receiver.arrived) == 3)

        first, repeat, ended = receiver.arrived
        assert (first.delivery_id, first.body) == (repeat.delivery_id, repeat.body)
        assert (repeat.type, ended.type) == ("alert.fired", "alert.resolved")
        records = await ledger_of(broker, story.now.alert_id)
        assert [(each.state, each.attempt, each.doubtful) for each in records[:3]] == [
            (DeliveryState.SENDING, 1, False),
            (DeliveryState.SENDING, 2, True),
            (DeliveryState.DELIVERED, 2, True),
        ]


async def test_an_episode_that_came_and_went_while_nobody_was_there_is_told_to_nobody(broker: str) -> None:
    async with receiving(SECRET) as receiver, writer(broker) as producer:
        centre = Centre(broker, receiver)
        over, burning = centre.story(), centre.story()
        await put(producer, over.fired(), burning.fired(), over.resolved())
        async with centre.notifier():
            await until(lambda: len(receiver.arrived) == 1)
        assert receiver.arrived[0].data["alert_id"] == burning.now.alert_id
        states = [each.state for each in await ledger_of(broker, over.now.alert_id)]
        assert states == [DeliveryState.OVERTAKEN] * 2
        await put(producer, burning.resolved())
        async with centre.notifier():
            await until(lambda: len(receiver.arrived) == 2)


async def test_two_share_the_work_and_what_one_leaves_the_other_takes(broker: str) -> None:
    async with receiving(SECRET) as receiver, writer(broker) as producer:
        centre = Centre(broker, receiver)
        stories = [centre.story() for _ in range(12)]
        async with centre.notifier(1) as one:
            await one.ready()
            async with centre.notifier(2) as two:
                await two.ready()
                await one.ready()
                await put(producer, *(story.fired() for story in stories))
                await until(lambda: len(receiver.arrived) == len(stories))
                assert one.sessions.outbox.open_episodes
                assert two.sessions.outbox.open_episodes
            await put(producer, *(story.resolved() for story in stories))
            await until(lambda: len(receiver.arrived) == 2 * len(stories))

        fired = [a.data["alert_id"] for a in receiver.arrived if a.type == "alert.fired"]
        resolved = [a.data["alert_id"] for a in receiver.arrived if a.type == "alert.resolved"]
        assert sorted(fired) == sorted(resolved) == sorted(story.now.alert_id for story in stories)
