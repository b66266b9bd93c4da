"""What a vector case is, and what all of them are built from."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from schemas.board import StateCounts, Trend, Window
from schemas.config import Config, QueueConfig, ServiceLevelConfig, SiteConfig
from schemas.events import AgentAccepted, AnyEvent, QueueEntered, QueueLeft
from schemas.vocabulary import Outcome, WindowName
from tests.oracle.telling import Log

VECTORS = Path(__file__).parent / "vectors"
SITE = "vectors"
QUEUE = "support"
SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
DAY_MS = 24 * 60 * MINUTE_MS
MIDNIGHT_MS = 20_411 * DAY_MS
"""00:00 UTC of an ordinary day, on which times of day without a date are laid."""


class Row(Protocol):
    """What a case looks at: the oracle's `Figures` and `schemas.board.QueueRow` both have it."""

    @property
    def windows(self) -> dict[WindowName, Window]: ...
    @property
    def agents(self) -> StateCounts: ...
    @property
    def trend(self) -> Trend: ...


class Case(Struct, frozen=True, kw_only=True):
    """`figure` of the row of (SITE, QUEUE), folded at `now_ms`, is `expected` within `tolerance`."""

    name: str
    events: list[AnyEvent]
    config: Config
    now_ms: int
    figure: Callable[[Row], float | None]
    expected: float
    tolerance: float


def rows(name: str) -> list[dict[str, str]]:
    """The rows of one file of `vectors/`."""
    with (VECTORS / name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def contact_told(log: Log, contact: str, entered_ms: int, *, wait_ms: int, outcome: Outcome) -> None:
    """A contact that entered and left; answered means accepted by an agent of its own."""
    named = {"contact": contact, "queue": QUEUE, "segment": f"{contact}/1"}
    log.add(QueueEntered, entered_ms, **named)
    if outcome is Outcome.ANSWERED:
        log.add(AgentAccepted, entered_ms + wait_ms, agent=f"agent of {contact}", **named)
    else:
        log.add(QueueLeft, entered_ms + wait_ms, outcome=outcome, **named)


def config_of(level: ServiceLevelConfig | None = None, *, zone: str = "UTC") -> Config:
    return Config(
        sites=[SiteConfig(id=SITE, time_zone=zone)],
        queues=[QueueConfig(id=QUEUE, site=SITE, service_level=level or ServiceLevelConfig())],
        from_file=True,
    )


def epoch_ms(at: datetime) -> int:
    return round(at.astimezone(UTC).timestamp() * 1000)
