"""Rocket.Chat: a webhook's body is a payload."""

import json
from collections.abc import Sequence
from pathlib import Path

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from services.ingest.adapters.rocketchat.translate import Translator
from services.ingest.payloads import json_payloads
from services.ingest.translated import Spoiled, Translated
from tests.contract.adapters import AdapterCase
from tests.doubles.running_source import PSEUDONYMS

SOURCE = SourceConfig(id="rc", kind="rocketchat", site="paris", system="rc", map={"dep-support": "chat"})


def takes(payloads: Sequence[bytes]) -> Translated:
    translator, told = Translator(SOURCE, PSEUDONYMS), Translated()
    for payload in payloads:
        try:
            told.add(translator.take(payload, 1_795_400_000_000))
        except InvalidMessage as error:
            told.spoiled.append(Spoiled.of(payload, error.detail))
    return told


CASE = AdapterCase(
    kind="rocketchat",
    source=SOURCE,
    samples=[Path(__file__).parents[2] / "data" / "rocketchat" / "session.jsonl"],
    unknown=b'{"type": "LivechatSessionDreamtOf", "_id": "1"}',
    broken=json.dumps({"type": "LivechatSessionTaken", "_id": "1"}).encode(),
    personal=["Lovelace", "+33102030405", "secret matter", "ada@customer", "Lea Martin", "lea@example.org"],
    takes=takes,
    payloads=lambda path: json_payloads(path.read_bytes()),
    promise="any",
)
