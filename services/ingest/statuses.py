"""How every source stands, into `vigie.sources`, every 5 s: what the source panel shows.

That Kafka is away ends nothing here; the next one tries again. A panel that shows nothing is better than
a buffer full of old states, so they wait in none.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NoReturn

from schemas.errors import Unavailable
from services.ingest.posting import Log
from services.ingest.report import Report

EVERY_S = 5.0


async def run(
    reports: Sequence[Report], publisher: Log, *, instance: str, every_s: float = EVERY_S
) -> NoReturn:
    """Writes until cancelled, the first time at once."""
    while True:
        await tell(reports, publisher, instance=instance)
        await asyncio.sleep(every_s)


async def tell(reports: Sequence[Report], publisher: Log, *, instance: str) -> None:
    """Every source's status, once, as far as the log takes it."""
    with contextlib.suppress(Unavailable):
        await publisher.send([report.status(instance) for report in reports])
