"""Folding histories through the real core, as the shell does: partition, restore, rows."""

from collections.abc import Iterable

from msgspec import structs

from schemas.board import QueueRow, SiteRow
from schemas.codec import decode_key, decode_row, encode
from schemas.config import Config, KafkaConfig
from schemas.events import AnyEvent
from services.aggregator.core.partition import Partition


def fold(
    events: Iterable[AnyEvent], config: Config, now_ms: int, *, partition: Partition | None = None
) -> Partition:
    """Every event into one partition that holds all sites, whatever their keys."""
    partition = partition or whole(config, now_ms)
    for event in events:
        offset = partition.applied + 1
        letter = partition.fold(encode(event), offset=offset, appended_ms=event.received_ms, now_ms=now_ms)
        assert letter is None
    partition.advance(now_ms)
    return partition


def whole(config: Config, now_ms: int) -> Partition:
    """A partition that every site falls into."""
    return Partition(0, structs.replace(config, kafka=KafkaConfig(partitions=1)), now_ms)


def rows(partition: Partition, now_ms: int) -> tuple[dict[tuple[str, str], QueueRow], dict[str, SiteRow]]:
    """The rows of queues and of sites as they stand now."""
    queues: dict[tuple[str, str], QueueRow] = {}
    sites: dict[str, SiteRow] = {}
    for publication in partition.rows(now_ms, everything=True):
        if publication.value is None:
            continue
        kind, *words = decode_key(publication.key)
        row = decode_row(kind, publication.value)
        if isinstance(row, QueueRow):
            queues[words[0], words[1]] = row
        elif isinstance(row, SiteRow):
            sites[words[0]] = row
    return queues, sites


class StateTopic:
    """What `vigie.state` would hold: the newest record of each key."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}

    def flush(self, partition: Partition) -> None:
        for key, value in partition.changes():
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value

    def restored(self, config: Config, now_ms: int) -> Partition:
        """A worker that starts again from what was flushed."""
        partition = whole(config, now_ms)
        partition.restore(self.records, now_ms)
        partition.claim()
        return partition
