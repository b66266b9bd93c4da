"""Ingest's own heartbeat, every 5 s, in every partition of the log. SEMANTICS.md §6.

It says that the way into the log is open, whatever is connected: sites whose partition it no longer
reaches become stale at the aggregator. That Kafka is away ends nothing here; the next beat tries again.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import structlog

from schemas.errors import Unavailable
from schemas.events import EVERY_SITE, INGEST_SOURCE, SourceHeartbeat
from services.ingest.publisher import Publisher

EVERY_S = 5.0
log = structlog.get_logger()


def beat(partition: int, *, now_ms: int) -> SourceHeartbeat:
    """The heartbeat of one partition at one instant."""
    return SourceHeartbeat(
        id=f"{now_ms}-{partition}",
        source=INGEST_SOURCE,
        site=EVERY_SITE,
        occurred_ms=now_ms,
        received_ms=now_ms,
    )


async def run(publisher: Publisher, *, clock: Callable[[], int], every_s: float = EVERY_S) -> NoReturn:
    """Beats until cancelled, the first time at once. Says once that it cannot, and once that it can again."""
    loop = asyncio.get_running_loop()
    failing = False
    while True:
        due = loop.time() + every_s
        try:
            await publisher.send_to_each_partition(partial(beat, now_ms=clock()))
        except Unavailable as error:
            if not failing:
                log.warning("heartbeat_not_written", detail=error.detail)
            failing = True
        else:
            if failing:
                log.info("heartbeat_written_again")
            failing = False
        await asyncio.sleep(due - loop.time())
