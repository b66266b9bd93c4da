"""The whole of Vigie as people start it, `vigie up`, and what a test tells it, asks it and does to it.

One system serves every module that needs one: each has queues of its own, named in the file below.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from schemas.board import Alert
from schemas.codec import decode_alert, encode
from schemas.config import KafkaConfig
from schemas.topics import ALERTS
from services.cli.broker import free_ports
from services.runtime.clock import now_ms
from tests.doubles.started import PATIENCE_S, Started

SERVICES = ("ingest", "aggregator", "api", "notifier")
SITE = "paris"
WAIT_LIMIT_S = 3
"""Short, so that a test need not wait two minutes; unit tests keep to the default."""

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_QUEUES = ("waits", "snoozes", "page", "spoiled", "scraped")
_SETTINGS = f"""
[[sites]]
id = "{SITE}"
label = "Paris"
time_zone = "Europe/Paris"
""" + "".join(
    f"""
[[queues]]
id = "{queue}"
site = "{SITE}"
label = "Queue {queue}"
wait_limit_s = {WAIT_LIMIT_S}
"""
    for queue in _QUEUES
)


class Arrived(Struct, frozen=True):
    """An alert as it came from its topic. `at_ms`: when we had read it."""

    alert: Alert
    at_ms: int


class AlertLog:
    """What stands in `vigie.alerts`, as it arrives."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self._changed = asyncio.Condition()

    def of(self, queue: str) -> list[Alert]:
        return [each.alert for each in self.arrived if each.alert.queue == queue]

    async def first(self, wanted: Callable[[Alert], bool]) -> Arrived:
        """The first that is wanted, once it is there."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: any(wanted(each.alert) for each in self.arrived))
        return next(each for each in self.arrived if wanted(each.alert))

    def contents(self) -> dict[tuple[str, int], set[bytes]]:
        """Every wording of each (alert_id, version), the answers to commands left aside."""
        found: dict[tuple[str, int], set[bytes]] = {}
        for alert in (each.alert for each in self.arrived if each.alert.accepted is not False):
            found.setdefault((alert.alert_id, alert.version), set()).add(encode(alert))
        return found

    async def follow(self, bootstrap: str, ready: asyncio.Event) -> None:
        """Reads the topic from its start, for ever."""
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(ALERTS.name, n) for n in range(KafkaConfig().partitions)])
            ready.set()
            async for record in consumer:
                async with self._changed:
                    self.arrived.append(Arrived(decode_alert(record.value), now_ms()))
                    self._changed.notify_all()
        finally:
            await consumer.stop()


class RunningSystem:
    """Addresses, processes and the log of one `vigie up`."""

    def __init__(self, started: Started, addresses: dict[str, str]) -> None:
        self.started = started
        self.addresses = addresses
        self.bootstrap = started.wait_for(" kafka_ready ").split("address=")[1].split()[0]
        started.wait_for("Wallboard: ")
        self._told = 0

    @property
    def pids(self) -> dict[str, int]:
        return self.started.pids()

    async def tell(self, name: str, *, at_ms: int | None = None, **data: Any) -> None:
        """Posts one event of the site; it is in the log when this returns."""
        self._told += 1
        posted = {"specversion": "1.0", "id": f"told-{self._told}", "source": "tests", "site": SITE}
        posted |= {"type": f"vigie.{name}.v1", "data": data}  # type: ignore[dict-item]
        if at_ms is not None:
            posted["time"] = iso(at_ms)
        assert await self.post(json.dumps(posted).encode()) == (202, {"accepted": 1, "rejected": []})

    async def post(self, content: bytes, media: str | None = STRUCTURED) -> tuple[int, dict[str, Any]]:
        """What ingest answers to a body."""
        headers = {} if media is None else {"content-type": media}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"http://{self.addresses['ingest']}/v1/events", data=content, headers=headers) as said,
        ):
            return said.status, await said.json()

    async def row(self, queue: str) -> dict[str, Any]:
        """A queue as the api shows it now."""
        status, text = await self.get("api", f"/api/v1/queues/{queue}?site={SITE}")
        assert status == 200, text
        row: dict[str, Any] = json.loads(text)
        return row

    async def get(self, service: str, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{self.addresses[service]}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def act(self, alert_id: str, action: str, **said: Any) -> tuple[int, dict[str, Any]]:
        """What the api answers to somebody who acts on an alert."""
        path = f"http://{self.addresses['api']}/api/v1/alerts/{alert_id}/{action}"
        async with aiohttp.ClientSession() as http, http.post(path, json={"by": "lea", **said}) as answer:
            return answer.status, await answer.json()

    async def unready(self) -> dict[str, str]:
        """Which services are not ready, and what they say."""
        answers = {name: await self.get(name, "/health/ready") for name in SERVICES}
        return {name: text for name, (status, text) in answers.items() if status != 200}

    async def well(self) -> None:
        """Every service is ready (again)."""

        async def is_well() -> bool:
            return not await self.unready()

        await until(is_well, "every service is ready again")

    async def lag(self) -> float:
        """Events in the log that are not folded yet."""
        _, text = await self.get("aggregator", "/metrics")
        return next(
            float(line.split()[1])
            for line in text.splitlines()
            if line.startswith("vigie_consumer_lag_events ")
        )

    def signal(self, process: str, number: signal.Signals) -> None:
        os.kill(self.pids[process], number)

    @contextlib.asynccontextmanager
    async def alerts(self) -> AsyncIterator[AlertLog]:
        """The alerts, read while the block runs."""
        log, ready = AlertLog(), asyncio.Event()
        reading = asyncio.create_task(log.follow(self.bootstrap, ready))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ready.wait()
            yield log
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading


async def until(is_so: Callable[[], Any], what: str) -> float:
    """Asks again until the awaitable that `is_so` gives is true; gives the seconds it took."""
    begun_s = time.monotonic()
    while not await is_so():
        assert time.monotonic() - begun_s < PATIENCE_S, what
        await asyncio.sleep(0.05)
    return time.monotonic() - begun_s


def iso(at_ms: int) -> str:
    """An instant as CloudEvents writes it."""
    seconds, ms = divmod(at_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"


def prepare(folder: Path, settings_text: str = _SETTINGS) -> tuple[list[str], dict[str, str]]:
    """Writes `vigie.toml` with free ports; gives the command that starts it, and the addresses.

    `settings_text` says what follows the addresses. The data will be in the folder.
    """
    ports = free_ports(len(SERVICES))
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(SERVICES, ports, strict=True)}
    settings = folder / "vigie.toml"
    http = "".join(f'{name} = "{address}"\n' for name, address in addresses.items())
    settings.write_text(f"[http]\n{http}{settings_text}")
    command = [
        sys.executable,
        "-m",
        "services.cli",
        "up",
        f"--config={settings}",
        f"--data={folder / 'data'}",
    ]
    return command, addresses


@contextlib.contextmanager
def running_system(
    folder: Path, settings_text: str = _SETTINGS, *, env: dict[str, str] | None = None
) -> Iterator[RunningSystem]:
    """Starts it on free ports, its data in the folder; asks it to end at the end, and sees that it does."""
    command, addresses = prepare(folder, settings_text)
    with Started(command, env=env) as started:
        yield RunningSystem(started, addresses)
        started.process.send_signal(signal.SIGTERM)
        assert started.wait_for_end() == 0
