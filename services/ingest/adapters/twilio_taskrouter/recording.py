"""For `vigie replay twilio_taskrouter`: whatever was kept of Twilio. Pure.

Bodies of webhooks, one on a line: forms, CloudEvents or arrays of them; or a whole file of one JSON. Frames
of a worker's browser too (signalling.py).
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import SourceEvent
from services.ingest.adapters.twilio_taskrouter import signalling
from services.ingest.adapters.twilio_taskrouter.payload import Payload, Unreadable, of_cloudevent, of_form
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from services.ingest.translated import Pseudonyms, Recording, Translated


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """On its own clock: each payload is received when it happened."""
    translator, told, count = Translator(source, pseudonyms), Translated(), 0
    for payload in payloads(b"".join(chunks)):
        told.add(translator.payload(payload, None))
        count += 1
    told.events = _without_what_is_told_better(told.events)
    return Recording.of(told, payloads=count)


def _without_what_is_told_better(events: list[SourceEvent]) -> list[SourceEvent]:
    """What is replayed has no rank any more (replay.py), so what is weak goes where anything stronger tells
    the same of its visit.
    """
    told = {(type(event), _segment(event)) for event in events if event.rank >= 0}
    return [event for event in events if event.rank >= 0 or (type(event), _segment(event)) not in told]


def _segment(event: SourceEvent) -> object:
    return getattr(event, "segment", None)


def payloads(content: bytes) -> Iterator[Payload | Unreadable]:
    """Every payload of a recording; what is none is unreadable and nothing is raised."""
    whole = _json(content)
    bodies = [content] if whole is not None else [line for line in content.splitlines() if line.strip()]
    for body in bodies:
        try:
            yield from _of_one(body)
        except InvalidMessage as error:
            yield Unreadable(body, error.detail)


def _of_one(body: bytes) -> Iterator[Payload | Unreadable]:
    if body.lstrip()[:1] not in (b"{", b"["):
        yield of_form(body)
        return
    found = _json(body)
    if found is None:
        raise InvalidMessage("body: no JSON")
    for members in found if isinstance(found, list) else [found]:
        if isinstance(members, dict) and "type" not in members and members:
            yield from signalling.payloads_of(members)
        else:
            yield of_cloudevent(msgspec.json.encode(members) if isinstance(found, list) else body)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
