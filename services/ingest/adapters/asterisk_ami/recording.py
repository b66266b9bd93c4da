"""A recorded AMI session, translated on its own clock. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from schemas.vocabulary import Reason
from services.ingest.adapters.asterisk_ami.calls import Pseudonyms
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.adapters.asterisk_ami.wire import instant_us

LONGEST_TIMER_MS = 86_400_000


class Recording(Struct, frozen=True, kw_only=True):
    """`events` in order of the frames; `after` is what timers tell once the recording is over.

    `fault`: why nothing, or not all, could be used; `refused` counts frames that could not be read.
    """

    events: list[SourceEvent]
    after: list[SourceEvent]
    frames: int
    refused: int
    dropped: Counter[Reason]
    fault: str | None


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded bytes tell; `received_ms` of the events is the recording's clock."""
    reader = FrameReader()
    translator = Translator(source, pseudonyms)
    events: list[SourceEvent] = []
    count, clock_ms = 0, 0
    for frame, clock_ms in _timed(frame for chunk in chunks for frame in reader.feed(chunk)):
        events += translator.frame(frame, clock_ms)
        count += 1
    return Recording(
        events=events,
        after=translator.due(clock_ms + LONGEST_TIMER_MS),
        frames=count,
        refused=len(reader.take_refused()) + len(translator.take_refused()),
        dropped=translator.take_dropped(),
        fault=translator.fault,
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
