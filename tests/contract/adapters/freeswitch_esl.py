"""FreeSWITCH's event socket: an event, in whichever form, is a payload."""

import re
from collections.abc import Sequence
from pathlib import Path

from services.ingest.adapters.freeswitch_esl.frames import FrameReader
from services.ingest.adapters.freeswitch_esl.recording import payloads_of, translated
from services.ingest.translated import Translated
from tests.contract.adapters import SHARED, AdapterCase
from tests.doubles.esl_story import PSEUDONYMS, source

DATA = Path(__file__).parents[2] / "data" / "freeswitch-esl"
SOURCE = source(wrap_up_s=10)
UNKNOWN = b'{"Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": "agent-teleported"}'
BROKEN = (
    b'{"Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": "member-queue-start", '
    b'"Event-Date-Timestamp": "1696995740950000", "CC-Queue": "3000@default"}'
)


def takes(payloads: Sequence[bytes]) -> Translated:
    read = translated((event for payload in payloads for event in payloads_of(payload)), SOURCE, PSEUDONYMS)
    return Translated(
        events=[*read.events, *read.after],
        spoiled=read.spoiled,
        unknown=read.unknown,
        dropped=read.dropped,
        fault=read.fault,
    )


def payloads(path: Path) -> list[bytes]:
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        return data.splitlines()
    if data.startswith(b"Content-"):
        frames = (frame for frame in FrameReader().feed(data) if frame.body)
        head = b"Content-Length: %d\nContent-Type: text/event-plain\n\n"
        return [head % len(frame.body) + frame.body for frame in frames]
    return [block for block in re.split(rb"\n\n", data) if block.strip()]


CASE = AdapterCase(
    kind="freeswitch_esl",
    source=SOURCE,
    samples=[*sorted(DATA.glob("0*")), *sorted((SHARED / "freeswitch-esl").glob("0*"))],
    unknown=UNKNOWN,
    broken=BROKEN,
    personal=["19083426", "Zoe", "+33611223344"],
    takes=takes,
    payloads=payloads,
    promise="source",
)
