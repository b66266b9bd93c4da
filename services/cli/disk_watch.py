"""Watches the disk under the embedded Kafka: who runs Vigie hears of it before Kafka stops, and why it did.

A Kafka that cannot write ends itself, and is started again until it can: nothing that was accepted is
lost, ingest answers 503 meanwhile. Room is all that is missing.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

EVERY_S = 5.0
LOW_BYTES = 1_000_000_000
"""A segment of each of the larger partitions, and an hour of state at 1,000 events/s."""

FULL_BYTES = 16_000_000
log = structlog.get_logger()


async def watch_disk(
    folder: Path,
    *,
    every_s: float = EVERY_S,
    free: Callable[[Path], int] = lambda at: shutil.disk_usage(at).free,
) -> None:
    """Looks again and again, until it is cancelled. `free`: bytes left where the folder is."""
    said = "disk_has_room"
    while True:
        left = free(folder)
        found = "disk_full" if left < FULL_BYTES else "disk_low" if left < LOW_BYTES else "disk_has_room"
        if found != said:
            said = found
            fields = {"folder": str(folder), "free_mb": left // 1_000_000}
            match found:
                case "disk_full":
                    log.error(found, **fields, hint="make room: Kafka goes on by itself, nothing is lost")
                case "disk_low":
                    log.warning(found, **fields, hint="Kafka stops when it is full")
                case _:
                    log.info(found, **fields)
        await asyncio.sleep(every_s)
