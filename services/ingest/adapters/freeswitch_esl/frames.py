"""The event socket's wire form: `Key: Value` lines, an empty line, and the body that they announce. Pure.

mod_event_socket.c writes LF; CRLF is taken too. Empty lines between frames are passed over, as it does.
"""

import hashlib

from msgspec import Struct

from services.ingest.translated import Spoiled

MAX_BODY_BYTES = 1024 * 1024
"""Of one frame; an event of a channel with all its variables has some ten thousand."""
MAX_HEAD_BYTES = 16 * 1024
"""Of the lines before a body; mod_event_socket.c gives them 512."""

TOO_LARGE = "frame_too_large"
HEAD_TOO_LARGE = "headers_too_large"
NO_TYPE = "Content-Type: missing"
NO_LENGTH = "Content-Length: not a whole number"


class Frame(Struct, frozen=True, kw_only=True):
    """One frame. `type`: its Content-Type. `is_refused`: its body was too large and is not there."""

    type: str
    headers: dict[str, str]
    body: bytes = b""
    is_refused: bool = False

    def get(self, key: str) -> str:
        """The value of `key`; "" when it is absent."""
        return self.headers.get(key, "")


class FrameReader:
    """Bytes in any cut → whole frames. One reader per connection.

    Holds at most a frame and one read. Behind a body that is too large it goes on where that ends; behind
    headers that are, at the next empty line.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._head: Frame | None = None
        self._left = 0
        self._skipped: _Skipped | None = None
        self._refused: list[Spoiled] = []

    def take_refused(self) -> list[Spoiled]:
        """What was skipped since the last time."""
        refused, self._refused = self._refused, []
        return refused

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        self._buffer += data
        found: list[Frame] = []
        while self._step(found):
            pass
        return found

    def _step(self, found: list[Frame]) -> bool:
        """Takes one head, or (some of) one body; False when more bytes are needed."""
        if self._head is None:
            return self._read_head(found)
        if self._skipped is not None:
            return self._skip_body(found)
        if len(self._buffer) < self._left:
            return False
        body = bytes(self._buffer[: self._left])
        self._take(self._left)
        found.append(Frame(type=self._head.type, headers=self._head.headers, body=body))
        self._head = None
        return True

    def _read_head(self, found: list[Frame]) -> bool:
        self._pass_empty_lines()
        end, size = self._end_of_head()
        if end < 0:
            self._bound_head()
            return False
        raw = bytes(self._buffer[:end])
        self._take(end + size)
        if self._skipped is not None or len(raw) > MAX_HEAD_BYTES:
            skipped, self._skipped = self._skipped or _Skipped(HEAD_TOO_LARGE), None
            skipped.add(raw)
            self._refused.append(skipped.end())
            return True
        self._begin(raw, found)
        return True

    def _begin(self, raw: bytes, found: list[Frame]) -> None:
        headers = headers_of(raw.decode("utf-8", "replace"))
        length = headers.get("Content-Length", "0")
        kind = headers.get("Content-Type", "")
        if not kind or not (length.isascii() and length.isdigit()):
            self._refused.append(Spoiled.of(raw, NO_LENGTH if kind else NO_TYPE))
            return
        head, self._left = Frame(type=kind, headers=headers), int(length[:12])
        if self._left == 0:
            found.append(head)
            return
        self._head = head
        if self._left > MAX_BODY_BYTES:
            self._skipped = _Skipped(TOO_LARGE)

    def _skip_body(self, found: list[Frame]) -> bool:
        assert self._head is not None
        assert self._skipped is not None
        piece = bytes(self._buffer[: self._left])
        self._skipped.add(piece)
        self._take(len(piece))
        self._left -= len(piece)
        if self._left:
            return False
        self._refused.append(self._skipped.end())
        found.append(Frame(type=self._head.type, headers=self._head.headers, is_refused=True))
        self._head = self._skipped = None
        return True

    def _pass_empty_lines(self) -> None:
        empty = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        if empty and self._skipped is None:
            self._take(empty)

    def _end_of_head(self) -> tuple[int, int]:
        """Where the empty line begins, and how long it is; -1: not there yet."""
        start = max(0, self._scanned - 3)
        found = [(self._buffer.find(mark, start), len(mark)) for mark in (b"\n\n", b"\n\r\n")]
        self._scanned = len(self._buffer)
        return min((each for each in found if each[0] >= 0), default=(-1, 0))

    def _bound_head(self) -> None:
        """Drops all of a head that is too large but its last bytes, which may begin the empty line."""
        if len(self._buffer) <= MAX_HEAD_BYTES:
            return
        self._skipped = self._skipped or _Skipped(HEAD_TOO_LARGE)
        self._skipped.add(bytes(self._buffer[:-2]))
        self._take(len(self._buffer) - 2)

    def _take(self, n: int) -> None:
        del self._buffer[:n]
        self._scanned = 0


class _Skipped:
    """A refused frame while it goes by: its hash and size, not its bytes."""

    def __init__(self, detail: str) -> None:
        self._detail = detail
        self._hash = hashlib.sha256()
        self._size = 0

    def add(self, more: bytes) -> None:
        self._hash.update(more)
        self._size += len(more)

    def end(self) -> Spoiled:
        digest = self._hash.hexdigest()
        return Spoiled(detail=self._detail, sha256=digest, size=self._size, is_too_large=True)


def headers_of(text: str) -> dict[str, str]:
    """`Key: Value` lines; others are passed over."""
    pairs = (line.partition(":") for line in text.replace("\r\n", "\n").split("\n"))
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def command(words: str) -> bytes:
    """A command as bytes. Raises `ValueError` when it would end its line and begin another."""
    if "\r" in words or "\n" in words or "\0" in words:
        raise ValueError("a command holds a line end")
    return f"{words}\n\n".encode("utf-8", "surrogateescape")
