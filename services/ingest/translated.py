"""What a translator gives back: events, and what could not become one. Pure, and the same for every source.

A translator never raises on what a vendor sent. A payload of a known type that cannot be read is
`Spoiled` and becomes a dead letter; one of a type that nobody knows is counted and dropped, because
vendors add types without notice (SOURCES.md §1.5).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from msgspec import Struct

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from schemas.vocabulary import Reason

MAX_TYPE = 64
"""Characters of a vendor's type that are kept."""


class Pseudonyms(Protocol):
    """Who a customer is, without saying who."""

    def of(self, text: str) -> str: ...


class Spoiled(Struct, frozen=True, kw_only=True):
    """What was not used: why, and how its sender finds it again, without its content."""

    detail: str
    sha256: str
    size: int
    is_too_large: bool = False

    @classmethod
    def of(cls, raw: bytes, detail: str, *, is_too_large: bool = False) -> "Spoiled":
        digest = hashlib.sha256(raw).hexdigest()
        return cls(detail=detail, sha256=digest, size=len(raw), is_too_large=is_too_large)


class Translated(Struct, kw_only=True):
    """What one or several payloads amount to. `types` and `unknown` count payloads by the vendor's word.

    `dropped`: known and of no use now, by reason. `fault`: one sentence on what makes the source
    unusable, for whoever can mend it; None while there is nothing to mend.
    """

    events: list[SourceEvent] = []
    spoiled: list[Spoiled] = []
    types: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    dropped: Counter[Reason] = msgspec.field(default_factory=Counter)
    fault: str | None = None

    def add(self, more: "Translated") -> None:
        """Takes over everything of `more`, behind its own."""
        self.events += more.events
        self.spoiled += more.spoiled
        self.types += more.types
        self.unknown += more.unknown
        self.dropped += more.dropped
        self.fault = more.fault or self.fault


class Recording(Struct, frozen=True, kw_only=True):
    """A recorded capture, translated on its own clock: `received_ms` of the events is the recording's.

    `events` in order of the payloads; `after` is what timers tell once the recording is over. `fault`:
    why nothing, or not all, could be used; `spoiled`: payloads that could not be read.
    """

    events: list[SourceEvent]
    after: list[SourceEvent]
    payloads: int
    spoiled: list[Spoiled]
    dropped: Counter[Reason]
    fault: str | None = None
    unknown: Counter[str] = msgspec.field(default_factory=Counter)

    @classmethod
    def of(cls, told: Translated, *, payloads: int, after: Translated | None = None) -> "Recording":
        """`after`: what timers tell once it is over."""
        return cls(
            events=told.events,
            after=after.events if after is not None else [],
            payloads=payloads,
            spoiled=told.spoiled,
            dropped=told.dropped,
            fault=told.fault,
            unknown=told.unknown,
        )


Read = Callable[[Iterable[bytes], SourceConfig, Pseudonyms], Recording]
"""Translates a capture that comes in any cut."""


def type_name(text: object) -> str:
    """A vendor's type as it may be shown and counted: printable, short; "?" where there is none."""
    if not isinstance(text, str) or not text:
        return "?"
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:MAX_TYPE])
