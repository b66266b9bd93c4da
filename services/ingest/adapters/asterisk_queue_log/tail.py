"""Follows a file that somebody else writes, line by line, through rotation, truncation and restarts.

A place in it is kept by device, inode and offset, and by a hash of how the file begins: so it is found
again under another name, in a copy, and never taken for another file that got its inode. Everything here
blocks for as long as the disk takes; nothing here knows what lines mean.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, structs

from services.ingest.adapters.asterisk_queue_log.cutting import cut
from services.ingest.translated import Spoiled

READ_BYTES = 1 << 17
HEAD_BYTES = 256


class Place(Struct, frozen=True, kw_only=True):
    """How far a file was read. `head`: hash of its first `head_bytes`. `last_ms`: the instant of the last
    line that was read, here or in the file before; 0: none had one.
    """

    device: int
    inode: int
    offset: int = 0
    head_bytes: int = 0
    head: str = ""
    is_skipping: bool = False
    last_ms: int = 0


class Piece(Struct, frozen=True, kw_only=True):
    """`place`: where the next one begins. `left`: bytes of the file behind it. `is_at_end`: nothing more has
    been written, here or in a file that followed. `is_gone`: no file has the name now. `gap`: what could not
    be read, in words.
    """

    lines: list[bytes]
    refused: list[Spoiled]
    place: Place
    left: int
    is_at_end: bool
    is_gone: bool = False
    gap: str | None = None


class Tail:
    """`begins_ms` gives the instant at which a line begins, None where it has none. `place`: where to go on;
    None: at the beginning of the file.
    """

    def __init__(self, path: Path, place: Place | None, begins_ms: Callable[[bytes], int | None]) -> None:
        self._path = path
        self._begins_ms = begins_ms
        self._place = place
        self._number: int | None = None
        self._gap: str | None = None

    def read(self) -> Piece:
        """The next lines, perhaps none. Raises `OSError`: nothing is lost, the next call tries again."""
        now = self._named()  # before reading: what is in the old file then is all that will ever be
        number, place = self._opened(now)
        size = os.fstat(number).st_size
        if size < place.offset or not _begins_as(number, place):
            number, place = self._truncated(number, place)
            size = os.fstat(number).st_size
        place = _with_head(number, place, size)
        data = os.pread(number, READ_BYTES, place.offset)
        found = cut(data, is_skipping=place.is_skipping)
        place = structs.replace(place, offset=place.offset + found.used, is_skipping=found.is_skipping)
        for line in found.lines[-1:]:
            place = structs.replace(place, last_ms=self._begins_ms(line) or place.last_ms)
        self._place = place
        refused = found.refused
        is_at_end = place.offset + len(data) - found.used >= size
        if is_at_end and self._is_replaced(place, now):
            is_at_end = False
            if not found.used:
                refused = refused + _unfinished(data)
                place = self._follow(place)
        gap, self._gap = self._gap, None
        return Piece(
            lines=found.lines,
            refused=refused,
            place=place,
            left=max(0, size - place.offset),
            is_at_end=is_at_end,
            is_gone=now is None,
            gap=gap,
        )

    def close(self) -> None:
        if self._number is not None:
            os.close(self._number)
            self._number = None

    def _named(self) -> os.stat_result | None:
        """The file that has the name now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "is not a file")
        return found

    def _opened(self, now: os.stat_result | None) -> tuple[int, Place]:
        if self._number is not None and self._place is not None:
            return self._number, self._place
        if self._place is None:
            return self._open(self._path)
        place = self._place
        found = self._find(place)
        if found is not None:
            return self._open(found, place)
        if now is None:
            raise FileNotFoundError(2, "no such file")
        if place.head_bytes:
            self._gap = "the rest of the file that was read last is not in the folder any more"
        return self._open(self._path)

    def _open(self, path: Path, place: Place | None = None) -> tuple[int, Place]:
        """At that place of it, else at its beginning."""
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.close()
        found = os.fstat(number)
        place = place or Place(device=0, inode=0)
        self._number = number
        self._place = structs.replace(place, device=found.st_dev, inode=found.st_ino)
        return number, self._place

    def _find(self, place: Place) -> Path | None:
        """The file of a place, whatever it is called now; else a copy of it that holds as much."""
        entries = [entry for entry in self._siblings() if _holds(entry, place)]
        entries.sort(key=lambda entry: not _is_at(entry.stat(), place))
        if entries and (_is_at(entries[0].stat(), place) or place.head_bytes):
            return entries[0]
        return None

    def _siblings(self) -> list[Path]:
        """The file of the name and those that were called so before: `queue_log`, `queue_log.0`, …"""
        folder = self._path.parent
        entries = [folder / name for name in sorted(os.listdir(folder))]
        named = [entry for entry in entries if entry.name.startswith(self._path.name) and entry.is_file()]
        return named or [entry for entry in entries if entry == self._path]

    def _truncated(self, number: int, place: Place) -> tuple[int, Place]:
        """The file begins anew. What was in it and was not read is in the copy that was made before."""
        copy = next((each for each in self._siblings() if place.head_bytes and _holds(each, place)), None)
        if copy is not None:
            return self._open(copy, place)
        place = Place(device=place.device, inode=place.inode, last_ms=place.last_ms)
        self._place = place
        return number, place

    def _is_replaced(self, place: Place, now: os.stat_result | None) -> bool:
        """Another file has the name, and is being written: then the writer has left this one."""
        return now is not None and now.st_size > 0 and not _is_at(now, place)

    def _follow(self, place: Place) -> Place:
        """The file that was written after this one: perhaps one that has been rotated away meanwhile."""
        number = self._number
        assert number is not None
        ended_ns = os.fstat(number).st_mtime_ns
        later = [
            (entry.stat().st_mtime_ns, entry)
            for entry in self._siblings()
            if entry != self._path and not _is_at(entry.stat(), place)
        ]
        for modified_ns, entry in sorted(later):
            if modified_ns > ended_ns and self._goes_on(entry, place):
                return self._open(entry, Place(device=0, inode=0, last_ms=place.last_ms))[1]
        return self._open(self._path, Place(device=0, inode=0, last_ms=place.last_ms))[1]

    def _goes_on(self, path: Path, place: Place) -> bool:
        """Whether its first line is no earlier than our last: a copy of what was read begins before it."""
        try:
            with path.open("rb") as file:
                first_ms = self._begins_ms(file.readline(HEAD_BYTES))
        except OSError:
            return False
        return first_ms is not None and first_ms >= place.last_ms > 0


def _is_at(found: os.stat_result, place: Place) -> bool:
    return (found.st_dev, found.st_ino) == (place.device, place.inode)


def _holds(path: Path, place: Place) -> bool:
    """Whether the file begins as that of the place does, and is as long as it was read."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.fstat(number).st_size >= place.offset and _begins_as(number, place)
    finally:
        os.close(number)


def _begins_as(number: int, place: Place) -> bool:
    return _hash(os.pread(number, place.head_bytes, 0)) == place.head if place.head_bytes else True


def _with_head(number: int, place: Place, size: int) -> Place:
    """A file is known by more of its beginning as it grows."""
    if place.head_bytes >= HEAD_BYTES or size <= place.head_bytes:
        return place
    head = os.pread(number, HEAD_BYTES, 0)
    return structs.replace(place, head_bytes=len(head), head=_hash(head))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unfinished(data: bytes) -> list[Spoiled]:
    return [Spoiled.of(data, "line: the file ends within it")] if data else []
