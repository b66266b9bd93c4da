"""How sources stand, as ingest says it: `vigie.sources`, one record per source and ingest process.

What the aggregator has heard of a source (freshness, skew) is in the site's row (`schemas.board.SourceRow`);
`GET /api/v1/sources` puts both together. Nothing here holds a payload, an address or a name of a customer.
"""

from enum import StrEnum

from msgspec import Struct

from schemas.board import DeadLetter


class SourceState(StrEnum):
    """`listening`: it is the source that comes to us, by webhook."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LISTENING = "listening"
    LOST = "lost"
    REFUSED = "refused"
    UNUSABLE = "unusable"
    STOPPED = "stopped"


class SourceStatus(Struct, frozen=True, kw_only=True):
    """One source as one ingest process sees it. Key: source + instance. Written every 5 s.

    Counts are since `since_ms`, the start of the process. `reason`: one sentence on why it is not
    connected, or on what makes it unusable; null while all is well. `connected_ms`: since when.
    `event_ms`: `occurred_ms` of the newest event; `received_ms`: when something last came from it.
    `types`, `unknown`: payloads by the vendor's own word, the most frequent; `outcomes`: events and
    payloads by what became of them; `unsigned`: webhooks that were refused, by reason; `is_open`: they
    are taken without a signature. `letters`: the last dead letters, newest first.
    """

    source: str
    instance: str
    site: str
    kind: str
    label: str | None = None
    state: SourceState
    reason: str | None = None
    as_of_ms: int
    since_ms: int
    connected_ms: int | None = None
    event_ms: int | None = None
    received_ms: int | None = None
    reconnects: int = 0
    events: int = 0
    types: dict[str, int] = {}
    unknown: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    unsigned: dict[str, int] = {}
    is_open: bool = False
    dead_letters: int = 0
    letters: list[DeadLetter] = []
