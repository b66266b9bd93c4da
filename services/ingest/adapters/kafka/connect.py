"""Reads CloudEvents from a topic of somebody else, as a consumer group: two processes share its partitions.

An offset is committed once what it told is in our log; a crash in between tells it twice, and ids make
that harmless.
"""

import asyncio
import contextlib
import time
import uuid
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import SourceConfig
from schemas.errors import Unavailable
from services.ingest.adapters.kafka.translate import Record, Translator
from services.ingest.facts import Facts
from services.ingest.handover import hand_over
from services.ingest.line import Lost, Patience, keep, until_stopped
from services.ingest.tools import Tools
from services.ingest.translated import Translated
from services.runtime.kafka import Kafka, client
from services.runtime.kafka_trouble import reason

START_S = 15.0
CLOSE_S = 5.0
BEAT_S = 5.0
FETCH_RECORDS = 500
FETCH_MS = 500


async def run(source: SourceConfig, tools: Tools, *, patience: Patience | None = None) -> None:
    """Reads the topic until told to stop."""
    talk = partial(_talk, source, tools, _kafka(source, tools))
    work = keep(talk, report=tools.report, patience=patience or Patience())
    await until_stopped(work, report=tools.report, stop=tools.stop)


def _kafka(source: SourceConfig, tools: Tools) -> Kafka:
    """The source's own address, which asks for nothing; else the Kafka of our log, as whom we are there."""
    kafka = source.bootstrap or tools.kafka
    assert kafka is not None  # every ingest has a log
    return kafka


async def _talk(source: SourceConfig, tools: Tools, kafka: Kafka) -> None:
    topic = source.topic or ""
    try:
        consumer = AIOKafkaConsumer(
            **client(kafka),
            client_id="vigie-ingest-source",
            group_id=_group(source, tools),
            enable_auto_commit=False,
            auto_offset_reset="latest",
            request_timeout_ms=10_000,
        )
        try:
            async with asyncio.timeout(START_S):
                await consumer.start()
                if topic not in await consumer.topics():
                    raise Lost(f"topic {topic} is not there, or may not be read")
                await _join(consumer, topic, source, tools)
            tools.report.up()
            await _read(consumer, source, tools)
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await consumer.stop()
    except (KafkaError, Unavailable, OSError, TimeoutError) as error:
        raise Lost(f"Kafka: {await reason(kafka, error)}") from error


async def _join(consumer: Any, topic: str, source: SourceConfig, tools: Tools) -> None:
    """A group that is new begins so long ago as the settings say; left out: with what comes from now on."""
    consumer.subscribe([topic])
    if source.backfill_s is None:
        return
    while not consumer.assignment():  # noqa: ASYNC110 - the group's coordinator says when
        await asyncio.sleep(0.05)
    since_ms = tools.clock() - round(source.backfill_s * 1000)
    for part in consumer.assignment():
        if await consumer.committed(part) is None:
            found = (await consumer.offsets_for_times({part: since_ms}))[part]
            if found is not None:
                consumer.seek(part, found.offset)


def _group(source: SourceConfig, tools: Tools) -> str:
    """A trial takes no partition from those who work."""
    return f"vigie-trial-{uuid.uuid4().hex}" if tools.is_trial else f"vigie-source-{source.id}"


async def _read(consumer: Any, source: SourceConfig, tools: Tools) -> None:
    translator, facts = Translator(source, tools.pseudonyms), Facts(source)
    beat_s = time.monotonic()
    while True:
        fetch = await consumer.getmany(timeout_ms=FETCH_MS, max_records=FETCH_RECORDS)
        told = Translated()
        for record in (record for records in fetch.values() for record in records):
            told.add(translator.record(_plain(record), tools.clock()))
        if time.monotonic() >= beat_s and await _is_there(consumer):
            beat_s = time.monotonic() + BEAT_S
            facts.received_ms = tools.clock()
            facts.heartbeat(None)
            told.events += facts.take()
        if told.events or fetch:
            await hand_over(told, put=tools.send, report=tools.report, clock=tools.clock)
        if fetch and not tools.is_trial:
            await consumer.commit(_behind(fetch))


async def _is_there(consumer: Any) -> bool:
    """Whether the topic answers; raises what aiokafka raises."""
    parts = list(consumer.assignment())
    if parts:
        async with asyncio.timeout(START_S):
            await consumer.end_offsets(parts[:1])
    return True


def _plain(record: Any) -> Record:
    return Record(record.headers, record.value, record.timestamp)


def _behind(fetch: dict[TopicPartition, list[Any]]) -> dict[TopicPartition, int]:
    return {part: records[-1].offset + 1 for part, records in fetch.items() if records}
