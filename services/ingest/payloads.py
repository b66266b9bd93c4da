"""Bodies that nobody waits to be answered for: a recorded file of them, cut and translated. Pure."""

import json
from collections.abc import Callable, Iterable

from schemas.errors import InvalidMessage
from services.ingest.translated import Recording, Spoiled, Translated

Take = Callable[[bytes, int], Translated]
"""Translates a body that was received at an instant. Raises `InvalidMessage` when it cannot be read."""


def take_any(take: Take, raw: bytes, now_ms: int) -> Translated:
    """What cannot be read is spoiled."""
    try:
        return take(raw, now_ms)
    except InvalidMessage as error:
        return Translated(spoiled=[Spoiled.of(raw, error.detail)])


def recorded(chunks: Iterable[bytes], take: Take) -> Recording:
    """Bodies as JSON lines, an array, or one."""
    told, count = Translated(), 0
    for payload in json_payloads(b"".join(chunks)):
        count += 1
        told.add(take_any(take, payload, 0))
    return Recording.of(told, payloads=count)


def json_payloads(text: bytes) -> list[bytes]:
    """One JSON value, an array of them, or one on each line; what is neither is one payload as it is."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [line for line in text.splitlines() if line.strip()]
    entries = found if isinstance(found, list) else [found]
    return [json.dumps(entry).encode() for entry in entries]
