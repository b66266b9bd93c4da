"""From what a translator gave to what goes into the log: each event held to the rules, counted, handed on."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from schemas.board import DeadLetter
from schemas.config import SourceConfig
from schemas.errors import Unavailable
from schemas.events import SourceEvent
from schemas.vocabulary import Reason
from services.ingest.checking import refuse
from services.ingest.publisher import Message, Put
from services.ingest.report import Report
from services.ingest.translated import Spoiled, Translated

CHUNK = 500
RETRY_S = 1.0


async def hand_over(translated: Translated, *, put: Put, report: Report, clock: Callable[[], int]) -> int:
    """All of it is counted, and its events and dead letters, of which it says the number, are given to `put`,
    which may wait or raise.

    What raised is counted too: whoever hands it over again counts it twice, which no figure depends on.
    """
    messages = messages_of(translated, report=report, now_ms=clock())
    if messages:
        await put(messages)
        report.handed_on(messages)
    return len(messages)


async def store(messages: Sequence[Message], *, send: Put, report: Report) -> None:
    """Returns once the log has them, however long it is away: for who remembers how far he has come."""
    for start in range(0, len(messages), CHUNK):
        chunk = messages[start : start + CHUNK]
        while True:
            try:
                await send(chunk)
                break
            except Unavailable:
                await asyncio.sleep(RETRY_S)
        report.handed_on(chunk)
        report.count(Reason.ACCEPTED, sum(not isinstance(message, DeadLetter) for message in chunk))


def messages_of(translated: Translated, *, report: Report, now_ms: int) -> list[Message]:
    """What goes into the log: the events, in their order, each of which the log's readers can read, then
    the dead letters. Counts everything else.
    """
    report.take(translated)
    messages: list[Message] = [_checked(event, report, now_ms) for event in translated.events]
    return messages + [_letter_of(each, report, now_ms) for each in translated.spoiled]


def _checked(event: SourceEvent, report: Report, now_ms: int) -> Message:
    """The event, or a dead letter of it: with the hash of its identity, for no bytes were sent to us."""
    refused = refuse(event, now_ms=now_ms)
    if refused is None:
        return event
    named = f"{event.source}|{event.id}".encode("utf-8", "replace")
    digest = hashlib.sha256(named).hexdigest()
    report.count(refused.reason)
    return _letter(
        report.source, refused.reason, refused.detail, sha256=digest, size=len(named), now_ms=now_ms
    )


def _letter_of(spoiled: Spoiled, report: Report, now_ms: int) -> DeadLetter:
    reason = Reason.TOO_LARGE if spoiled.is_too_large else Reason.INVALID
    report.count(reason)
    return _letter(
        report.source, reason, spoiled.detail, sha256=spoiled.sha256, size=spoiled.size, now_ms=now_ms
    )


def _letter(
    source: SourceConfig, reason: Reason, detail: str, *, sha256: str, size: int, now_ms: int
) -> DeadLetter:
    return DeadLetter(
        source=source.id,
        reason=reason,
        detail=detail,
        sha256=sha256,
        size=size,
        received_ms=now_ms,
        site=source.site,
    )
