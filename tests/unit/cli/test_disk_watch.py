"""The disk under Kafka is told of when it becomes low or full, and when there is room again; once each."""

import asyncio
from pathlib import Path

import structlog

from services.cli.disk_watch import FULL_BYTES, LOW_BYTES, watch_disk


async def test_each_change_is_said_once(tmp_path: Path) -> None:
    left = [2 * LOW_BYTES] * 2 + [LOW_BYTES - 1] * 2 + [FULL_BYTES - 1] * 2 + [2 * LOW_BYTES] * 2
    seen = asyncio.Event()

    def free(_: Path) -> int:
        if len(left) == 1:
            seen.set()
            return left[0]
        return left.pop(0)

    with structlog.testing.capture_logs() as said:
        watching = asyncio.create_task(watch_disk(tmp_path, every_s=0, free=free))
        await seen.wait()
        watching.cancel()

    assert [line["event"] for line in said] == ["disk_low", "disk_full", "disk_has_room"]
    assert said[1]["log_level"] == "error"
    assert said[1]["free_mb"] == 15


async def test_it_reads_the_real_disk(tmp_path: Path) -> None:
    watching = asyncio.create_task(watch_disk(tmp_path, every_s=0.01))
    await asyncio.sleep(0.05)
    assert not watching.done()
    watching.cancel()
