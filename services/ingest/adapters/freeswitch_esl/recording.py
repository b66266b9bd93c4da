"""A recorded event socket, translated on its own clock. Pure.

Three forms are read: what went over the wire, JSON lines (or one array), and blocks of header lines as
`fs_cli` and the manual show them.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from services.ingest.adapters.freeswitch_esl.frames import FrameReader
from services.ingest.adapters.freeswitch_esl.translate import Translator
from services.ingest.adapters.freeswitch_esl.wire import Event, event_of, from_block, from_json, instant_us
from services.ingest.translated import Pseudonyms, Recording, Spoiled

LONGEST_TIMER_MS = 86_400_000
_WIRE = re.compile(rb"\s*content-(type|length):", re.IGNORECASE)
_BLOCKS = re.compile(rb"\r?\n[ \t]*\r?\n")
_array = msgspec.json.Decoder(list[msgspec.Raw])


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded bytes tell; `received_ms` of the events is the recording's clock."""
    return translated(payloads_of(b"".join(chunks)), source, pseudonyms)


def translated(
    payloads: Iterable[Event | Spoiled | None], source: SourceConfig, pseudonyms: Pseudonyms
) -> Recording:
    """What these tell, timers included; None is a payload that holds no event."""
    translator = Translator(source, pseudonyms)
    translator.go_on()
    events: list[SourceEvent] = []
    count, clock_ms = 0, 0
    for payload in payloads:
        count += 1
        if isinstance(payload, Spoiled):
            translator.spoiled(payload)
        elif payload is not None:
            at_us = instant_us(payload)
            clock_ms = at_us // 1000 if at_us is not None else clock_ms
            events += translator.event(payload, clock_ms)
    told = translator.take_rest()
    told.events = events
    after = translator.take_rest()
    after.events = translator.due(clock_ms + LONGEST_TIMER_MS)
    return Recording.of(told, payloads=count, after=after)


def payloads_of(data: bytes) -> Iterator[Event | Spoiled | None]:
    """Each payload of a capture, in whichever form it is."""
    if _WIRE.match(data):
        yield from _of_wire(data)
    elif data.lstrip()[:1] in (b"{", b"["):
        yield from _of_json(data)
    else:
        for block in _BLOCKS.split(data):
            if block.strip():
                yield from_block(block.strip(b"\r\n"))


def _of_wire(data: bytes) -> Iterator[Event | Spoiled | None]:
    reader = FrameReader()
    for frame in reader.feed(data):
        yield event_of(frame)
    yield from reader.take_refused()


def _of_json(data: bytes) -> Iterator[Event | Spoiled]:
    """Objects, one a line, or in an array."""
    if data.lstrip().startswith(b"["):
        try:
            yield from (from_json(bytes(each)) for each in _array.decode(data))
        except msgspec.DecodeError:
            yield Spoiled.of(data, "recording: neither JSON lines nor an array")
        return
    yield from (from_json(line) for line in data.splitlines() if line.strip())
