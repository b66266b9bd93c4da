"""What stands in `vigie.state`: one small record per thing that changes alone. DESIGN.md §2.3.

A key is a JSON array of words, its first word the kind of record; a value is MessagePack, its first
item the epoch of the worker that wrote it (SEMANTICS.md §11). A partition's records of one flush
make one RecordBatch, so together they are the state as of the offset in `applied`.
"""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.codec import encode
from schemas.errors import InvalidMessage
from schemas.vocabulary import Channel
from services.aggregator.core.agents import Moment, Said
from services.aggregator.core.alerts import SiteAlerts
from services.aggregator.core.contacts import StoredContact
from services.aggregator.core.items import ItemTerms
from services.aggregator.core.queues import DayCount, TermsInForce
from services.aggregator.core.repeats import Batch
from services.aggregator.core.slots import SlotMoment, StoredSlots
from services.aggregator.core.sources import Source
from services.aggregator.core.spans import Span
from services.aggregator.core.state_time import Sums
from services.aggregator.core.windows import Bucket


class Applied(Struct, array_like=True):
    """Offset of the last event folded in; `clock_ms`: newest receipt; `ingest_ms`: ingest's last word;
    `looked_ms`: when rules were last looked at, None as long as they never were.
    """

    epoch: int
    offset: int
    clock_ms: int = 0
    ingest_ms: int | None = None
    looked_ms: int | None = None


class StoredBucket(Struct, array_like=True):
    """Ten seconds of one queue; a site's have state time only."""

    epoch: int
    counts: Bucket | None
    state_time: Sums | None
    slot_time: Sums | None = None


class StoredQueue(Struct, array_like=True):
    """What a queue knows beyond its buckets and its visits."""

    epoch: int
    channel: Channel
    channel_told: tuple[int, str] | None
    terms: TermsInForce
    days: list[DayCount]
    base: Sums
    today: Sums
    today_first: int
    sources: list[str]
    channel_weight: int = 0
    is_of_file: bool = False
    told_ms: int = 0
    item_terms: ItemTerms | None = None
    slots: StoredSlots | None = None


class StoredAgent(Struct, array_like=True):
    """One agent: what was said, or what contacts tell."""

    epoch: int
    said: list[Said]
    spans: dict[str, tuple[Span, ...]]
    served: dict[str, int]
    first_ms: int | None
    frozen: Moment | None
    last: tuple[int, str, str] | None = None
    first_slots: SlotMoment | None = None


class StoredSite(Struct, array_like=True):
    """A site's sources and the state time of its agents that is older than the ring."""

    epoch: int
    sources: list[Source]
    base: Sums
    today: Sums
    today_first: int


class StoredContactRecord(Struct, array_like=True):
    epoch: int
    contact: StoredContact


class StoredAlerts(Struct, array_like=True):
    epoch: int
    alerts: SiteAlerts


class StoredRepeats(Struct, array_like=True):
    """Events of contacts forgotten in one minute, of one source."""

    epoch: int
    batch: Batch


APPLIED, BUCKET, QUEUE, CONTACT, AGENT, SITE, ALERTS = "applied", "b", "q", "c", "a", "s", "l"
REPEATS = "r"

_TYPES: dict[str, Any] = {
    APPLIED: Applied,
    BUCKET: StoredBucket,
    QUEUE: StoredQueue,
    CONTACT: StoredContactRecord,
    AGENT: StoredAgent,
    SITE: StoredSite,
    ALERTS: StoredAlerts,
    REPEATS: StoredRepeats,
}
_decoders = {kind: msgspec.msgpack.Decoder(type_) for kind, type_ in _TYPES.items()}
_keys = msgspec.json.Decoder(list[str])

pack = msgspec.msgpack.Encoder().encode
"""A record's value as bytes."""


def key(*words: str) -> bytes:
    """A record's key."""
    return encode(words)


APPLIED_KEY = key(APPLIED)


def unpack(record_key: bytes, value: bytes) -> tuple[list[str], Any]:
    """The words of a key and the record; `InvalidMessage` when either cannot be read."""
    try:
        words = _keys.decode(record_key)
        return words, _decoders[words[0]].decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, KeyError) as error:
        raise InvalidMessage(f"state record {record_key!r}: {error}") from error
