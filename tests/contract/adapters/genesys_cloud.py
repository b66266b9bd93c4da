"""Genesys Cloud, as the contract suite must know it."""

import json
from collections.abc import Sequence
from pathlib import Path

from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.payloads import json_payloads
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.doubles.genesys_calls import detail, event, source
from tests.doubles.running_source import PSEUDONYMS

OWN = Path(__file__).parents[2] / "data" / "genesys-cloud"
THEIRS = sorted((SHARED / "genesys-cloud").glob("*.json"))


def takes(payloads: Sequence[bytes]) -> Translated:
    """As they come by webhook: each fact is told as often as it is heard."""
    translator, found = Translator(source(), PSEUDONYMS), Translated()
    for payload in payloads:
        found.add(translator.take_any(payload, 0))
    return found


CASE = AdapterCase(
    kind="genesys_cloud",
    source=source(),
    samples=[*sorted(OWN.glob("*.json*")), *THEIRS],
    unknown=json.dumps(event("v2.hologram.started", {})).encode(),
    broken=json.dumps(detail("acd.start", 5, eventTime="yesterday")).encode(),
    personal=[
        *("+15550100", "15550199", "+15550177", "Jeanne Untel", "jeanne@example.com", "my secret"),
        *(["John Doe", "Yuri", "uwu", "idk"] if THEIRS else []),
    ],
    takes=takes,
    payloads=lambda path: json_payloads(path.read_bytes()),
    promise="source",
)
