"""CloudEvents in Kafka: a record, as JSON, is a payload."""

import json
from collections.abc import Sequence
from pathlib import Path

from schemas.config import SourceConfig
from services.ingest.adapters.kafka.translate import Record, Translator
from services.ingest.translated import Translated
from tests.contract.adapters import AdapterCase
from tests.doubles.running_source import PSEUDONYMS

DATA = Path(__file__).parents[2] / "data" / "cloudevents"
SOURCE = SourceConfig(id="bus", kind="kafka", site="paris", topic="t")


def record(dumped: bytes) -> Record:
    try:
        told = json.loads(dumped)
    except ValueError:  # cut off: what is left is somebody's value
        return Record([], dumped, 1_795_341_600_000)
    value = told["value_utf8"]
    headers = [(name, text.encode()) for name, text in told["headers"]]
    return Record(headers, None if value is None else value.encode(), 1_795_341_600_000)


def takes(payloads: Sequence[bytes]) -> Translated:
    translator, told = Translator(SOURCE, PSEUDONYMS), Translated()
    for payload in payloads:
        told.add(translator.record(record(payload), 1_795_341_600_000))
    return told


def dumped(type_: str, data: str) -> bytes:
    attributes = {"specversion": "1.0", "id": "1", "source": "/crm", "type": type_}
    headers = [[f"ce_{name}", value] for name, value in attributes.items()]
    return json.dumps(
        {"headers": [*headers, ["content-type", "application/json"]], "value_utf8": data}
    ).encode()


CASE = AdapterCase(
    kind="kafka",
    source=SOURCE,
    samples=[DATA / "kafka_records.json", DATA / "ours.json"],
    unknown=dumped("com.example.coffee", "{}"),
    broken=dumped("vigie.queue.entered.v1", "{"),
    personal=["+33102030405", "Dupont"],
    takes=takes,
    payloads=lambda path: [json.dumps(each).encode() for each in json.loads(path.read_bytes())],
    promise="any",
)
