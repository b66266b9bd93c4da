"""One e-mail, as far as it is looked at: its headers, never its subject and never its text. Pure.

Who wrote it decides what it is: a customer, one of ours, or a machine (RFC 3834: `Auto-Submitted`; older
signs beside it). Message ids and addresses are personal data of a kind: they leave here as hashes.
"""

import re
from collections.abc import Callable, Collection
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses

from msgspec import Struct

from services.ingest.names import digest

HEADERS = (
    "MESSAGE-ID",
    "IN-REPLY-TO",
    "REFERENCES",
    "FROM",
    "SENDER",
    "AUTO-SUBMITTED",
    "PRECEDENCE",
    "X-AUTO-RESPONSE-SUPPRESS",
    "X-AUTOREPLY",
    "LIST-ID",
    "RETURN-PATH",
)
"""What is asked for."""

MAX_HEADER_BYTES = 64 * 1024
MAX_REFERENCES = 100
_ID = re.compile(rb"<[^<>\s]{1,998}>")
_BULK = ("bulk", "junk", "list", "auto_reply")
_parser = BytesHeaderParser(policy=compat32)

Get = Callable[[str], str]
"""The value of a header; "" where there is none."""


class Letter(Struct, frozen=True, kw_only=True):
    """`key`: of the message; `thread`: of the oldest message that it names, itself where it names none;
    `names`: of all that it names, the nearest last. `sender`: the address it comes from, in small letters.
    """

    uid: int
    at_ms: int
    key: str
    thread: str
    names: tuple[str, ...]
    sender: str
    is_ours: bool
    is_automatic: bool


def letter_of(headers: bytes, *, uid: int, at_ms: int, ours: Collection[str]) -> Letter:
    """The message whose headers these are. `ours`: addresses and `@domains` that we write from.

    One without a Message-ID is known by its headers.
    """
    told = _parser.parsebytes(headers[:MAX_HEADER_BYTES])

    def get(name: str) -> str:
        return str(told.get(name, ""))

    own = _ids(get("Message-ID"))
    references = _ids(get("References"))[-MAX_REFERENCES:]
    reply_to = [each for each in _ids(get("In-Reply-To")) if each not in references]
    named = [*references, *reply_to]
    key = own[0] if own else digest(headers)
    sender = _address(get("From"))
    return Letter(
        uid=uid,
        at_ms=at_ms,
        key=key,
        thread=named[0] if named else key,
        names=tuple(named),
        sender=sender,
        is_ours=is_ours(sender, ours),
        is_automatic=_is_automatic(get),
    )


def is_ours(address: str, ours: Collection[str]) -> bool:
    """Whether one of ours wrote it: by the whole address, or by its domain."""
    return address in ours or f"@{address.rpartition('@')[2]}" in ours


def _ids(text: str) -> list[str]:
    return [digest(found) for found in _ID.findall(text.encode("utf-8", "surrogateescape"))]


def _address(text: str) -> str:
    found = getaddresses([text])
    return found[0][1].strip().lower() if found else ""


def _is_automatic(get: Get) -> bool:
    """Answers of machines, bounces, lists: nobody waits there, and nobody has answered."""
    submitted = get("Auto-Submitted").partition(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or get("Precedence").strip().lower() in _BULK
        or bool(get("X-Autoreply"))
        or bool(get("List-Id"))
        or get("Return-Path").strip() == "<>"
        or _address(get("From")).startswith(("mailer-daemon@", "postmaster@"))
    )
