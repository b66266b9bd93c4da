"""Histories in files: a row is a payload."""

from collections.abc import Sequence
from pathlib import Path

from schemas.config import SourceConfig
from services.ingest.adapters.file.translate import lines_of, translate
from services.ingest.translated import Translated
from tests.contract.adapters import AdapterCase
from tests.doubles.running_source import PSEUDONYMS

HISTORY = Path(__file__).parents[2] / "data" / "file" / "history.jsonl"
SOURCE = SourceConfig(
    id="old",
    kind="file",
    site="paris",
    file="history.jsonl",
    columns={"type": "what", "time": "at", "contact": "ref", "queue": "queue", "customer": "caller"},
)


def takes(payloads: Sequence[bytes]) -> Translated:
    return translate(lines_of([b"\n".join(payloads)]), SOURCE, PSEUDONYMS, now_ms=1_795_400_000_000)


CASE = AdapterCase(
    kind="file",
    source=SOURCE,
    samples=[HISTORY],
    unknown=b'{"what": "coffee", "at": 5, "ref": "1"}',
    broken=b'{"what": "queue.entered", "at": "noon", "ref": "1"}',
    personal=["+33102030405", "Dupont"],
    takes=takes,
    payloads=lambda path: path.read_bytes().splitlines(),
    promise="any",
)
