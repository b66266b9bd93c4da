"""The one list of adapters: which kind of source is run by which module.

A new source touches its folder under `adapters/`, its tests and this list.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from schemas.config import SourceConfig
from services.ingest.adapters.asterisk_ami import connect as asterisk_ami
from services.ingest.metrics import Metrics
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Put


class Run(Protocol):
    """Talks to one source until `stop`; reconnects by itself; what it learns it gives to `put`.

    `put` waits while the buffer is full: then nothing more is read from the source.
    """

    async def __call__(
        self,
        source: SourceConfig,
        *,
        put: Put,
        secret: str,
        pseudonyms: Pseudonyms,
        metrics: Metrics,
        stop: asyncio.Event,
    ) -> None: ...


ADAPTERS: dict[str, Run] = {"asterisk_ami": asterisk_ami.run}
"""By `kind` of `[[sources]]`. Kind `http` has none: it posts to us."""


def adapted(sources: Sequence[SourceConfig]) -> list[SourceConfig]:
    """The sources that an adapter must run."""
    return [source for source in sources if source.kind in ADAPTERS]


async def run(
    source: SourceConfig,
    *,
    put: Put,
    secret: str,
    pseudonyms: Pseudonyms,
    metrics: Metrics,
    stop: asyncio.Event,
) -> None:
    """Runs the source's adapter; raises when it ends before it was told to, which ends the process."""
    adapter = ADAPTERS[source.kind]
    await adapter(source, put=put, secret=secret, pseudonyms=pseudonyms, metrics=metrics, stop=stop)
    if not stop.is_set():
        raise RuntimeError(f"source {source.id} ended by itself")
