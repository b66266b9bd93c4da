"""A recorded AMI session, translated on its own clock. Pure."""

from collections.abc import Iterable, Iterator

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.adapters.asterisk_ami.wire import instant_us
from services.ingest.translated import Pseudonyms, Recording

LONGEST_TIMER_MS = 86_400_000


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded bytes tell; `received_ms` of the events is the recording's clock."""
    reader = FrameReader()
    translator = Translator(source, pseudonyms)
    events: list[SourceEvent] = []
    count, clock_ms = 0, 0
    for frame, clock_ms in _timed(frame for chunk in chunks for frame in reader.feed(chunk)):
        events += translator.frame(frame, clock_ms)
        count += 1
    after = translator.due(clock_ms + LONGEST_TIMER_MS)
    rest = translator.take_rest()
    return Recording(
        events=events,
        after=after,
        payloads=count,
        spoiled=[*reader.take_refused(), *rest.spoiled],
        dropped=rest.dropped,
        fault=rest.fault,
        unknown=rest.unknown,
    )


def _timed(frames: Iterator[Frame]) -> Iterator[tuple[Frame, int]]:
    """Each frame with the clock at its arrival; those before the first Timestamp with that one."""
    early: list[Frame] = []
    clock_ms: int | None = None
    for frame in frames:
        at_us = instant_us(frame)
        if at_us is not None:
            clock_ms = at_us // 1000
        if clock_ms is None:
            early.append(frame)
            continue
        for each in early:
            yield each, clock_ms
        early.clear()
        yield frame, clock_ms
    for each in early:
        yield each, 0
