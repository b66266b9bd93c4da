"""A Kafka that lives and does not answer."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from services.cli import broker
from services.cli.kafka_watch import watch
from services.cli.supervise import Program, Supervisor
from tests.integration.crash_worker import until

pytestmark = pytest.mark.broker


async def test_a_kafka_that_stands_still_is_started_again(tmp_path: Path) -> None:
    prepared = broker.prepare(tmp_path)

    async def is_answering() -> bool:
        return await broker.answers(prepared.bootstrap)

    async with Supervisor() as supervisor:
        supervisor.start(Program(name="kafka", command=prepared.command, guarded=True))
        await until(is_answering, within_s=100, what="an answer")
        watching = asyncio.create_task(watch(prepared.bootstrap, supervisor, every_s=0.2, patience_s=8.0))
        pid = supervisor.pid("kafka")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

        async def is_started_again() -> bool:
            return supervisor.starts("kafka") == 2

        await until(is_started_again, within_s=100, what="a second start")
        watching.cancel()  # on a busy machine the new one takes longer than this patience
        await until(is_answering, within_s=100, what="its answer")
        assert supervisor.starts("kafka") == 2
    prepared.lock.close()
