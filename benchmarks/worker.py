"""Production workers (`python -m services.aggregator`) on a broker, and what they left in the state log.

Their times are read from `vigie.state` afterwards, so that looking costs them nothing.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.watched import Watched
from schemas.topics import ALERTS, EVENTS, SNAPSHOTS, STATE
from services.aggregator.core import records
from services.cli.topics import declare
from tests.integration.core_load import PARTITIONS
from tests.integration.crash_worker import free_port, until

GROUP = "vigie-aggregator"
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Flush:
    """One flush of a partition: the state is as of event `offset`, by a worker's claim `epoch`."""

    partition: int
    epoch: int
    offset: int
    at_ms: int


class Committed:
    """What the workers have committed: the cheapest way to see how far they are."""

    def __init__(self, bootstrap: str) -> None:
        self._tps = [TopicPartition(EVENTS.name, number) for number in range(PARTITIONS)]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False
        )

    async def __aenter__(self) -> "Committed":
        await self._consumer.start()
        self._consumer.assign(self._tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def events(self) -> int:
        return sum([await self._consumer.committed(tp) or 0 for tp in self._tps])

    async def forget(self) -> None:
        """As if nobody had ever read. Nobody may be reading."""
        await self._consumer.commit(dict.fromkeys(self._tps, 0))


async def start(
    stack: AsyncExitStack, bootstrap: str, folder: Path, *, count: int = 1
) -> tuple[list[Watched], list[str]]:
    """Starts `count` workers, each in its slot; the stack ends them. Gives their addresses too."""
    workers, addresses = [], []
    for slot in range(count):
        address = f"127.0.0.1:{free_port()}"
        file = folder / f"vigie-{slot}.toml"
        file.write_text(f'[http]\naggregator = "{address}"\n', "utf-8")
        command = [sys.executable, "-m", "services.aggregator", "--config", str(file), "--slot", str(slot)]
        command += ["--data", str(folder), "--kafka", bootstrap]
        workers.append(await stack.enter_async_context(Watched(command, folder / f"worker-{slot}.log")))
        addresses.append(address)
    return workers, addresses


async def fold_all(bootstrap: str, folder: Path, *, events: int, count: int) -> list[Watched]:
    """Runs workers until they have folded and committed so many events; gives them, ended."""
    async with AsyncExitStack() as stack:
        committed = await stack.enter_async_context(Committed(bootstrap))
        workers, _ = await start(stack, bootstrap, folder, count=count)
        async with asyncio.timeout(_PATIENCE_S):
            while await committed.events() < events:
                for worker in workers:
                    worker.check()
                await asyncio.sleep(0.2)
    return workers


async def flushes(bootstrap: str) -> list[Flush]:
    """Every flush in the state log, as each worker stamped it when it began to write it."""
    found: list[Flush] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=4 * 1024 * 1024
    )
    await consumer.start()
    try:
        tps = [TopicPartition(STATE.name, number) for number in range(PARTITIONS)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            await see_flushes(consumer, found.append)
    finally:
        await consumer.stop()
    return found


async def see_flushes(consumer: AIOKafkaConsumer, see: Callable[[Flush], None]) -> None:
    """Hands over the flushes among what the consumer of `vigie.state` has got."""
    for tp, fetched in (await consumer.getmany(timeout_ms=200)).items():
        for record in fetched:
            if record.key == records.APPLIED_KEY and record.value is not None:
                applied = records.unpack(record.key, record.value)[1]
                see(Flush(tp.partition, applied.epoch, applied.offset, record.timestamp))


async def forget_everything(bootstrap: str, *, events: bool = False) -> None:
    """Empties all that workers wrote, so that the next ones begin at the start of the log; and the log."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        # who could not say good-bye is a member until its session ends
        await until(lambda: _has_no_member(admin), within_s=60, what="the group is empty")
        async with Committed(bootstrap) as committed:
            await committed.forget()
        gone = [topic.name for topic in (STATE, SNAPSHOTS, ALERTS, *([EVENTS] if events else []))]
        await admin.delete_topics(gone)
        await until(lambda: _are_gone(admin, gone), within_s=60, what="the old topics are gone")
    finally:
        await admin.close()
    await declare(bootstrap, PARTITIONS)


async def _has_no_member(admin: AIOKafkaAdminClient) -> bool:
    (described,) = await admin.describe_consumer_groups([GROUP])
    ((_, _, _, _, _, members, *_),) = described.groups
    return not members


async def _are_gone(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    return not set(names) & set(await admin.list_topics())
