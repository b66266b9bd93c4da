"""How far a stream has been read, as the text of the source's mark (`marks.py`). Pure."""

import msgspec

from schemas.config import SourceConfig
from services.ingest.adapters.amazon_connect.shards import Progress

BACKFILL_MS = 3_000_000
"""Without a mark, the stream is read from 50 minutes ago: facts of an hour ago would be late."""


def progress_of(text: str | None, source: SourceConfig, *, now_ms: int) -> Progress:
    """As it was written; a fresh one where nothing was that can be read, or it is another stream's."""
    fresh = Progress(stream=source.stream or "", since_ms=now_ms - BACKFILL_MS)
    try:
        found = msgspec.json.decode(text or "", type=Progress)
    except msgspec.DecodeError:
        return fresh
    return found if found.stream == fresh.stream else fresh


def text_of(progress: Progress) -> str:
    return msgspec.json.encode(progress).decode()
