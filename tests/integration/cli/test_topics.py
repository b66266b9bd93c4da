"""Topics on a real Kafka: declared once, checked afterwards, refused when their partitions differ."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.errors import Misconfigured, Unavailable
from schemas.topics import EVENTS, STATE, TOPICS, Topic
from services.cli import topics
from services.cli.__main__ import main
from services.cli.broker import EmbeddedBroker, free_ports

pytestmark = pytest.mark.broker


async def test_declaring_again_changes_nothing(broker: str) -> None:
    declared = await topics.declare(broker, 4)

    assert declared.created == []
    assert declared.aligned == {}
    assert sorted(declared.unchanged) == sorted(topic.name for topic in TOPICS)


async def test_every_difference_in_partitions_is_named(broker: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        await topics.declare(broker, 7)

    assert len(refused.value.faults) == len(TOPICS)
    assert refused.value.faults[0] == "topic vigie.events: has 4 partitions, [kafka] partitions is 7"


def test_a_setting_that_differs_is_put_right(own_broker: EmbeddedBroker) -> None:
    bootstrap = own_broker.bootstrap

    async def change_then_declare() -> topics.Declared:
        await _set(bootstrap, EVENTS, "retention.ms", "1000")
        return await topics.declare(bootstrap, 4)

    declared = asyncio.run(change_then_declare())

    assert declared.aligned == {EVENTS.name: {"retention.ms": EVENTS.settings["retention.ms"]}}
    assert STATE.name in declared.unchanged


async def _set(bootstrap: str, topic: Topic, name: str, value: str) -> None:
    """Changes one setting, and waits until the broker tells it: Kafka applies them a moment later."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**topic.settings, name: value})
    await admin.alter_configs([resource])
    while (await topics.settings_of(admin, topic.name))[name] != value:  # noqa: ASYNC110 (Kafka has no event for it)
        await asyncio.sleep(0.02)
    await admin.close()


async def test_a_cluster_that_is_not_there_is_unavailable() -> None:
    [port] = free_ports(1)
    with pytest.raises(Unavailable, match="does not answer"):
        await topics.declare(f"127.0.0.1:{port}", 4)


def test_the_command_says_what_it_found(
    broker: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[kafka]\npartitions = 6\n")

    assert main(["topics", "--kafka", broker]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: as it should be" for name in sorted(topic.name for topic in TOPICS)
    ]
    assert main(["topics", "--kafka", broker, "--config", str(other)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == len(TOPICS)
