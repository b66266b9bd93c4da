"""A recorded capture: payloads as Connect sends them, one after the other, in a file. Pure.

One JSON document, an array of them, JSON lines, or documents one behind the other. Each is translated on
its own clock, in the order of the file, with what was due before it.
"""

import json
from collections.abc import Iterable, Iterator

from schemas.config import SourceConfig
from services.ingest.adapters.amazon_connect.contacts import ABANDON_AFTER_S
from services.ingest.adapters.amazon_connect.translate import Translator, instant_of
from services.ingest.translated import Pseudonyms, Recording, Translated

_BLANKS = " \t\r\n\ufeff,"


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded payloads tell; `after`: who left and is known by then to have left alone."""
    translator = Translator(source, pseudonyms)
    found, clock_ms, count = Translated(), 0, 0
    for payload in payloads(b"".join(chunks)):
        count += 1
        clock_ms = max(clock_ms, instant_of(payload) or 0)
        found.add(translator.due(clock_ms, with_agents=False))
        found.add(translator.take_any(payload, clock_ms))
    wait_s = source.abandon_after_s if source.abandon_after_s is not None else ABANDON_AFTER_S
    after = translator.due(clock_ms + round(wait_s * 1000), with_agents=False)
    return Recording.of(found, payloads=count, after=after)


def payloads(content: bytes) -> Iterator[bytes]:
    """Each payload of a capture by itself; what is no JSON up to the end of its line."""
    text, at = content.decode("utf-8", "replace"), 0
    decoder = json.JSONDecoder()
    while (at := _after_blanks(text, at)) < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = text.find("\n", at) + 1 or len(text)
            yield text[at:end].encode()
        else:
            for each in value if isinstance(value, list) else [value]:
                yield json.dumps(each).encode()
        at = end


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
