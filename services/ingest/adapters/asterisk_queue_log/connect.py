"""Reads the log of one Asterisk as it is written, from where the last start came to.

The mark holds the place in the file together with all that the translator remembers there. It is written
after the log has the events: a crash in between reads some lines again, with the same memory as the first
time, so that they give the same ids. Nothing else is needed: neither what was told before, nor older
files. Without a mark it is a first start: `backfill_s` back. Which file it began with, and back to when, is
marked before anything is told, so that one that is broken off is begun again, wherever that file is then.
"""

import asyncio
import time
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct, structs

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from services.ingest.adapters.asterisk_queue_log.backfill import Backfill
from services.ingest.adapters.asterisk_queue_log.lines import begins_ms
from services.ingest.adapters.asterisk_queue_log.tail import Piece, Place, Tail
from services.ingest.adapters.asterisk_queue_log.translate import Memory, Translator
from services.ingest.handover import messages_of, store
from services.ingest.line import until_stopped
from services.ingest.marks import Mark
from services.ingest.tools import Tools
from services.ingest.translated import Translated

BACKFILL_S = 86_400.0

log = structlog.get_logger()


class Pace(Struct, frozen=True, kw_only=True):
    """In seconds. Defaults are for real systems, shorter ones for tests.

    `gone_s`: how long the file may be away while it is being rotated. `long_s`: a reading that lasts longer
    is spoken of in the log.
    """

    poll_s: float = 0.25
    beat_s: float = 5.0
    mark_s: float = 5.0
    gone_s: float = 2.0
    long_s: float = 10.0


class Kept(Struct, frozen=True, kw_only=True):
    """What a mark holds. `since_ms`: a first start is under way, from then on; None: it is over."""

    place: Place
    memory: Memory
    since_ms: int | None = None


async def run(source: SourceConfig, tools: Tools, *, pace: Pace | None = None) -> None:
    """Reads the file until told to stop."""
    following = _Following(source, tools, pace or Pace())
    try:
        await until_stopped(following.go_on(), report=tools.report, stop=tools.stop)
    finally:
        following.tail.close()


class _Following:
    """The reading of one file. `_backfill` None once everything that is read is told."""

    def __init__(self, source: SourceConfig, tools: Tools, pace: Pace) -> None:
        self._source = source
        self._tools = tools
        self._pace = pace
        self._path = Path(source.file or "")
        self._mark = Mark(tools.folder, source.id)
        kept = _kept(self._mark.read())
        self._translator = Translator(
            source,
            tools.pseudonyms,
            tells_agents="asterisk_ami" not in tools.peers,
            memory=kept.memory if kept is not None else None,
        )
        self.tail = Tail(self._path, kept.place if kept is not None else None, begins_ms)
        since_ms = _since_ms(source, tools.clock()) if kept is None else kept.since_ms
        self._backfill = Backfill(since_ms) if since_ms is not None else None
        self._progress = _Progress(source, pace.long_s, is_first=self._backfill is not None)
        self._is_begun = kept is not None
        self._is_live = False
        self._marked: Place | None = None
        self._marked_s = self._beat_s = self._there_s = float("-inf")
        self._fault: str | None = None

    async def go_on(self) -> None:
        """Reads what there is, then waits for more, until cancelled."""
        while True:
            piece = await self._read()
            if piece is not None:
                await self._begin(piece.place)
                await self._take(piece)
                await self._remember(piece.place)
            if piece is None or piece.is_at_end:
                await asyncio.sleep(self._pace.poll_s)

    # --- the file ---

    async def _read(self) -> Piece | None:
        """What is new; None while nothing can be read, which is reported."""
        now_s = time.monotonic()
        try:
            piece = await asyncio.to_thread(self.tail.read)
        except FileNotFoundError:
            self._miss(now_s)
            return None
        except OSError as error:
            reason, is_refused = _words(self._path, error)
            self._tools.report.lost(reason, is_refused=is_refused)
            return None
        if piece.is_gone:
            self._miss(now_s)
        else:
            self._there_s = now_s
            self._tools.report.up()
        if piece.gap is not None:
            log.warning("log_gap", source=self._source.id, file=str(self._path), reason=piece.gap)
        return piece

    def _miss(self, now_s: float) -> None:
        """Nothing has the name: for a moment only, while it is being rotated."""
        if now_s - self._there_s >= self._pace.gone_s:
            self._tools.report.lost(
                f"{self._path} is not there: compare file with where Asterisk writes it (astlogdir in "
                "asterisk.conf; queue_log and queue_log_name in logger.conf)"
            )

    # --- what it says ---

    async def _take(self, piece: Piece) -> None:
        """Tells what the piece says, and what was due; returns once the log has it."""
        now_ms = self._tools.clock()
        told = Translated()
        for raw in piece.lines:
            told.events += self._due(self._translator.line(raw, now_ms, is_live=self._is_live))
        told.add(self._translator.take_rest())
        told.spoiled += piece.refused
        if piece.is_at_end:
            told.events += self._at_the_end(now_ms, is_there=not piece.is_gone)
        told.fault = told.fault or self._fault
        if piece.lines or told.events or told.spoiled:
            messages = messages_of(told, report=self._tools.report, now_ms=now_ms)
            await store(messages, send=self._tools.send, report=self._tools.report)
        else:
            self._tools.report.fault(told.fault)
        self._is_live = piece.is_at_end
        self._progress.add(piece)

    def _due(self, events: list[SourceEvent]) -> list[SourceEvent]:
        """Those that are to be told now, while the past is being read."""
        if self._backfill is None:
            return events
        events = self._backfill.take(events)
        if self._backfill.is_over:
            self._backfill = None
        return events

    def _at_the_end(self, now_ms: int, *, is_there: bool) -> list[SourceEvent]:
        """Everything that was written is read: time goes on by the clock here."""
        events = self._backfill.finish() if self._backfill is not None else []
        self._backfill = None
        events += self._translator.due(now_ms)
        now_s = time.monotonic()
        if is_there and now_s >= self._beat_s + self._pace.beat_s:
            self._beat_s = now_s
            events += self._translator.heartbeat(now_ms)
        return events

    async def _begin(self, place: Place) -> None:
        """A first start is marked as one, at the beginning of the file that it is the first to read of."""
        if self._backfill is None or self._is_begun:
            return
        self._is_begun = True
        first = structs.replace(place, offset=0, is_skipping=False, last_ms=0)
        since_ms = self._backfill.since_ms
        await self._keep(Kept(place=first, memory=self._translator.memory(), since_ms=since_ms))

    async def _remember(self, place: Place) -> None:
        """Not before what is held back has been told: until then it is a first start."""
        now_s = time.monotonic()
        is_due = now_s >= self._marked_s + self._pace.mark_s
        if self._backfill is not None or place == self._marked or not is_due:
            return
        self._marked_s = now_s
        if await self._keep(Kept(place=place, memory=self._translator.memory())):
            self._marked = place

    async def _keep(self, kept: Kept) -> bool:
        """Whether it is kept; why not is a fault, until it is."""
        try:
            await asyncio.to_thread(self._mark.write, msgspec.json.encode(kept).decode())
        except OSError as error:
            self._fault = f"how far the log was read cannot be kept in {self._tools.folder}: {error.strerror}"
        else:
            self._fault = None
        return self._fault is None


class _Progress:
    """Says in the log that a long reading goes on, once, and its end."""

    def __init__(self, source: SourceConfig, long_s: float, *, is_first: bool) -> None:
        self._source = source
        self._long_s = long_s
        self._is_first = is_first
        self._start_s = time.monotonic()
        self._lines = 0
        self._is_said = False
        self._is_over = False

    def add(self, piece: Piece) -> None:
        if self._is_over:
            return
        self._lines += len(piece.lines)
        took_s = time.monotonic() - self._start_s
        named = {"source": self._source.id, "file": self._source.file, "lines": self._lines}
        if piece.is_at_end:
            self._is_over = True
            if self._is_first or self._is_said:
                log.info("queue_log_read", **named, took_s=round(took_s, 1))
        elif took_s > self._long_s and not self._is_said:
            self._is_said = True
            log.info("queue_log_reading", **named, left_bytes=piece.left)


def _since_ms(source: SourceConfig, now_ms: int) -> int:
    """From when on a first start tells what happened."""
    return now_ms - round((source.backfill_s if source.backfill_s is not None else BACKFILL_S) * 1000)


def _kept(text: str | None) -> Kept | None:
    """None where nothing is kept that this version can read: then it is a first start."""
    try:
        return msgspec.json.decode(text, type=Kept) if text is not None else None
    except msgspec.MsgspecError:
        return None


def _words(path: Path, error: OSError) -> tuple[str, bool]:
    """What is wrong with the file, and whether somebody refuses it to us."""
    if isinstance(error, PermissionError):
        return (
            f"{path} may not be read: let the user that ingest runs as into the folder and read the file, "
            "for instance as a member of the group asterisk",
            True,
        )
    return f"{path}: {error.strerror or error}", False
