"""Workers killed, frozen, added and taken away under load, and a broker that goes away: to the unit.

The long version of the same: `python -m tests.integration.crash_worker --kills 20 --workers 2`.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.cli.broker import EmbeddedBroker
from tests.integration.crash_worker import (
    PARTITIONS,
    Load,
    WorkerProcess,
    hurt,
    until,
    until_folded,
    until_owned,
    verify,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

_RATE = 300
_SESSION_S = 3.0


@asynccontextmanager
async def _under_load(bootstrap: str, workers: list[WorkerProcess], *, seed: int) -> AsyncIterator[Load]:
    """Runs the body while events arrive; then waits until all is folded, ends everything, compares."""
    load = Load(bootstrap, rate=_RATE, seed=seed)
    loading = asyncio.create_task(load.run())
    try:
        yield load
        load.stop.set()
        await loading
        await until_folded(bootstrap, load)
    finally:
        loading.cancel()
        for worker in workers:
            if worker.process is not None:
                worker.end(signal.SIGKILL)
    verdict = await verify(bootstrap, load)
    assert verdict.faults == []
    assert verdict.events > 0
    assert verdict.alerts >= len(load.forever) > 0


async def test_killed_worker_counts_each_event_once(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    worker = WorkerProcess(own_broker.bootstrap, tmp_path)
    worker.start()
    async with _under_load(own_broker.bootstrap, [worker], seed=11):
        await until_owned([worker])
        await hurt([worker], kills=4, seed=11, pause_s=1.5)


async def test_frozen_worker_loses_its_partitions_and_spoils_nothing(
    own_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    workers = [WorkerProcess(own_broker.bootstrap, tmp_path, slot, _SESSION_S) for slot in range(2)]
    frozen, other = workers
    frozen.start()
    async with _under_load(own_broker.bootstrap, workers, seed=12):
        await until_owned([frozen])
        other.start()
        await until_owned(workers)
        frozen.send(signal.SIGSTOP)
        await until_owned([other])
        frozen.send(signal.SIGCONT)

        async def shared() -> bool:
            held = [await worker.ready() for worker in workers]
            return all(held) and sum(len(each or []) for each in held) == PARTITIONS

        await until(shared, within_s=60, what="both workers have partitions again")
        assert await asyncio.to_thread(other.end) == 0
        await until_owned([frozen])


async def test_broker_that_restarts_finds_its_workers_again(
    own_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    worker = WorkerProcess(own_broker.bootstrap, tmp_path)
    worker.start()
    async with _under_load(own_broker.bootstrap, [worker], seed=13) as load:
        await until_owned([worker])
        await asyncio.to_thread(own_broker.kill)
        await asyncio.to_thread(own_broker.start)
        if worker.running.poll() is not None:  # its patience ended first; its supervisor starts it again
            worker.start()
        sent = load.sent
        await until_owned([worker])
        assert load.sent >= sent


async def test_broker_that_stays_away_ends_the_worker(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    worker = WorkerProcess(own_broker.bootstrap, tmp_path, patience_s=3.0)
    worker.start()
    try:
        await until_owned([worker])
        await asyncio.to_thread(own_broker.kill)
        assert await asyncio.to_thread(worker.running.wait, 90) == 1
        assert "worker_failed" in worker.log.read_text()
    finally:
        worker.end(signal.SIGKILL)
