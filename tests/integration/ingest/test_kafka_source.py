"""CloudEvents from a topic of somebody else, in the real Kafka."""

import json
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.config import SourceConfig
from schemas.errors import Unavailable
from schemas.events import ContactEnded, SourceHeartbeat
from services.ingest.adapters.kafka.connect import run
from services.ingest.publisher import Message
from tests.doubles.running_source import Running, until

pytestmark = pytest.mark.broker

MEDIA = [("content-type", b"application/cloudevents+json")]


@pytest.fixture
async def topic(broker: str) -> AsyncIterator[str]:
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])
    yield name
    await admin.delete_topics([name])
    await admin.close()


async def write(broker: str, topic: str, *ids: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    for number, id_ in enumerate(ids):
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": "/crm",
            "type": "vigie.contact.ended.v1",
            "time": "2026-11-22T10:00:00Z",
            "data": {"contact": id_},
        }
        value = json.dumps(event).encode()
        await producer.send_and_wait(topic, value, headers=MEDIA, partition=number % 2)
    await producer.stop()


def source(topic: str, **more: object) -> SourceConfig:
    return SourceConfig(id=topic, kind="kafka", site="paris", topic=topic, **more)  # type: ignore[arg-type] # real fields


def ended(it: Running) -> list[str]:
    return sorted(event.contact for event in it.heard.events if isinstance(event, ContactEnded))


async def test_a_topic_is_read_from_as_far_back_as_is_said_and_goes_on(broker: str, topic: str) -> None:
    await write(broker, topic, "a", "b")
    async with Running(source(topic, backfill_s=3600.0), run, kafka=broker).ending() as it:
        await until(lambda: ended(it) == ["a", "b"])
        await write(broker, topic, "c")
        await until(lambda: ended(it) == ["a", "b", "c"])
        await until(lambda: it.heard.of(SourceHeartbeat))
        assert it.is_up()


async def test_the_next_start_goes_on_where_the_last_one_was(broker: str, topic: str) -> None:
    await write(broker, topic, "a", "b")
    async with Running(source(topic, backfill_s=3600.0), run, kafka=broker).ending() as it:
        await until(lambda: ended(it) == ["a", "b"])
    await write(broker, topic, "c", "d")
    async with Running(source(topic, backfill_s=3600.0), run, kafka=broker).ending() as again:
        await until(lambda: {"c", "d"} <= set(ended(again)))

    assert ended(again) in (["c", "d"], ["a", "b", "c", "d"])  # what was told may be told again


async def test_what_our_log_has_not_taken_is_read_again(broker: str, topic: str) -> None:
    tries = 0
    taken: list[Message] = []

    async def takes_the_second_time(messages: Sequence[Message]) -> None:
        nonlocal tries
        told = [each for each in messages if isinstance(each, ContactEnded)]
        tries += bool(told)
        if told and tries == 1:
            raise Unavailable("the log does not answer")
        taken.extend(told)

    it = Running(source(topic, backfill_s=3600.0), run, kafka=broker, send=takes_the_second_time)
    async with it.ending():
        await write(broker, topic, "a")
        await until(lambda: taken)

    assert tries >= 2


async def test_a_topic_that_is_not_there_is_said(broker: str) -> None:
    async with Running(source("nowhere"), run, kafka=broker).ending() as it:
        await until(lambda: it.report.status("i").reason)
        assert "nowhere" in str(it.report.status("i").reason)


async def test_a_kafka_that_is_not_there_is_said() -> None:
    async with Running(source("t", bootstrap="127.0.0.1:9"), run).ending() as it:
        await until(lambda: it.report.status("i").reason)
        assert str(it.report.status("i").reason).startswith("Kafka: ")
