"""How sources stand, as ingest says it: `vigie.sources`, one record per source and ingest process.

What the aggregator has heard of a source (freshness, skew) is in the site's row (`schemas.board.SourceRow`);
`GET /api/v1/sources` puts both together. Nothing here holds a payload, an address or a name of a customer.
"""

from enum import StrEnum

from msgspec import Struct

from schemas.board import DeadLetter
from schemas.vocabulary import Freshness


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
    """One source as one ingest process sees it. Key: site + source + instance. Written every 5 s.

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


class SourceInstance(Struct, frozen=True, kw_only=True):
    """One ingest process's part in a source. `age_ms`: how old what it said is."""

    instance: str
    state: SourceState
    reason: str | None
    connected_ms: int | None
    since_ms: int
    age_ms: int


class SourceView(Struct, frozen=True, kw_only=True):
    """One source for the source panel: what every ingest process says of it, added up, and what the board
    has heard of it.

    `state` null: no ingest process has it (it has not posted since ingest started, or ingest does not run);
    then the counts are null as well. `connected_ms`: since when the first of them is connected.
    `freshness`, `age_ms`, `heard_ms`, `skew_ms`: as on the board; null where it has not been heard.
    `since_ms`: from when on is counted.
    """

    source: str
    site: str
    kind: str
    label: str | None = None
    state: SourceState | None = None
    reason: str | None = None
    freshness: Freshness = Freshness.UNKNOWN
    age_ms: int | None = None
    heard_ms: int | None = None
    skew_ms: int | None = None
    connected_ms: int | None = None
    since_ms: int | None = None
    event_ms: int | None = None
    received_ms: int | None = None
    reconnects: int | None = None
    events: int | None = None
    types: dict[str, int] | None = None
    unknown: dict[str, int] | None = None
    outcomes: dict[str, int] | None = None
    unsigned: dict[str, int] | None = None
    is_open: bool = False
    dead_letters: int | None = None
    letters: list[DeadLetter] = []
    instances: list[SourceInstance] = []
