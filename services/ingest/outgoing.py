"""Our events as CloudEvents that `POST /v1/events` takes: the way back of `cloudevents.py`. Pure.

`rank`, `inferred` and `precision_ms` have no place in that form (INTERFACE.md §4) and stay behind.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.events import SourceEvent

BATCH_TYPE = "application/cloudevents-batch+json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPE = ("id", "source", "site", "occurred_ms", "received_ms", "rank", "inferred", "precision_ms", "type")


def cloud_event(event: SourceEvent, *, shift_ms: int = 0) -> dict[str, object]:
    """One event in JSON format, `shift_ms` later than it occurred; its id stays."""
    data = msgspec.to_builtins(event)
    kind = data["type"]
    for name in _ENVELOPE:
        data.pop(name, None)
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": f"vigie.{kind}.v1",
        "time": instant(event.occurred_ms + shift_ms),
        "site": event.site,
        "data": data,
    }


def batch(events: Sequence[SourceEvent], *, shift_ms: int = 0) -> bytes:
    """A body of type `BATCH_TYPE`."""
    return msgspec.json.encode([cloud_event(event, shift_ms=shift_ms) for event in events])


def instant(at_ms: int) -> str:
    """RFC 3339, UTC, whole milliseconds."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")
