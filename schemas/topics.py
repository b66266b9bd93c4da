"""The Kafka topics: name, key, message, writer, readers, retention. INTERFACE.md §7."""

from msgspec import Struct

DAY_MS = 86_400_000
FLUSH_MAX_BYTES = 16 * 1024 * 1024
"""Upper bound of one RecordBatch of `vigie.state`: a flush must fit one batch (FAUST.md §3)."""


class Topic(Struct, frozen=True, kw_only=True):
    """A topic and what its broker settings must be.

    `per_site`: has as many partitions as `vigie.events`, record by record in the same-numbered one.
    """

    name: str
    key: str
    message: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    settings: dict[str, str]
    per_site: bool = True


EVENTS = Topic(
    name="vigie.events",
    key="site",
    message="schemas.events.AnyEvent",
    writers=("ingest", "api", "notifier"),
    readers=("aggregator", "ingest", "history"),
    settings={
        "cleanup.policy": "delete",
        "retention.ms": str(7 * DAY_MS),
        "message.timestamp.type": "LogAppendTime",
    },
)
STATE = Topic(
    name="vigie.state",
    key="record key",
    message="services.aggregator.core.records",
    writers=("aggregator",),
    readers=("aggregator",),
    settings={
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "3600000",
        "max.compaction.lag.ms": "7200000",
        "segment.ms": "600000",
        "segment.bytes": str(64 * 1024 * 1024),
        "min.cleanable.dirty.ratio": "0.1",
        "max.message.bytes": str(FLUSH_MAX_BYTES),
    },
)
SNAPSHOTS = Topic(
    name="vigie.snapshots",
    key="site + queue, site + agent, site",
    message="schemas.board.QueueRow | AgentRow | SiteRow",
    writers=("aggregator",),
    readers=("api",),
    settings={
        "cleanup.policy": "compact",
        "max.compaction.lag.ms": "600000",
        "segment.ms": "300000",
        "segment.bytes": str(32 * 1024 * 1024),
        "min.cleanable.dirty.ratio": "0.1",
        "max.message.bytes": str(4 * 1024 * 1024),
    },
)
ALERTS = Topic(
    name="vigie.alerts",
    key="alert_id",
    message="schemas.board.Alert",
    writers=("aggregator",),
    readers=("api", "notifier", "history"),
    settings={"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS)},
    per_site=False,
)
DELIVERIES = Topic(
    name="vigie.deliveries",
    key="alert_id + channel (of a person)",
    message="schemas.deliveries.Delivery",
    writers=("notifier",),
    readers=("notifier", "api"),
    settings={"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS)},
    per_site=False,
)
DEAD_LETTERS = Topic(
    name="vigie.dead_letters",
    key="source",
    message="schemas.board.DeadLetter",
    writers=("ingest", "aggregator", "notifier"),
    readers=("people",),
    settings={"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)},
    per_site=False,
)
SOURCES = Topic(
    name="vigie.sources",
    key="site + source + instance",
    message="schemas.sources.SourceStatus",
    writers=("ingest",),
    readers=("api",),
    settings={
        "cleanup.policy": "compact,delete",
        "retention.ms": str(DAY_MS),
        "max.compaction.lag.ms": "600000",
        "segment.ms": "300000",
        "segment.bytes": str(16 * 1024 * 1024),
        "min.cleanable.dirty.ratio": "0.1",
    },
    per_site=False,
)

TOPICS = (EVENTS, STATE, SNAPSHOTS, ALERTS, DELIVERIES, DEAD_LETTERS, SOURCES)
"""All of them. Every topic has `[kafka] partitions` partitions, so one count is checked."""


def partition_of(key: bytes, count: int) -> int:
    """The partition of a key among `count`: Kafka's own murmur2 rule, the same from every client."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 of `data` (org.apache.kafka.common.utils.Utils), unsigned."""
    length = len(data)
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * m) & mask
        k ^= k >> 24
        k = (k * m) & mask
        h = ((h * m) & mask) ^ k
    tail = data[whole:]
    if tail:
        h ^= int.from_bytes(tail, "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)
