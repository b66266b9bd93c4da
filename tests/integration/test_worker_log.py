"""One worker on one broker: its log, its deadlines, its refusals."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas import codec
from schemas.events import QueueEntered
from schemas.topics import ALERTS, EVENTS, STATE, partition_of
from services.aggregator.state_log import OtherWriter, StateLog, create_producer
from services.cli.broker import EmbeddedBroker
from services.cli.topics import declare
from services.runtime.clock import now_ms
from tests.integration.crash_worker import PARTITIONS, WorkerProcess, read, read_state, until, until_owned
from tests.integration.worker_main import WAIT_LIMIT_S

pytestmark = pytest.mark.broker

_MAIN = partition_of(b"main", PARTITIONS)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker whose partitions the workers of this file have for themselves."""
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka")) as broker:
        asyncio.run(declare(broker.bootstrap, PARTITIONS))
        yield broker.bootstrap


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker whose `vigie.state` no worker can use."""
    with EmbeddedBroker(tmp_path_factory.mktemp("spoilt")) as broker:
        asyncio.run(declare(broker.bootstrap, PARTITIONS))
        yield broker.bootstrap


@pytest.fixture
def worker(kafka: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker that is not started yet; it is gone after the test."""
    yield from _worker(kafka, tmp_path)


@pytest.fixture
def spoilt_worker(spoilt: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    yield from _worker(spoilt, tmp_path)


def _worker(bootstrap: str, folder: Path) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(bootstrap, folder)
    yield worker
    if worker.process is not None:
        worker.end(signal.SIGKILL)


async def _send(bootstrap: str, queue: str, *contacts: str) -> int:
    """Sends an event per contact; gives the offset of the last."""
    offset = -1
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for contact in contacts:
            event = QueueEntered(
                id=f"{contact}-entered",
                source="pbx1",
                site="main",
                queue=queue,
                contact=contact,
                occurred_ms=now_ms(),
                received_ms=now_ms(),
            )
            sent = await producer.send_and_wait(
                EVENTS.name, codec.encode(event), key=b"main", partition=_MAIN
            )
            offset = sent.offset
    finally:
        await producer.stop()
    return offset


async def _until_applied(bootstrap: str, offset: int) -> None:
    async def applied() -> bool:
        return (await read_state(bootstrap))[_MAIN].applied >= offset

    await until(applied, within_s=60, what=f"offset {offset} is applied")


async def test_deadline_alert_comes_with_no_event_arriving(worker: WorkerProcess) -> None:
    worker.start()
    await until_owned([worker])
    await _send(worker.bootstrap, "alerts", "waits")

    async def alerted() -> bool:
        return bool(await read(worker.bootstrap, ALERTS.name))

    await until(alerted, within_s=60, what="an alert")
    (record,) = await read(worker.bootstrap, ALERTS.name)
    alert = json.loads(record.value)
    assert 0 <= alert["at_ms"] - alert["crossed_ms"] < WAIT_LIMIT_S * 1000


async def test_sigterm_ends_with_0_and_a_second_start_goes_on(worker: WorkerProcess) -> None:
    worker.start()
    await until_owned([worker])
    await _until_applied(worker.bootstrap, await _send(worker.bootstrap, "twice", "a", "b"))
    assert await asyncio.to_thread(worker.end) == 0
    last = await _send(worker.bootstrap, "twice", "c")
    worker.start()
    await _until_applied(worker.bootstrap, last)
    tally = (await read_state(worker.bootstrap))[_MAIN].tallies["main", "twice"]
    assert (tally.events, len(tally.waiting)) == (3, 3)


async def test_log_that_starts_after_applied_is_said_once_and_passed(worker: WorkerProcess) -> None:
    worker.start()
    await until_owned([worker])
    await _until_applied(worker.bootstrap, await _send(worker.bootstrap, "gone", "a", "b"))
    await asyncio.to_thread(worker.end)
    last = await _send(worker.bootstrap, "gone", "c", "d", "e")
    await _delete_before(worker.bootstrap, last)
    worker.start()
    await _until_applied(worker.bootstrap, last)
    assert worker.log.read_text().count("log_starts_after_applied") == 1
    alerts = await read(worker.bootstrap, ALERTS.name)
    assert any(b'"gap|' in (record.value or b"") for record in alerts)
    assert (await read_state(worker.bootstrap))[_MAIN].tallies["main", "gone"].events == 3
    assert worker.running.poll() is None


async def test_state_that_cannot_be_read_ends_the_process(spoilt_worker: WorkerProcess) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=spoilt_worker.bootstrap)
    await producer.start()
    await producer.send_and_wait(STATE.name, b"not ours", key=b"not ours", partition=1)
    await producer.stop()
    spoilt_worker.start()
    assert await asyncio.to_thread(spoilt_worker.running.wait, 60) == 1
    assert "not written by an aggregator" in spoilt_worker.log.read_text()


async def test_of_two_writers_the_second_learns_that_its_batch_is_void(spoilt: str) -> None:
    first, second = create_producer(spoilt), create_producer(spoilt)
    await first.start()
    await second.start()
    try:
        one, two = StateLog(first, spoilt), StateLog(second, spoilt)
        await one.load([0])
        await two.load([0])
        await one.append(0, [(b"a", b"of one"), (b"b", b"of one")])
        with pytest.raises(OtherWriter):
            await two.append(0, [(b"a", b"of two"), (b"c", b"of two")])
        with pytest.raises(OtherWriter):
            await one.append(0, [(b"b", b"void as well")])
        loaded = (await one.load([0]))[0]
        assert loaded.records == {b"a": b"of one", b"b": b"of one"}
        assert loaded.hidden == {b"a": b"of one", b"b": b"of one", b"c": None}
        await one.append(0, [*loaded.hidden.items(), (b"b", b"newer")])
        again = (await two.load([0]))[0]
        assert again.records == {b"a": b"of one", b"b": b"newer"}
        assert again.hidden == {}
    finally:
        await first.stop()
        await second.stop()


async def _delete_before(bootstrap: str, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(EVENTS.name, _MAIN): RecordsToDelete(before_offset=offset)}
        )
    finally:
        await admin.close()
