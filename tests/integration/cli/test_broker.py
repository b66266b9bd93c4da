"""The embedded Kafka as it runs: its data survive a power cut, its folder and ports are its own."""

import asyncio
import shutil
import socket
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.errors import Misconfigured, Unavailable
from schemas.topics import EVENTS
from services.cli import jars
from services.cli.broker import EmbeddedBroker, answers, free_ports, prepare

pytestmark = pytest.mark.broker


def test_a_killed_broker_comes_back_with_its_data_beside_another(
    own_broker: EmbeddedBroker, broker: str
) -> None:
    asyncio.run(_write(own_broker.bootstrap, b"before the power cut"))
    with pytest.raises(Misconfigured, match="another Vigie runs in this folder"):
        prepare(own_broker.folder)

    own_broker.kill()
    assert not asyncio.run(answers(own_broker.bootstrap))
    own_broker.start()

    assert asyncio.run(_read(own_broker.bootstrap)) == b"before the power cut"
    assert own_broker.bootstrap != broker
    assert asyncio.run(answers(broker))


def test_a_port_that_somebody_took_meanwhile_is_named(tmp_path: Path) -> None:
    prepared = prepare(tmp_path)
    prepared.lock.close()
    port = int(prepared.bootstrap.split(":")[1])
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", port))
        somebody.listen()
        with pytest.raises(Misconfigured, match=f"listens on port {port}, which another program has taken"):
            prepare(tmp_path)

    again = prepare(tmp_path)
    again.lock.close()
    assert again.bootstrap == prepared.bootstrap
    assert (tmp_path / "address").read_text() == prepared.bootstrap


async def test_nobody_there_is_no_answer() -> None:
    [port] = free_ports(1)
    assert not await answers(f"127.0.0.1:{port}")


def test_jars_are_taken_only_with_their_pinned_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One truncated jar stands in the download folder, and nothing can be fetched: it is refused."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    first = jars.pinned()[0]
    target = (
        tmp_path / "maven" / Path(*first.group.split("."), first.artifact, first.version, first.file_name)
    )
    target.parent.mkdir(parents=True)
    whole = jars.ensure() / first.file_name
    target.write_bytes(whole.read_bytes()[:-1])

    with pytest.raises(Unavailable, match=r"cannot be fetched .* --kafka HOST:PORT"):
        jars.ensure(tmp_path)

    assert [path.name for path in tmp_path.glob("kafka-*")] == [f"{jars.ensure().name}.partial"]


def test_whole_jars_in_the_download_folder_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    for jar in jars.pinned():
        target = tmp_path / "maven" / Path(*jar.group.split("."), jar.artifact, jar.version, jar.file_name)
        target.parent.mkdir(parents=True)
        shutil.copyfile(jars.ensure() / jar.file_name, target)

    folder = jars.ensure(tmp_path)

    assert sorted(path.name for path in folder.iterdir()) == sorted(jar.file_name for jar in jars.pinned())
    assert not (tmp_path / "maven").exists()


async def _write(bootstrap: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait(EVENTS.name, value, partition=0)
    await producer.stop()


async def _read(bootstrap: str) -> bytes | None:
    consumer = AIOKafkaConsumer(EVENTS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    value: bytes | None = record.value
    return value
