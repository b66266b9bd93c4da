"""`vigie verify` beside a real aggregator: no difference after a kill under load; what is forged is found."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from msgspec import structs

from schemas import codec
from schemas.board import QueueRow, SiteRow
from schemas.deliveries import ChannelKind, Delivery, DeliveryState
from schemas.recipients import delivery_id
from schemas.topics import ALERTS, DELIVERIES, SNAPSHOTS, partition_of
from schemas.vocabulary import AlertState, Freshness, Notice
from services.cli.broker import EmbeddedBroker
from services.runtime.clock import now_ms
from tests.integration.core_load import SITES, Load, queues_of
from tests.integration.core_verdict import read_applied
from tests.integration.crash_core import CoreWorker, ends
from tests.integration.crash_worker import ROOT, read, until, until_owned

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_a_killed_worker_leaves_no_difference_and_what_is_forged_is_found(
    own_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    bootstrap = own_broker.bootstrap
    load, worker = Load(bootstrap, rate=100, seed=5), CoreWorker(bootstrap, tmp_path)
    worker.start()
    loading = asyncio.create_task(load.run())
    try:
        await until_owned([worker])
        await until(lambda: _told(bootstrap, 5), within_s=120, what="some alerts")
        worker.end(signal.SIGKILL)
        worker.start()
        await until_owned([worker])
        code, beside = await _verify(worker)
        assert (code, beside["differences"]) == (0, [])

        load.quiet.set()
        await until(lambda: _is_folded(bootstrap), within_s=120, what="the whole log is folded")
        await until(lambda: _is_live(bootstrap, now_ms()), within_s=120, what="the board is live")
        load.stop.set()
        await loading
    finally:
        loading.cancel()
        worker.end()

    code, found = await _verify(worker)
    assert (code, found["differences"]) == (0, [])
    assert found["equal"] is True
    assert {"queue rows", "site rows", "agent rows"} <= found["compared"].keys()
    assert found["compared"]["wait episodes with their ends"] >= 5

    row = await _tamper_a_row(bootstrap)
    alert_id = await _forge_an_alert(bootstrap)
    forged_id = await _forge_a_delivery(bootstrap)
    code, found = await _verify(worker)
    assert code == 1
    assert found["equal"] is False
    assert [each["what"] for each in found["differences"]] == [
        "row",
        "alert",
        "alert",
        "delivery",
        "delivery",
    ]
    assert found["differences"][0]["name"] == row
    assert found["differences"][0]["detail"].startswith("waiting: ")
    assert all(each["name"].startswith(alert_id) for each in found["differences"][1:3])
    assert all(each["name"].startswith(forged_id) for each in found["differences"][3:])
    assert [each["detail"] for each in found["differences"][3:]] == [
        "delivered (try 1), and no record that it was sent",
        "the settings know no such person and channel",
    ]

    other = next(site for site in SITES if f'"{site}"' not in row and site != "paris")
    code, found = await _verify(worker, f"--site={other}")
    assert (code, found["differences"]) == (0, [])
    assert found["compared"]["site rows"] == 1


async def test_without_kafka_or_with_another_count_it_says_so(broker: str, tmp_path: Path) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text("[kafka]\npartitions = 7\n")

    ended = await _run("--kafka", broker, "--config", str(file))
    assert ended.returncode == 2
    assert "[kafka] partitions = 7, and vigie.events has 4" in ended.stderr

    ended = await _run("--kafka", "127.0.0.1:1")
    assert ended.returncode == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in ended.stderr


async def _verify(worker: CoreWorker, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and what it found."""
    file = worker.data / f"vigie-{worker.slot}.toml"
    ended = await _run("--kafka", worker.bootstrap, "--config", str(file), "--json", *words)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


async def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.cli", "verify", *words]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=120
    )


async def _told(bootstrap: str, count: int) -> bool:
    alerts = [codec.decode_alert(record.value) for record in await read(bootstrap, ALERTS.name)]
    return len({a.alert_id for a in alerts if a.state is AlertState.RESOLVED}) >= count


async def _is_folded(bootstrap: str) -> bool:
    wanted = await ends(bootstrap)
    applied = await read_applied(bootstrap)
    return all(offset >= end - 1 for offset, end in zip(applied, wanted, strict=True))


async def _is_live(bootstrap: str, since_ms: int) -> bool:
    rows = [codec.decode_row("site", r.value) for r in _newest(await read(bootstrap, SNAPSHOTS.name), "site")]
    live = [r for r in rows if isinstance(r, SiteRow) and r.freshness is Freshness.LIVE]
    return len(live) == len(SITES) and all(r.as_of_ms > since_ms - 5000 for r in live)


def _newest(log: Iterable[ConsumerRecord], kind: str) -> list[ConsumerRecord]:
    newest = {record.key: record for record in log if codec.decode_key(record.key)[0] == kind}
    return [newest[key] for key in sorted(newest)]


async def _tamper_a_row(bootstrap: str) -> str:
    """Says of one queue that one more is waiting, as of the same event and instant."""
    record = _newest(await read(bootstrap, SNAPSHOTS.name), "queue")[0]
    row = codec.decode_row("queue", record.value)
    assert isinstance(row, QueueRow)
    value = codec.encode(structs.replace(row, waiting=row.waiting + 1))
    headers = list(record.headers)
    await _write(bootstrap, SNAPSHOTS.name, record.key, value, partition=record.partition, headers=headers)
    return str(record.key.decode())


async def _forge_an_alert(bootstrap: str) -> str:
    """Tells of a wait in Paris that nobody had."""
    alerts = [codec.decode_alert(record.value) for record in await read(bootstrap, ALERTS.name)]
    model = next(a for a in alerts if a.state is AlertState.FIRING and a.queue in queues_of("paris"))
    forged = structs.replace(model, alert_id="f" * 16, site="paris", version=1)
    await _write(bootstrap, ALERTS.name, forged.alert_id.encode(), codec.encode(forged))
    return forged.alert_id


async def _forge_a_delivery(bootstrap: str) -> str:
    """Records of an alert that somebody was told of whom nobody knows, without a record of the sending."""
    alerts = [codec.decode_alert(record.value) for record in await read(bootstrap, ALERTS.name)]
    told = next(a for a in alerts if a.notice is Notice.FIRED and a.site == "paris" and a.queue)
    forged = Delivery(
        delivery_id=delivery_id(told.alert_id, told.version, channel="webhook", person="eve"),
        alert_id=told.alert_id,
        version=told.version,
        notice=Notice.FIRED,
        site=told.site,
        queue=told.queue,
        person="eve",
        channel="webhook",
        kind=ChannelKind.WEBHOOK,
        state=DeliveryState.DELIVERED,
        since_ms=now_ms(),
        at_ms=now_ms(),
        attempt=1,
    )
    place = partition_of(told.alert_id.encode(), 4)
    key = codec.delivery_key(told.alert_id, "eve", "webhook")
    await _write(bootstrap, DELIVERIES.name, key, codec.encode(forged), partition=place)
    return forged.delivery_id


async def _write(bootstrap: str, topic: str, key: bytes, value: bytes, **where: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, **where)
    finally:
        await producer.stop()
