"""Records as aiokafka hands them out, built by hand."""

import struct

from aiokafka import ConsumerRecord

from schemas.topics import EVENTS, STATE


def event_record(
    offset: int, value: bytes, *, timestamp: int = 0, key: bytes = b"site"
) -> ConsumerRecord[bytes, bytes]:
    return _record(EVENTS.name, offset, key, value, timestamp=timestamp, headers=())


def state_record(offset: int, key: bytes, value: bytes | None, *, at: int) -> ConsumerRecord[bytes, bytes]:
    """A record that its writer expected at offset `at`."""
    return _record(STATE.name, offset, key, value, timestamp=0, headers=(("at", struct.pack(">q", at)),))


def _record(
    topic: str,
    offset: int,
    key: bytes,
    value: bytes | None,
    *,
    timestamp: int,
    headers: tuple[tuple[str, bytes], ...],
) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key),
        serialized_value_size=len(value or b""),
        headers=headers,
    )
