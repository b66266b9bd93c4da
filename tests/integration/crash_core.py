"""The real aggregator on a real broker, hurt at random instants under load; then the figures are judged.

Workers run as in production (`python -m services.aggregator`) and are started again at once when they
end, as `vigie up` does. As a script, the whole of it:
`python -m tests.integration.crash_core --kills 20 --rate 1000 --seconds 150 --seed 1`.
"""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas import codec
from schemas.board import SiteRow
from schemas.topics import EVENTS, SNAPSHOTS
from schemas.vocabulary import Freshness
from services.cli.broker import EmbeddedBroker
from services.cli.topics import declare
from services.runtime import config as configuration
from services.runtime.clock import now_ms
from tests.integration.core_load import PARTITIONS, SITES, Load, settings
from tests.integration.core_verdict import Verdict, judge, read_applied, read_everything
from tests.integration.crash_worker import ROOT, WorkerProcess, free_port, until, until_owned

SESSION_S = 10.0
"""Of the production settings."""

_RECOVERY_S = 30.0


@dataclass
class CoreWorker(WorkerProcess):
    """One worker of production, with the settings of the load."""

    def start(self) -> None:
        self.port = free_port()
        file = self.data / f"vigie-{self.slot}.toml"
        file.write_text(settings(aggregator=f"127.0.0.1:{self.port}"), "utf-8")
        command = [sys.executable, "-m", "services.aggregator", "--config", str(file)]
        command += ["--data", str(self.data), "--kafka", self.bootstrap, "--slot", str(self.slot)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, cwd=ROOT)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Board:
    """Follows `vigie.snapshots` as a board does; knows when each partition was last live."""

    bootstrap: str
    newest_ms: dict[int, int] = field(default_factory=dict)

    async def run(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="latest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(SNAPSHOTS.name, number) for number in range(PARTITIONS)])
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                    for record in records:
                        self._look(tp.partition, record)
        finally:
            await consumer.stop()

    def _look(self, partition: int, record: ConsumerRecord) -> None:
        kind, *_ = codec.decode_key(record.key)
        if kind != "site":
            return
        row = codec.decode_row(kind, record.value)
        if isinstance(row, SiteRow) and row.freshness is Freshness.LIVE:
            self.newest_ms[partition] = max(self.newest_ms.get(partition, 0), row.as_of_ms)

    async def live_after(self, instant_ms: int) -> float:
        """Seconds from the instant until every partition has shown a newer row that is live."""

        async def shown() -> bool:
            return all(self.newest_ms.get(n, 0) > instant_ms for n in range(PARTITIONS))

        await until(shown, within_s=120, what="rows of every partition")
        return (now_ms() - instant_ms) / 1000


@dataclass
class Scene:
    """A broker, its load, its board and the workers that are to run; keeps what was done."""

    broker: EmbeddedBroker
    data: Path
    rate: int
    seed: int
    done: list[str] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.load = Load(self.broker.bootstrap, rate=self.rate, seed=self.seed)
        self.board = Board(self.broker.bootstrap)
        self.first, self.second = (CoreWorker(self.broker.bootstrap, self.data, slot) for slot in range(2))
        self.wanted: list[CoreWorker] = []

    async def kill(self) -> None:
        """Kills one running worker, starts it again, waits until the board is live again."""
        worker = self.rng.choice([each for each in self.wanted if each.is_running])
        self.done.append(f"kill {worker.slot}")
        worker.end(signal.SIGKILL)
        killed_ms = now_ms()
        worker.start()
        if self.rng.random() < 0.25:  # once more while it reads its state
            await asyncio.sleep(self.rng.uniform(0.0, 2.0))
            worker.end(signal.SIGKILL)
            self.done.append(f"kill {worker.slot} at start")
            worker.start()
        self.recoveries_s.append(await self.board.live_after(killed_ms))

    async def freeze(self) -> None:
        """Stops a worker for longer than its session, then lets it go on."""
        self.done.append("freeze")
        self.first.send(signal.SIGSTOP)
        await asyncio.sleep(SESSION_S * 1.3)
        self.first.send(signal.SIGCONT)
        await asyncio.sleep(1.0)

    async def join(self) -> None:
        self.done.append("join")
        self.second.start()
        self.wanted.append(self.second)
        await until_owned(self.wanted)

    async def leave(self) -> None:
        self.done.append("leave")
        self.wanted.remove(self.second)
        code = await asyncio.to_thread(self.second.end)
        if code != 0:
            self.verdict.faults.append(f"worker 1 left with {code}")

    async def restart_broker(self) -> None:
        self.done.append("broker killed")
        await asyncio.to_thread(self.broker.kill)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(self.broker.start)
        await self.board.live_after(now_ms())

    async def supervise(self) -> None:
        """Starts again what ended by itself, as it may after a freeze or without a broker."""
        while True:
            for worker in self.wanted:
                if worker.process is not None and worker.process.poll() is not None:
                    self.done.append(f"worker {worker.slot} had ended with {worker.process.returncode}")
                    worker.start()
            await asyncio.sleep(0.5)

    async def play(self, *, seconds: float, steps: list[str]) -> Verdict:
        """Runs the steps at random instants spread over the time, settles, judges."""
        self.first.start()
        self.wanted.append(self.first)
        tasks = [asyncio.create_task(each()) for each in (self.load.run, self.board.run, self.supervise)]
        loading = tasks[0]
        try:
            await until_owned(self.wanted)
            started, gap = time.monotonic(), seconds / (len(steps) + 1)
            for number, step in enumerate(steps):
                at = started + gap * (number + self.rng.uniform(0.3, 1.3))
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                await getattr(self, step)()
            await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
            self.load.quiet.set()
            await self._folded(at_least=await ends(self.broker.bootstrap))
            await self.board.live_after(now_ms() + 1500)
            self.load.stop.set()
            await loading
            await self._folded(at_least=await ends(self.broker.bootstrap))
            settled_ms = now_ms()
            await self.board.live_after(settled_ms + 1500)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for worker in (self.first, self.second):
                if worker.process is not None:
                    worker.end(signal.SIGTERM)
        left = await read_everything(self.broker.bootstrap)
        faults = self.verdict.faults
        config = configuration.load(self.data / "vigie-0.toml")
        sites = self.rng.sample(SITES, 2)
        self.verdict = await asyncio.to_thread(judge, left, config, settled_ms=settled_ms, oracle_sites=sites)
        self.verdict.faults[:0] = faults
        return self.verdict

    async def _folded(self, *, at_least: list[int]) -> None:
        """Waits until the state is as of these ends of the log."""

        async def folded() -> bool:
            applied = await read_applied(self.broker.bootstrap)
            return all(offset >= end - 1 for offset, end in zip(applied, at_least, strict=True))

        await until(folded, within_s=240, what="the whole log is folded")


async def ends(bootstrap: str) -> list[int]:
    """The next offset of each partition of the events."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        tps = [TopicPartition(EVENTS.name, number) for number in range(PARTITIONS)]
        found = await consumer.end_offsets(tps)
        return [found[tp] for tp in tps]
    finally:
        await consumer.stop()


def steps(kills: int) -> list[str]:
    """Kills throughout; in the middle a second worker, a freeze, the second leaves, the broker dies."""
    third = kills // 3
    middle = ["join", *["kill"] * third, "freeze", "kill", "leave"]
    return [*["kill"] * third, *middle, "restart_broker", *["kill"] * (kills - 2 * third - 1)]


def report(scene: Scene, say: Callable[[str], None] = print) -> None:
    recovered = sorted(scene.recoveries_s)
    kills = sum(step.startswith("kill") for step in scene.done)
    say(f"seed {scene.seed}: {kills} kills; {', '.join(scene.done)}")
    say(str(scene.verdict))
    if recovered:
        half = recovered[len(recovered) // 2]
        say(f"killed -> every partition live again: median {half:.1f} s, longest {recovered[-1]:.1f} s")
    for fault in scene.verdict.faults[:60]:
        say(fault)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000, help="events per second")
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigie-crash-") as folder, EmbeddedBroker(Path(folder)) as broker:
        asyncio.run(declare(broker.bootstrap, PARTITIONS))
        data = Path(os.environ.get("VIGIE_CRASH_LOGS", folder))
        scene = Scene(broker, data, rate=given.rate, seed=given.seed)
        asyncio.run(scene.play(seconds=given.seconds, steps=steps(given.kills)))
        report(scene)
    return 1 if scene.verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
