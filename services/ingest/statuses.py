"""How every source stands, into `vigie.sources`, every 5 s: what the source panel shows.

That Kafka is away ends nothing here; the next one tries again. A panel that shows nothing is better than
a buffer full of old states, so they wait in none.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import NoReturn

from schemas.errors import Unavailable
from schemas.sources import SourceStatus
from services.ingest.posting import Log

EVERY_S = 5.0

Statuses = Callable[[], Sequence[SourceStatus]]


async def run(statuses: Statuses, publisher: Log, *, every_s: float = EVERY_S) -> NoReturn:
    """Writes until cancelled, the first time at once."""
    while True:
        await tell(statuses, publisher)
        await asyncio.sleep(every_s)


async def tell(statuses: Statuses, publisher: Log) -> None:
    """Every source's status, once, as far as the log takes it."""
    with contextlib.suppress(Unavailable):
        await publisher.send(statuses())
