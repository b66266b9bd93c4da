"""Chatwoot: a webhook's body is a payload."""

import json
from collections.abc import Sequence
from pathlib import Path

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from services.ingest.adapters.chatwoot.translate import Translator
from services.ingest.payloads import json_payloads
from services.ingest.translated import Spoiled, Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.doubles.running_source import PSEUDONYMS

DATA = Path(__file__).parents[2] / "data" / "chatwoot"
SOURCE = SourceConfig(id="chat", kind="chatwoot", site="paris", system="chat", map={"3": "shop-chat"})


def takes(payloads: Sequence[bytes]) -> Translated:
    translator, told = Translator(SOURCE, PSEUDONYMS), Translated()
    for payload in payloads:
        try:
            told.add(translator.take(payload, 1_709_290_000_000))
        except InvalidMessage as error:
            told.spoiled.append(Spoiled.of(payload, error.detail))
    return told


CASE = AdapterCase(
    kind="chatwoot",
    source=SOURCE,
    samples=[
        DATA / "conversation_lifecycle.jsonl",
        *sorted((SHARED / "chatwoot").glob("02_*.json")),
    ],
    unknown=b'{"event": "conversation_dreamt_of", "id": 1}',
    broken=json.dumps({"event": "conversation_created", "id": 1, "inbox_id": 3}).encode(),
    personal=["quiet-river-12", "Agent Two", "Firefox", "shop.example"],
    takes=takes,
    payloads=lambda path: json_payloads(path.read_bytes()),
    promise="any",
)
