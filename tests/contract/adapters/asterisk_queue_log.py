"""Asterisk's queue_log: a line is a payload."""

from collections.abc import Sequence
from pathlib import Path

from services.ingest.adapters.asterisk_queue_log.recording import read
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.data import asterisk
from tests.doubles.running_source import PSEUDONYMS
from tests.unit.ingest.adapters.asterisk_queue_log.telling import source

SOURCE = source(wrap_up_s=asterisk.WRAP_UP_S)


def takes(payloads: Sequence[bytes]) -> Translated:
    recording = read([payload + b"\n" for payload in payloads], SOURCE, PSEUDONYMS)
    return Translated(
        events=[*recording.events, *recording.after],
        spoiled=recording.spoiled,
        unknown=recording.unknown,
        dropped=recording.dropped,
        fault=recording.fault,
    )


def payloads(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


CASE = AdapterCase(
    kind="asterisk_queue_log",
    source=SOURCE,
    samples=[
        asterisk.EVERY_LINE,
        asterisk.QUEUE_LOG,
        *sorted((SHARED / "asterisk-queue-log").glob("*.txt")),
    ],
    unknown=b"1700000000|1700000000.1|support|NONE|DID|+15550100001",
    broken=b"1700000000|NONE|support|NONE|ENTERQUEUE||+15550100001|1",
    personal=["+15550100001", "01555010", "Caller Name"],
    takes=takes,
    payloads=payloads,
    promise="source",
)
