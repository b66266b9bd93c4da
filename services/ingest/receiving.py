"""Webhooks: what a source's adapter must be able to do with a request. Pure; the shell is `webhooks.py`.

A receiver is pure but for what it remembers. It may be asked again for the same request, because the log
may not have taken what it said the first time: a repeat gives the same events. Two processes may each
receive a part of what a source sends, so that no receiver may need to have seen everything.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from schemas.events import AnyEvent
from services.ingest.translated import Translated


class Unsigned(StrEnum):
    """Why a webhook was refused (401); also the metric label."""

    MISSING = "signature_missing"
    MALFORMED = "signature_malformed"
    WRONG = "signature_wrong"
    OLD = "signature_old"
    OTHER_BODY = "signature_of_another_body"
    OTHER_ORIGIN = "other_origin"


class Request(Struct, frozen=True, kw_only=True):
    """A POST as it came. `headers`: names in lower case. `path` and `query` as sent, not decoded."""

    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Receiver(Protocol):
    """The adapter of a source that comes to us."""

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        """Why the request is not the source's, or None. In constant time where secrets are compared."""
        ...

    def take(self, request: Request, now_ms: int) -> Translated:
        """What the request tells. Raises `InvalidMessage` when its body is nothing that this source sends."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A receiver for whom one request is not enough: it knows what was told before, and what is due."""

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started; all of them come before `go_on`."""
        ...

    def go_on(self) -> None: ...

    def due(self, now_ms: int) -> Translated: ...

    def next_due_ms(self) -> int | None: ...
