"""The one list of adapters: which kind of source is run by which module, for which system it speaks.

A new source touches its folder under `adapters/`, its tests and this list.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from schemas.config import SourceConfig
from services.ingest.adapters.asterisk_ami import connect as asterisk_ami
from services.ingest.metrics import Metrics
from services.ingest.past import Past
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Put


class Run(Protocol):
    """Talks to one source until `stop`; reconnects by itself; what it learns it gives to `put`.

    `put` waits while the buffer is full: then nothing more is read from the source. `past` gives what was
    told of the source's system before this process started.
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
        past: Past | None,
    ) -> None: ...


ADAPTERS: dict[str, Run] = {"asterisk_ami": asterisk_ami.run}
"""By `kind` of `[[sources]]`. Kind `http` has none: it posts to us."""


def adapted(sources: Sequence[SourceConfig]) -> list[SourceConfig]:
    """The sources that an adapter must run, each with its `system`."""
    found = [source for source in sources if source.kind in ADAPTERS]
    return [msgspec.structs.replace(source, system=_system(source, found)) for source in found]


def peers(source: SourceConfig, all_: Sequence[SourceConfig]) -> list[str]:
    """The ids of the adapted sources that speak for the same system, its own among them."""
    same = (source.site, source.kind, source.system)
    return [each.id for each in all_ if (each.site, each.kind, each.system) == same]


def _system(source: SourceConfig, all_: Sequence[SourceConfig]) -> str | None:
    """As set for the source, or for another one at its address; left out for all of them, the first
    address of the site has none and any other is called by itself. docs/decisions/0008.
    """
    here = [each for each in all_ if each.site == source.site]
    named = {_address(each): each.system for each in reversed(here) if each.system is not None}
    first = next((_address(each) for each in here if _address(each) not in named), None)
    address = _address(source)
    return source.system or named.get(address) or (None if address == first else address)


def _address(source: SourceConfig) -> str:
    return f"{source.host}:{source.port}"


async def run(
    source: SourceConfig,
    *,
    put: Put,
    secret: str,
    pseudonyms: Pseudonyms,
    metrics: Metrics,
    stop: asyncio.Event,
    past: Past | None = None,
) -> None:
    """Runs the source's adapter; raises when it ends before it was told to, which ends the process."""
    adapter = ADAPTERS[source.kind]
    await adapter(
        source, put=put, secret=secret, pseudonyms=pseudonyms, metrics=metrics, stop=stop, past=past
    )
    if not stop.is_set():
        raise RuntimeError(f"source {source.id} ended by itself")
