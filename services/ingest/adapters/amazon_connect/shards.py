"""Which shards of a stream are to be read now, and from where. Pure.

A shard that was split or merged is closed, and others go on with its keys: they are read once it has been
read to its end, so that what is told of one agent stays in order. How far each was read is a sequence
number; what has none is read from one and the same instant on, which for a shard that began later is its
beginning.
"""

from collections.abc import Collection, Sequence

from msgspec import Struct

READ_TO_END = "end"


class Shard(Struct, frozen=True):
    """`parents`: those whose keys it goes on with."""

    id: str
    parents: tuple[str, ...] = ()


class Progress(Struct, kw_only=True):
    """How far a stream has been read. `since_ms`: from when on, where a shard has no `read` number."""

    stream: str
    since_ms: int
    read: dict[str, str] = {}

    def is_done(self, shard: str) -> bool:
        return self.read.get(shard) == READ_TO_END

    def keep_only(self, shards: Collection[str]) -> None:
        """Forgets those that the stream no longer has."""
        for gone in self.read.keys() - set(shards):
            del self.read[gone]


def ready(shards: Sequence[Shard], progress: Progress, reading: Collection[str]) -> list[str]:
    """The shards whose turn has come: not read yet, and whatever came before them is."""
    present = {shard.id for shard in shards}
    return [
        shard.id
        for shard in shards
        if shard.id not in reading
        and not progress.is_done(shard.id)
        and all(progress.is_done(parent) for parent in shard.parents if parent in present)
    ]
