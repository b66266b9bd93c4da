"""Twilio: a form, a CloudEvent or a frame of a worker's browser is a payload."""

import json
from collections.abc import Sequence
from pathlib import Path

from services.ingest.adapters.twilio_taskrouter.recording import payloads as all_of
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import source

DATA = Path(__file__).parents[2] / "data" / "twilio-taskrouter"
FOREIGN = SHARED / "twilio-taskrouter"
SOURCE = source()
_FOREIGN_PERSONS = ["14567890123", "John Doe", "Ahoy!", "441234567890"]


def takes(payloads: Sequence[bytes]) -> Translated:
    translator, told = Translator(SOURCE, PSEUDONYMS), Translated()
    for body in payloads:
        for payload in all_of(body):
            told.add(translator.payload(payload, None))
    return told


def payloads(path: Path) -> list[bytes]:
    """The worker's frames are one: they lie years apart, where the bound of lateness makes order matter."""
    if path.suffix == ".txt":
        return path.read_bytes().splitlines()
    return [json.dumps(json.loads(path.read_bytes())).encode()]


CASE = AdapterCase(
    kind="twilio_taskrouter",
    source=SOURCE,
    samples=[
        DATA / "05_composed_event_callbacks.form.txt",
        *(path for path in sorted(FOREIGN.glob("0[12346]*.json"))),
    ],
    unknown=b"EventType=task.levitated&TaskSid=WT1&TimestampMs=1700000000120",
    broken=b"EventType=task.created&TimestampMs=1700000000120&TaskAttributes=%7B%22from%22%3A%22Ann%22%7D",
    personal=["15550100001", "client%3Aalice", *(_FOREIGN_PERSONS if FOREIGN.is_dir() else [])],
    takes=takes,
    payloads=payloads,
    promise="any",
)
