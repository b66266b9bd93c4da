"""What a source is handed to do its work with: where events go, its secrets, what was told before."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from schemas.config import SourceKind
from schemas.events import AnyEvent
from services.ingest.past import Past
from services.ingest.publisher import Put
from services.ingest.report import Report
from services.ingest.translated import Pseudonyms
from services.runtime.clock import now_ms
from services.runtime.kafka import Kafka


class Tools(Struct, frozen=True, kw_only=True):
    """One source's own.

    `put` returns once the events are in the buffer, and waits while that is full: then nothing more is
    to be read from the source. `send` returns once the log has them, and raises `Unavailable` after a few
    seconds: for whoever must remember how far he has come. `past` gives what was told of the source's
    system before this process started; None: nothing was. `secret` "" where none is configured;
    `previous_secret` is still good while it is being changed. `folder`: where the source may keep what
    it must remember over a restart, and nothing else; None: nowhere. `kafka`: the log's own. `peers`: the
    kinds of the other sources that speak for the same system. `is_trial`: somebody tries the source out
    (`vigie source test`): nothing may be consumed, committed, deleted or marked at the source.
    """

    put: Put
    send: Put
    pseudonyms: Pseudonyms
    report: Report
    stop: asyncio.Event
    secret: str = ""
    previous_secret: str = ""
    past: Past | None = None
    folder: Path | None = None
    kafka: Kafka | None = None
    peers: frozenset[SourceKind] = frozenset()
    is_trial: bool = False
    clock: Callable[[], int] = now_ms

    async def recall(self, take: Callable[[AnyEvent], None]) -> None:
        """Hands over what was told before, where there is a log to read it from."""
        if self.past is not None:
            await self.past(take)
