"""One worker at 1,000 events/s: what it takes of a core and of memory, and how soon all is flushed.

A reader of `vigie.state` beside it notes when each flush can be read: so late, at the latest, is an
event folded and safe. It counts from the event's instant of receipt, which is when it was sent.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import worker
from benchmarks.backlog import SITES
from benchmarks.results import Line, Reach, Say, Size, percentile
from schemas import codec
from schemas.topics import EVENTS, STATE
from tests.integration.core_load import PARTITIONS, Load
from tests.integration.crash_core import ends
from tests.integration.crash_worker import read, until

_RATE = 1000
_READY_S = 120.0


async def measure(size: Size, say: Say, bootstrap: str, folder: Path) -> list[Line]:
    """On a broker with an empty log."""
    seconds = size.of(20, 2)
    seen: list[tuple[worker.Flush, float]] = []
    load = Load(bootstrap, rate=_RATE, seed=11, sites=SITES)
    async with AsyncExitStack() as stack:
        (process,), (address,) = await worker.start(stack, bootstrap, folder)
        await until(lambda: _is_ready(address), within_s=_READY_S, what="the worker is ready")
        watching = asyncio.create_task(_watch(bootstrap, seen))
        loading = asyncio.create_task(load.run())
        stack.callback(watching.cancel)
        stack.callback(loading.cancel)
        await asyncio.sleep(size.of(15, 1))  # until contacts end as often as they begin
        start_ms = time.time() * 1000
        await asyncio.sleep(seconds)
        end_ms = time.time() * 1000
        load.stop.set()
        await loading
        last = await ends(bootstrap)
        await until(lambda: _all_seen(seen, last), within_s=_READY_S, what="all is flushed")
    waits = await _waits_ms(bootstrap, seen, start_ms, end_ms)
    say(f"live: {len(waits):,} events in {seconds} s, flushed after {waits[len(waits) // 2]:.0f} ms (median)")
    cpu = process.cpu_s(start_ms, end_ms) / (end_ms - start_ms) * 1e5
    return [
        Line("a", f"{_RATE:,} events/s, one worker", "% of a core", [cpu], reach=Reach(10)),
        Line("a", f"{_RATE:,} events/s, one worker", "MB resident", [process.memory_mb()], reach=Reach(120)),
        Line(
            "a",
            f"{_RATE:,} events/s, received until flushed, p99",
            "ms",
            [percentile(waits, 0.99)],
            reach=Reach(60),
        ),
    ]


async def _is_ready(address: str) -> bool:
    """Whether the worker holds partitions."""
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://{address}/health/ready") as answer,
        ):
            return answer.status == 200 and bool((await answer.json())["partitions"])
    except (OSError, aiohttp.ClientError, TimeoutError):
        return False


async def _all_seen(seen: list[tuple[worker.Flush, float]], last: list[int]) -> bool:
    """Whether each partition was seen flushed up to these ends of the log."""
    newest = {flush.partition: flush.offset for flush, _ in seen}
    return all(newest.get(number, -1) >= end - 1 for number, end in enumerate(last))


async def _watch(bootstrap: str, seen: list[tuple[worker.Flush, float]]) -> None:
    """Notes each flush with the instant at which it could be read."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="latest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(STATE.name, number) for number in range(PARTITIONS)])
        while True:
            await worker.see_flushes(consumer, lambda flush: seen.append((flush, time.time() * 1000)))
    finally:
        await consumer.stop()


async def _waits_ms(
    bootstrap: str, seen: list[tuple[worker.Flush, float]], start_ms: float, end_ms: float
) -> list[float]:
    """Of every event received in that time, how long until a flush that holds it was read; sorted."""
    flushes = {number: [each for each in seen if each[0].partition == number] for number in range(PARTITIONS)}
    waits, places = [], dict.fromkeys(range(PARTITIONS), 0)
    for record in await read(bootstrap, EVENTS.name):
        if record.timestamp < start_ms - 1000:
            continue
        received = codec.decode_event(record.value).received_ms
        if not start_ms <= received < end_ms:
            continue
        own = flushes[record.partition]
        while own[places[record.partition]][0].offset < record.offset:
            places[record.partition] += 1
        waits.append(own[places[record.partition]][1] - received)
    return sorted(waits)
