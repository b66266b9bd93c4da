"""Asterisk's manager: a frame is a payload."""

from collections.abc import Sequence
from pathlib import Path

from services.ingest.adapters.asterisk_ami.frames import FrameReader
from services.ingest.adapters.asterisk_ami.recording import read
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, source

SOURCE = source(wrap_up_s=asterisk.WRAP_UP_S)
UNKNOWN = b"Event: SomethingNew\r\nQueue: support\r\n\r\n"
BROKEN = b"Event: QueueCallerJoin\r\nTimestamp: 1.000001\r\nQueue: support\r\n\r\n"


def takes(payloads: Sequence[bytes]) -> Translated:
    recording = read(payloads, SOURCE, PSEUDONYMS)
    return Translated(
        events=[*recording.events, *recording.after],
        spoiled=recording.spoiled,
        unknown=recording.unknown,
        dropped=recording.dropped,
        fault=recording.fault,
    )


def payloads(path: Path) -> list[bytes]:
    frames = FrameReader().feed(path.read_bytes())
    return [frame.raw.replace("\n", "\r\n").encode() + b"\r\n\r\n" for frame in frames]


CASE = AdapterCase(
    kind="asterisk_ami",
    source=SOURCE,
    samples=[
        asterisk.RING_ALL_AND_TIMEOUT,
        asterisk.COMPLETE_WITHOUT_CHANNEL,
        *sorted((SHARED / "asterisk-ami").glob("*.ami.txt")),
    ],
    unknown=UNKNOWN,
    broken=BROKEN,
    personal=["+15550100001", "01555010"],
    takes=takes,
    payloads=payloads,
    promise="source",
)
