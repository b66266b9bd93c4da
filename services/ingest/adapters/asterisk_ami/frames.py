"""AMI's wire form: `Key: Value` lines, CRLF, an empty line after each frame. Pure.

What is lenient here was seen on the wire (SOURCES.md §2): keys repeat, values are empty or hold
`: `, a frame ends with one more empty line, bytes are not always UTF-8. LF alone is taken too.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

from services.ingest.translated import Spoiled

MAX_FRAME_BYTES = 64 * 1024
"""Of one frame without its empty line; Asterisk's own stay below 8 KiB."""

_BANNER = b"Asterisk Call Manager"


class Fault(StrEnum):
    """Why bytes were not taken as a frame. The connection goes on behind the next empty line."""

    TOO_LARGE = "frame_too_large"
    UNENDED_LINE = "line_without_end"
    NO_HEADER = "no_header"


class Frame:
    """One frame: `raw` as it came (LF line ends), `get` for the first value of a key.

    Keys are looked up in the text itself: of most frames one or two are ever asked for.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: str) -> None:
        self.raw = raw

    def get(self, key: str) -> str:
        """The first value of `key`; "" when it is absent or empty."""
        start = self._after(key)
        if start < 0:
            return ""
        end = self.raw.find("\n", start)
        return self.raw[start : end if end >= 0 else None].removeprefix(" ")

    def all(self, key: str) -> list[str]:
        """Every value of `key`, in order."""
        pairs = (line.partition(":") for line in self.raw.split("\n"))
        return [value.removeprefix(" ") for name, colon, value in pairs if colon and name == key]

    def __contains__(self, key: str) -> bool:
        return self._after(key) >= 0

    def _after(self, key: str) -> int:
        """Where the first value of `key` starts, behind the colon; -1 when there is none."""
        if self.raw.startswith(f"{key}:"):
            return len(key) + 1
        at = self.raw.find(f"\n{key}:")
        return at + len(key) + 2 if at >= 0 else -1


class FrameReader:
    """Bytes in any cut → whole frames. One reader per connection.

    `banner` is the greeting line, "" when the first line was another, None before it has come.
    Holds at most `MAX_FRAME_BYTES` and one read.
    """

    def __init__(self) -> None:
        self.banner: str | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._half_line_end = b""
        self._skipped: _Skipped | None = None
        self._refused: list[Spoiled] = []

    def take_refused(self) -> list[Spoiled]:
        """What was skipped since the last time."""
        refused, self._refused = self._refused, []
        return refused

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        data = self._half_line_end + data
        self._half_line_end = b"\r" if data.endswith(b"\r") else b""
        if self._half_line_end:
            data = data[:-1]
        self._buffer += data.replace(b"\r\n", b"\n")
        if self.banner is None:
            self._take_banner()
        frames = [frame for piece in self._pieces() if (frame := self._frame(piece)) is not None]
        self._bound()
        return frames

    def _take_banner(self) -> None:
        end = self._buffer.find(b"\n")
        if end < 0:
            return
        is_banner = self._buffer.startswith(_BANNER)
        self.banner = self._buffer[:end].decode("utf-8", "replace") if is_banner else ""
        if is_banner:
            del self._buffer[: end + 1]

    def _pieces(self) -> list[bytes]:
        found = []
        start = 0
        while (end := self._buffer.find(b"\n\n", max(start, self._scanned))) >= 0:
            found.append(bytes(self._buffer[start:end]))
            start = end + 2
        del self._buffer[:start]
        self._scanned = max(0, len(self._buffer) - 1)
        return found

    def _frame(self, piece: bytes) -> Frame | None:
        """The frame in `piece`; None for an extra empty line and for what is refused."""
        if self._skipped is not None:
            self._skipped.add(piece)
            self._refused.append(self._skipped.end())
            self._skipped = None
            return None
        piece = piece.strip(b"\n")
        if not piece:
            return None
        if len(piece) > MAX_FRAME_BYTES:
            self._refused.append(_Skipped(piece).end())
        elif b":" not in piece:
            self._refused.append(_Skipped(piece, Fault.NO_HEADER).end())
        else:
            return Frame(piece.decode("utf-8", "replace"))
        return None

    def _bound(self) -> None:
        """Drops all but the last byte, which may begin the empty line, of a frame that is too large."""
        if len(self._buffer) <= MAX_FRAME_BYTES:
            return
        dropped = bytes(self._buffer[:-1])
        if self._skipped is None:
            self._skipped = _Skipped(dropped)
        else:
            self._skipped.add(dropped)
        del self._buffer[:-1]
        self._scanned = 0


class _Skipped:
    """A refused frame while it goes by: its hash and size, not its bytes."""

    def __init__(self, start: bytes, fault: Fault | None = None) -> None:
        longest_line = max(len(line) for line in start.split(b"\n"))
        too_long = Fault.UNENDED_LINE if longest_line >= MAX_FRAME_BYTES else Fault.TOO_LARGE
        self._fault = fault or too_long
        self._hash = hashlib.sha256(start)
        self._size = len(start)

    def add(self, more: bytes) -> None:
        self._hash.update(more)
        self._size += len(more)

    def end(self) -> Spoiled:
        return Spoiled(
            detail=self._fault,
            sha256=self._hash.hexdigest(),
            size=self._size,
            is_too_large=self._fault is not Fault.NO_HEADER,
        )


def action(name: str, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> bytes:
    """An action as bytes. Raises `ValueError` when a value would end its line and begin another."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    lines = [f"{key}: {value}" for key, value in (("Action", name), *pairs)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError(f"action {name}: a value holds a line end")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
