"""A recorded queue_log, translated on its own clock. Pure."""

from collections.abc import Iterable

from schemas.config import SourceConfig
from services.ingest.adapters.asterisk_queue_log.cutting import lines_of
from services.ingest.adapters.asterisk_queue_log.lines import Line, Lines
from services.ingest.adapters.asterisk_queue_log.translate import Translator
from services.ingest.translated import Pseudonyms, Recording, Spoiled, Translated

LONGEST_TIMER_MS = 86_400_000


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the log tells; `received_ms` of the events is the log's clock."""
    translator, clock = Translator(source, pseudonyms), Lines(source)
    told, count, now_ms, latest_ms = Translated(), 0, 0, 0
    for raw in lines_of(chunks):
        count += 1
        if isinstance(raw, Spoiled):
            told.spoiled.append(raw)
            continue
        line = clock.read(raw)
        now_ms = line.at_ms if isinstance(line, Line) else now_ms
        latest_ms = max(latest_ms, now_ms)
        told.events += translator.line(raw, now_ms)
    told.add(translator.take_rest())
    after = Translated(events=translator.rest(latest_ms + LONGEST_TIMER_MS))
    return Recording.of(told, payloads=count, after=after)
