"""Real worker processes on a real broker, hurt at random instants under load; then a count.

What must hold whatever was done to them: the state is a fold of the log to the unit, no alert
(id, version) has two contents, none is lost, none came early. As a script:
`python -m tests.integration.crash_worker --kills 20 [--workers 2] [--seed N] [--kafka HOST:PORT]`.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from schemas import codec
from schemas.config import Config, KafkaConfig
from schemas.events import QueueEntered, QueueLeft
from schemas.topics import ALERTS, EVENTS, partition_of
from schemas.vocabulary import Outcome
from services.aggregator.state_log import StateLog, create_producer
from services.cli.broker import EmbeddedBroker
from services.cli.topics import declare
from services.runtime.clock import now_ms
from tests.doubles.counting_partition import CountingPartition, QueueId
from tests.integration import worker_main

PARTITIONS = KafkaConfig().partitions
ROOT = Path(__file__).parents[2]


@dataclass
class WorkerProcess:
    """One worker process in its slot; may be killed, frozen and started again."""

    bootstrap: str
    data: Path
    slot: int = 0
    session_s: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    patience_s: float = 30.0

    def start(self) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", worker_main.__name__, self.bootstrap, str(self.data)]
        command += ["--slot", str(self.slot), "--session", str(self.session_s), "--port", str(self.port)]
        command += ["--patience", str(self.patience_s)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, cwd=ROOT)

    @property
    def log(self) -> Path:
        return self.data / f"worker-{self.slot}.log"

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "start() comes first"
        return self.process

    def send(self, number: signal.Signals) -> None:
        self.running.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = 30.0) -> int:
        """Sends a signal and waits for the end; gives the exit code."""
        if self.running.poll() is None:
            self.send(number)
            if number is not signal.SIGKILL:
                self.send(signal.SIGCONT)
        return self.running.wait(within_s)

    async def ready(self) -> list[int] | None:
        """The partitions it works on; None while it does not work."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as client,
                client.get(f"http://127.0.0.1:{self.port}/health/ready") as answer,
            ):
                body = await answer.json()
                return body["partitions"] if answer.status == 200 else None
        except (OSError, aiohttp.ClientError, TimeoutError):
            return None


@dataclass
class Load:
    """Events at a steady rate from a seed, until told to stop; `forever` are contacts that stay waiting."""

    bootstrap: str
    rate: int
    seed: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    forever: set[str] = field(default_factory=set)

    async def run(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        pending: list[asyncio.Future[object]] = []
        rng, started, step = random.Random(self.seed), time.monotonic(), max(1, self.rate // 100)
        try:
            while not self.stop.is_set():
                for _ in range(step):
                    event = self._next(rng)
                    key = event.site.encode()
                    pending.append(
                        await producer.send(
                            EVENTS.name, codec.encode(event), key=key, partition=partition_of(key, PARTITIONS)
                        )
                    )
                await asyncio.sleep(max(0.0, started + self.sent / self.rate - time.monotonic()))
            await asyncio.gather(*pending)
        finally:
            await producer.stop()

    def _next(self, rng: random.Random) -> QueueEntered | QueueLeft:
        number, now = self.sent, now_ms()
        self.sent += 1
        if number % 100 == 0:
            contact = f"stays-{self.seed}-{number}"
            self.forever.add(contact)
            return _entered(contact, site="main", queue="alerts", at=now)
        contact, site, queue = f"c-{number // 2}", f"site-{rng.randrange(16)}", f"queue-{rng.randrange(12)}"
        if number % 2:
            return _entered(contact, site=site, queue=queue, at=now)
        return QueueLeft(
            id=f"{contact}-left",
            source="pbx1",
            site=site,
            queue=queue,
            contact=contact,
            outcome=Outcome.ANSWERED,
            occurred_ms=now,
            received_ms=now,
        )


def _entered(contact: str, *, site: str, queue: str, at: int) -> QueueEntered:
    return QueueEntered(
        id=f"{contact}-entered",
        source="pbx1",
        site=site,
        queue=queue,
        contact=contact,
        occurred_ms=at,
        received_ms=at,
    )


@dataclass
class Verdict:
    """What was found; `faults` is empty when all holds."""

    events: int = 0
    alerts: int = 0
    repeats: int = 0
    faults: list[str] = field(default_factory=list)


async def verify(bootstrap: str, load: Load) -> Verdict:
    """Folds the whole log anew and compares it with the state and the alerts that the workers left."""
    verdict = Verdict()
    folded = fold_afresh(await read(bootstrap, EVENTS.name))
    for number, partition in (await read_state(bootstrap)).items():
        afresh = folded[number]
        verdict.events += afresh.applied + 1
        if partition.applied != afresh.applied:
            verdict.faults.append(f"partition {number}: applied {partition.applied}, log {afresh.applied}")
        wanted, found = counts(afresh), counts(partition)
        verdict.faults += [
            f"{queue}: {found.get(queue)} instead of {wanted.get(queue)}"
            for queue in wanted.keys() | found.keys()
            if wanted.get(queue) != found.get(queue)
        ]
    if verdict.events != load.sent:
        verdict.faults.append(f"{load.sent} events were sent, the log has {verdict.events}")
    _judge_alerts(await read(bootstrap, ALERTS.name), load, verdict)
    return verdict


def _judge_alerts(records: list[ConsumerRecord], load: Load, verdict: Verdict) -> None:
    contents: dict[tuple[str, int], set[bytes]] = {}
    for record in records:
        alert = json.loads(record.value)
        contents.setdefault((alert["alert_id"], alert["version"]), set()).add(record.value)
        if alert["at_ms"] < alert["crossed_ms"]:
            verdict.faults.append(f"early: {alert}")
    verdict.alerts, verdict.repeats = len(contents), len(records) - len(contents)
    verdict.faults += [f"two contents: {name}" for name, values in contents.items() if len(values) > 1]
    fired = {alert_id.partition("|")[0] for alert_id, _ in contents}
    verdict.faults += [f"lost alert: {contact}" for contact in load.forever - fired]


def fold_afresh(records: list[ConsumerRecord]) -> dict[int, CountingPartition]:
    folded = {number: CountingPartition(number, Config()) for number in range(PARTITIONS)}
    for record in records:
        folded[record.partition].fold(
            record.value, offset=record.offset, appended_ms=record.timestamp, now_ms=record.timestamp
        )
    return folded


def counts(partition: CountingPartition) -> dict[QueueId, tuple[int, int, int]]:
    return {
        queue: (tally.events, tally.checksum, len(tally.waiting))
        for queue, tally in partition.tallies.items()
    }


async def read_state(bootstrap: str) -> dict[int, CountingPartition]:
    """The partitions as a worker that starts now would find them."""
    producer = create_producer(bootstrap)
    found = {}
    try:
        for number, loaded in (await StateLog(producer, bootstrap).load(range(PARTITIONS))).items():
            found[number] = CountingPartition(number, Config())
            found[number].restore(loaded.records, now_ms())
    finally:
        await producer.stop()
    return found


async def read(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """A whole topic, each partition in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    records: list[ConsumerRecord] = []
    try:
        tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for found in (await consumer.getmany(timeout_ms=500)).values():
                records += found
    finally:
        await consumer.stop()
    return records


async def until(is_so: Callable[[], Awaitable[bool]], *, within_s: float, what: str) -> None:
    """Waits until `is_so()`; raises `TimeoutError` naming `what` otherwise."""
    deadline = time.monotonic() + within_s
    while not await is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(0.1)


async def until_owned(workers: Sequence[WorkerProcess], *, within_s: float = 60.0) -> None:
    """Waits until the partitions are all worked on, each by one of `workers`."""

    async def owned() -> bool:
        held = [number for each in workers for number in await each.ready() or []]
        return sorted(held) == list(range(PARTITIONS))

    await until(owned, within_s=within_s, what="every partition has an owner")


async def until_folded(bootstrap: str, load: Load, *, within_s: float = 60.0) -> None:
    """Waits until the state has everything that was sent, and every alert is out."""

    async def folded() -> bool:
        applied = [each.applied + 1 for each in (await read_state(bootstrap)).values()]
        fired = {json.loads(record.value)["alert_id"] for record in await read(bootstrap, ALERTS.name)}
        return sum(applied) >= load.sent and len(fired) >= len(load.forever)

    await until(folded, within_s=within_s, what="everything is folded")


async def hurt(
    workers: list[WorkerProcess], *, kills: int, seed: int, freeze_s: float = 0.0, pause_s: float = 2.0
) -> Counter[str]:
    """Kills, freezes (when `freeze_s`) or restarts one worker after another, at random instants."""
    rng, done = random.Random(seed), Counter[str]()
    for _ in range(kills):
        await asyncio.sleep(rng.uniform(0.1, 2 * pause_s))
        worker = rng.choice(workers)
        if worker.running.poll() is not None:  # it had ended by itself, as it may after a freeze
            done[f"had ended with {worker.running.returncode}"] += 1
            worker.start()
        way = rng.choice(["kill", "kill", "freeze", "restart"] if freeze_s else ["kill"])
        done[way] += 1
        if way == "freeze":
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(freeze_s)
            worker.send(signal.SIGCONT)
            continue
        code = await asyncio.to_thread(worker.end, signal.SIGKILL if way == "kill" else signal.SIGTERM)
        done[f"{way} gave {code}"] += 1
        worker.start()
    return done


async def _script(given: argparse.Namespace, bootstrap: str, data: Path) -> int:
    load = Load(bootstrap, rate=given.rate, seed=given.seed)
    workers = [WorkerProcess(bootstrap, data, slot, given.session) for slot in range(given.workers)]
    for worker in workers:
        worker.start()
    loading = asyncio.create_task(load.run())
    try:
        freeze_s = given.session * 1.5 if given.workers > 1 else 0.0
        done = await hurt(workers, kills=given.kills, seed=given.seed, freeze_s=freeze_s, pause_s=given.pause)
        load.stop.set()
        await loading
        for worker in workers:
            if worker.running.poll() is not None:
                worker.start()
        await until_folded(bootstrap, load)
    finally:
        for worker in workers:
            worker.end(signal.SIGKILL)
    verdict = await verify(bootstrap, load)
    print(f"{dict(done)}; {verdict.events} events, {verdict.alerts} alerts, {verdict.repeats} sent again")
    print("\n".join(verdict.faults) or "exact")
    return 1 if verdict.faults else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000, help="events per second")
    parser.add_argument("--session", type=float, default=10.0)
    parser.add_argument("--pause", type=float, default=2.5, help="mean seconds between two blows")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigie-crash-") as folder, EmbeddedBroker(Path(folder)) as broker:
        asyncio.run(declare(broker.bootstrap, PARTITIONS))
        data = Path(os.environ.get("VIGIE_CRASH_LOGS", folder))
        return asyncio.run(_script(given, broker.bootstrap, data))


if __name__ == "__main__":
    sys.exit(main())
