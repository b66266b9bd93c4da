"""Alerts and deliveries read whole, as the notifier reads and writes them."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from schemas import codec
from schemas.errors import InvalidMessage
from schemas.topics import ALERTS, DELIVERIES
from services.aggregator.verify.deliveries import Story
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.outcomes import Recorded
from services.aggregator.verify.reading import Extent, Reader

_T = TypeVar("_T")
Ours = Callable[[str], bool]
"""Whether a site is compared."""


class Read(NamedTuple, Generic[_T]):
    """`since_ms`: from when on everything is there; 0: nothing was deleted."""

    found: _T
    since_ms: int


async def read_stories(
    reader: Reader, extents: Mapping[int, Extent], is_ours: Ours
) -> Read[dict[str, Story]]:
    """Every alert as who reads the topic comes to know it."""
    stories: dict[str, Story] = defaultdict(Story)
    since_ms = 0
    for number, extent in extents.items():
        async for record in reader.records(ALERTS.name, number, extent):
            since_ms = max(since_ms, record.timestamp if record.offset == extent.begin > 0 else 0)
            with contextlib.suppress(InvalidMessage):  # told of where alerts are compared
                alert = codec.decode_alert(record.value or b"")
                if is_ours(alert.site):
                    stories[alert.alert_id].add(alert, record.timestamp)
    return Read(stories, since_ms)


async def read_records(
    reader: Reader, extents: Mapping[int, Extent], is_ours: Ours, findings: Findings
) -> Read[list[Recorded]]:
    """Every record of a delivery; what cannot be read is found."""
    records: list[Recorded] = []
    since_ms = 0
    for number, extent in extents.items():
        async for record in reader.records(DELIVERIES.name, number, extent):
            since_ms = max(since_ms, record.timestamp if record.offset == extent.begin > 0 else 0)
            try:
                delivery = codec.decode_delivery(record.value or b"")
            except InvalidMessage as error:
                findings.differ("log", f"{DELIVERIES.name}-{number} at {record.offset}", error.detail)
                continue
            if is_ours(delivery.site):
                records.append(Recorded(number, record.offset, record.timestamp, delivery))
    return Read(records, since_ms)
