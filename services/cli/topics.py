"""Declares the topics of `schemas.topics` on a cluster, and refuses one whose topics differ.

The rules (`differences`, `settings_to_align`) are pure; `declare` asks the cluster and acts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, for_code
from msgspec import Struct

from schemas.errors import Misconfigured, Unavailable
from schemas.topics import TOPICS, Topic
from services.runtime.kafka import Kafka, client
from services.runtime.kafka_trouble import reason

_OK = 0
_ALREADY_THERE = 36
_MAX_REPLICAS = 3


class Declared(Struct, frozen=True, kw_only=True):
    """What `declare` did, by topic name."""

    created: list[str]
    aligned: dict[str, dict[str, str]]
    unchanged: list[str]


def differences(partitions: int, found: Mapping[str, int]) -> list[str]:
    """One sentence for each topic of ours that has another number of partitions; `found` by name."""
    return [
        f"topic {topic.name}: has {found[topic.name]} partitions, [kafka] partitions is {partitions}"
        for topic in TOPICS
        if topic.name in found and found[topic.name] != partitions
    ]


def settings_to_align(topic: Topic, found: Mapping[str, str | None]) -> dict[str, str]:
    """The settings of `topic` that the cluster holds otherwise, with the values they must have."""
    return {name: value for name, value in topic.settings.items() if found.get(name) != value}


async def declare(kafka: Kafka, partitions: int) -> Declared:
    """All topics exist afterwards with `partitions` partitions and their settings.

    Raises `Misconfigured` with every difference in partition count (nothing is changed then), and
    `Unavailable` when the cluster does not answer or does not let us.
    """
    admin = AIOKafkaAdminClient(**client(kafka), request_timeout_ms=15_000)
    try:
        await admin.start()
        declared = await _declare(admin, partitions)
        await _have_coordinator(admin)
        return declared
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {kafka} {await reason(kafka, error)}") from error
    finally:
        await admin.close()


async def _declare(admin: AIOKafkaAdminClient, partitions: int) -> Declared:
    found = await _partitions(admin)
    faults = differences(partitions, found)
    if faults:
        raise Misconfigured(*faults)
    brokers = len((await admin.describe_cluster())["brokers"])
    missing = [topic for topic in TOPICS if topic.name not in found]
    if missing:
        await _create(admin, missing, partitions=partitions, replicas=min(_MAX_REPLICAS, max(1, brokers)))
    aligned: dict[str, dict[str, str]] = {}
    for topic in TOPICS:
        if topic.name in found:
            changed = await _align(admin, topic)
            if changed:
                aligned[topic.name] = changed
    return Declared(
        created=[topic.name for topic in missing],
        aligned=aligned,
        unchanged=[name for name in found if name not in aligned],
    )


async def _have_coordinator(admin: AIOKafkaAdminClient) -> None:
    """Kafka makes its own topic for consumer groups at the first question: asked before the services do,
    which would log the failures of the first second as errors.
    """
    for _ in range(100):
        try:
            await admin.find_coordinator("vigie")
        except GroupAuthorizationFailedError:
            return  # whoever may ask makes it
        except KafkaError:
            await asyncio.sleep(0.1)
        else:
            return


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Partition counts of those of our topics that exist."""
    ours = {topic.name for topic in TOPICS}
    described = await admin.describe_topics()
    return {each["topic"]: len(each["partitions"]) for each in described if each["topic"] in ours}


async def _create(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], *, partitions: int, replicas: int
) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(
                topic.name,
                num_partitions=partitions,
                replication_factor=replicas,
                topic_configs=topic.settings,
            )
            for topic in topics
        ]
    )
    for name, code, *detail in answer.topic_errors:
        if code not in (_OK, _ALREADY_THERE):  # another `vigie` may have been quicker
            raise for_code(code)(f"{name}: {detail[0] if detail else ''}")


async def _align(admin: AIOKafkaAdminClient, topic: Topic) -> dict[str, str]:
    changed = settings_to_align(topic, await settings_of(admin, topic.name))
    if not changed:
        return {}
    answers: list[Any] = await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=topic.settings)]
    )
    for answer in answers:
        for code, detail, *_ in answer.resources:
            if code != _OK:
                raise for_code(code)(f"{topic.name}: {detail}")
    return changed


async def settings_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str | None]:
    """Every setting of the topic as the cluster has it now, its own defaults included."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    for code, detail, *_ in (resource for answer in answers for resource in answer.resources):
        if code != _OK:
            raise for_code(code)(f"{topic}: {detail}")
    return {
        name: value for answer in answers for resource in answer.resources for name, value, *_ in resource[4]
    }
