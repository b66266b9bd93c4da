"""Bytes of a file into whole lines, and what of them is too long. Pure."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from services.ingest.adapters.asterisk_queue_log.lines import MAX_LINE_BYTES
from services.ingest.translated import Spoiled

TOO_LONG = f"line: above {MAX_LINE_BYTES} bytes"


class Cut(Struct, frozen=True, kw_only=True):
    """`used`: how many of the bytes the lines took, their ends included. `is_skipping`: the last of them
    lie in a line that is too long, and so does what follows, up to its end.
    """

    lines: list[bytes]
    refused: list[Spoiled]
    used: int
    is_skipping: bool


def cut(data: bytes, *, is_skipping: bool = False) -> Cut:
    """The whole lines in `data`. What stands behind the last line end waits for its own."""
    lines: list[bytes] = []
    refused: list[Spoiled] = []
    *whole, rest = data.split(b"\n")
    for line in whole:
        if is_skipping:
            is_skipping = False
        elif len(line) > MAX_LINE_BYTES:
            refused.append(Spoiled.of(line, TOO_LONG, is_too_large=True))
        else:
            lines.append(line)
    used = len(data) - len(rest)
    if len(rest) > MAX_LINE_BYTES or is_skipping:
        if not is_skipping:
            refused.append(Spoiled.of(rest, TOO_LONG, is_too_large=True))
        used, is_skipping = len(data), True
    return Cut(lines=lines, refused=refused, used=used, is_skipping=is_skipping)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes | Spoiled]:
    """All lines of a file that is over, in any cut; the last one needs no end."""
    rest, is_skipping = b"", False
    for chunk in chunks:
        found = cut(rest + chunk, is_skipping=is_skipping)
        rest, is_skipping = (rest + chunk)[found.used :], found.is_skipping
        yield from found.refused
        yield from found.lines
    if rest:
        yield rest
