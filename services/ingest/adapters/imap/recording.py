"""A mailbox as mbox or JSON lines, for `vigie replay imap`. Pure.

A line is `{"mailbox": "INBOX" | "Sent", "uid": …, "internaldate": …, "headers": "…"}`; a line with
`"gone": [uids]` says what has left the inbox by then.
"""

import json
from collections.abc import Iterable
from typing import Any

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from services.ingest.adapters.imap.letters import Letter, letter_of
from services.ingest.adapters.imap.translate import Mailbox
from services.ingest.instants import epoch_ms
from services.ingest.translated import Pseudonyms, Recording, Spoiled, Translated, type_name


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded looks into a mailbox tell; each line is a look."""
    lines = [line for line in b"".join(chunks).splitlines() if line.strip()]
    return Recording.of(translate(lines, source, pseudonyms), payloads=len(lines))


def translate(lines: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Translated:
    mailbox, told = Mailbox(source, pseudonyms), Translated()
    present: set[int] = set()
    for line in lines:
        try:
            _look(mailbox, json.loads(line), line, source, present, told)
        except (ValueError, InvalidMessage, TypeError, AttributeError, KeyError) as error:
            detail = error.detail if isinstance(error, InvalidMessage) else "line: not what a look is"
            told.spoiled.append(Spoiled.of(line, detail))
    return told


def _look(
    mailbox: Mailbox, entry: Any, line: bytes, source: SourceConfig, present: set[int], told: Translated
) -> None:
    at_ms = epoch_ms(entry["internaldate"])
    kind = "gone" if "gone" in entry else entry["mailbox"]
    if kind == "INBOX":
        letter = _letter(entry, at_ms, source)
        present.add(letter.uid)
        mailbox.inbox([letter], at_ms)
    elif kind == "Sent":
        mailbox.sent([_letter(entry, at_ms, source)], at_ms)
    elif kind == "gone":
        present.difference_update(entry["gone"])
        mailbox.rest(present=present, answered=(), closed=None, now_ms=at_ms)
    else:
        told.unknown[type_name(kind)] += 1
        return
    found = mailbox.take(at_ms)
    found.events.pop()  # its heartbeat: nobody was asked
    told.add(found)


def _letter(entry: Any, at_ms: int, source: SourceConfig) -> Letter:
    ours = frozenset(address.lower() for address in source.addresses)
    return letter_of(str(entry["headers"]).encode(), uid=int(entry["uid"]), at_ms=at_ms, ours=ours)
