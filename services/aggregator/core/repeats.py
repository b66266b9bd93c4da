"""Events of contacts that are forgotten: a repeat of one still changes nothing. SEMANTICS.md §1.

Kept as 8-byte hashes, and only as long as a repeat would not be turned away as late anyway. So a
source that goes on telling costs nothing, and one that has stopped costs its last hour at the most.
They lie in batches, one per source and minute of forgetting, so that a flush writes the newest only.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from msgspec import Struct

from services.aggregator.core.sources import Source

HASH_BYTES = 8
_BATCH_MS = 60_000

Key = tuple[str, int]
"""A batch: its source, and the minute of the log's clock at which it was forgotten."""


class Batch(Struct, array_like=True):
    """Hashes of events; `newest_ms` is the latest instant that any of them told."""

    newest_ms: int = 0
    hashes: bytes = b""


class Repeats:
    """Of one site. `changed` holds the keys of the batches changed since it was last emptied."""

    def __init__(self) -> None:
        self.batches: dict[Key, Batch] = {}
        self.changed: set[Key] = set()
        self._known: set[bytes] = set()

    def restore(self, key: Key, batch: Batch) -> None:
        """Takes a batch as it was stored."""
        self.batches[key] = batch
        self._known.update(_split(batch.hashes))

    def knows(self, identity: bytes) -> bool:
        """Whether an event of this hash was told of a contact that is forgotten."""
        return identity in self._known

    def __bool__(self) -> bool:
        return bool(self._known)

    def keep(self, source: Source, told: Iterable[tuple[int, bytes]], clock_ms: int) -> None:
        """Keeps the hashes of events that the source told at these instants, those that are not late."""
        kept = [(at_ms, identity) for at_ms, identity in told if not source.is_late(at_ms)]
        if not kept:
            return
        key = (source.name, clock_ms // _BATCH_MS)
        batch = self.batches.setdefault(key, Batch())
        batch.newest_ms = max(batch.newest_ms, *(at_ms for at_ms, _ in kept))
        batch.hashes += b"".join(identity for _, identity in kept)
        self._known.update(identity for _, identity in kept)
        self.changed.add(key)

    def drop_late(self, sources: Mapping[str, Source]) -> None:
        """Drops the batches of which every repeat would be late by now."""
        late = [key for key, b in self.batches.items() if sources[key[0]].is_late(b.newest_ms)]
        for key in late:
            del self.batches[key]
            self.changed.add(key)
        if late:
            self._known = {each for batch in self.batches.values() for each in _split(batch.hashes)}


def hash_of(source: str, event_id: str) -> bytes:
    """The identity of an event in 8 bytes."""
    return blake2b(f"{source}\x00{event_id}".encode(), digest_size=HASH_BYTES).digest()


def _split(hashes: bytes) -> Iterable[bytes]:
    return (hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES))
