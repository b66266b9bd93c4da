"""A translator that goes on from what another one remembered tells what one alone would have told."""

from pathlib import Path

import msgspec
import pytest

from schemas.events import SourceEvent
from services.ingest.adapters.asterisk_queue_log import visits
from services.ingest.adapters.asterisk_queue_log.recording import LONGEST_TIMER_MS
from services.ingest.adapters.asterisk_queue_log.translate import Memory, Translator
from tests.data import asterisk
from tests.doubles.running_source import PSEUDONYMS
from tests.unit.ingest.adapters.asterisk_queue_log.telling import (
    Story,
    complete,
    connect,
    enter,
    line,
    source,
)

CONFIG = source(wrap_up_s=asterisk.WRAP_UP_S)


def told(lines: list[bytes], translator: Translator) -> list[SourceEvent]:
    return [event for each in lines for event in translator.line(each, 2_000_000_000_000)]


def on(translator: Translator) -> Translator:
    """Another process, that has read what was written down."""
    text = msgspec.json.encode(translator.memory())
    return Translator(CONFIG, PSEUDONYMS, memory=msgspec.json.decode(text, type=Memory))


@pytest.mark.parametrize("lines", [asterisk.QUEUE_LOG, asterisk.EVERY_LINE], ids=["run1", "every"])
def test_cut_anywhere_the_same_is_told(lines: Path) -> None:
    raw = lines.read_bytes().splitlines()
    whole = Translator(CONFIG, PSEUDONYMS)
    expected = [*told(raw, whole), *whole.rest(2_000_000_000_000 + LONGEST_TIMER_MS)]
    step = max(1, len(raw) // 40)
    translator, found = Translator(CONFIG, PSEUDONYMS), list[SourceEvent]()
    for start in range(0, len(raw), step):
        found += told(raw[start : start + step], translator)
        translator = on(translator)
    found += translator.rest(2_000_000_000_000 + LONGEST_TIMER_MS)

    assert found == expected


def test_lines_read_again_from_what_was_kept_have_the_same_ids() -> None:
    raw = asterisk.QUEUE_LOG.read_bytes().splitlines()
    translator = Translator(CONFIG, PSEUDONYMS)
    told(raw[:200], translator)
    again = on(translator)

    assert told(raw[200:260], translator) == told(raw[200:260], again)


def test_the_memory_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "MAX_OPEN", 50)
    monkeypatch.setattr(visits, "MAX_OVER", 30)
    story = Story()
    for number in range(200):
        story.tell(enter(number, f"{number}.1"))
    for number in range(200, 400):
        story.tell(enter(number, f"{number}.1"))
        story.tell(line(number, f"{number}.1", "support", "NONE", "ABANDON", 1, 1, 0))
    story.tell(enter(400, "400.1"))
    known = story.translator.memory().known

    assert (len(known.open), len(known.over)) == (50, 30)
    assert "399.1" in known.over


def test_calls_are_forgotten_by_age() -> None:
    story = Story()
    story.tell(enter(0), enter(1, "2.1"), line(2, "2.1", "support", "NONE", "ABANDON", 1, 1, 1))
    story.tell(enter(3_700, "3.1"), connect(3_701, "Lea", "3.1"), complete(3_702, "Lea", "3.1"))
    assert list(story.translator.memory().known.over) == ["3.1"]
    story.tell(enter(90_000, "4.1"))

    assert list(story.translator.memory().known.open) == ["4.1"]
