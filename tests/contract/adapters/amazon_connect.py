"""Amazon Connect, as the contract suite must know it."""

from collections.abc import Sequence
from pathlib import Path

from services.ingest.adapters.amazon_connect import recording
from services.ingest.adapters.amazon_connect.translate import Translator, instant_of
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.doubles.connect_events import CUSTOMER, PSEUDONYMS, body, contact_event, source

OWN = Path(__file__).parents[2] / "data" / "amazon-connect"
THEIRS = sorted((SHARED / "amazon-connect").glob("*.json"))
WAIT_MS = 60_000


def takes(payloads: Sequence[bytes]) -> Translated:
    """On the payloads' own clock; whoever left alone is decided at the end."""
    translator, found, clock_ms = Translator(source(), PSEUDONYMS), Translated(), 0
    for payload in payloads:
        clock_ms = max(clock_ms, instant_of(payload) or 0)
        found.add(translator.take_any(payload, clock_ms))
    found.add(translator.due(clock_ms + WAIT_MS))
    return found


CASE = AdapterCase(
    kind="amazon_connect",
    source=source(),
    samples=[*sorted(OWN.glob("*.json")), *THEIRS],
    unknown=body(contact_event("RESCHEDULED")),
    broken=body(contact_event("QUEUED", initiationTimestamp="yesterday")),
    personal=[
        *(CUSTOMER, "Dupont", "Jacqueline", "Untel", "+33800000000"),
        *(["+11234567890", "AgentEventStreamTest", "aestest", "Finance"] if THEIRS else []),
    ],
    takes=takes,
    payloads=lambda path: list(recording.payloads(path.read_bytes())),
    promise="any",
)
