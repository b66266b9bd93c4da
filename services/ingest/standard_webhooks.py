"""Posted events that are signed: Standard Webhooks 1.0, symmetric (`v1`). Pure.

https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. A source of kind `http`
with a secret signs what it posts; nobody else may post in its name. Signatures of other versions beside
a good one do no harm.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from msgspec import Struct

from services.ingest.receiving import Unsigned

TOLERANCE_S = 300
"""How far the instant of a signature may be from ours, either way."""

_ID, _TIMESTAMP, _SIGNATURE = b"webhook-id", b"webhook-timestamp", b"webhook-signature"


class Signer(Struct, frozen=True):
    """Who signs: the source, its site, and the keys that are good, the old one too while it is changed."""

    source: str
    site: str
    keys: Sequence[bytes]


def is_signed(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a signature is shown at all, good or not."""
    return _SIGNATURE in headers


def signers_of(
    signers: Sequence[Signer], headers: Mapping[bytes, bytes], body: bytes, *, now_ms: int
) -> list[Signer] | Unsigned:
    """Who may have signed the body, or why the signature is nobody's. Several where sources share a secret.

    Takes the same time for every wrong one.
    """
    given = headers.get(_SIGNATURE, b"").split()
    number, at = headers.get(_ID), headers.get(_TIMESTAMP)
    if not given or number is None or at is None:
        return Unsigned.MISSING
    if not at.isdigit() or len(at) > 12:
        return Unsigned.MALFORMED
    shown = [digest for each in given if (digest := _unpacked(each)) is not None]
    if not shown:
        return Unsigned.MALFORMED
    signed = b"%s.%s." % (number, at) + body
    found = [
        signer
        for signer in signers
        if sum(_is_by(key, signed, shown) for key in signer.keys)  # all of them: no early end
    ]
    if not found:
        return Unsigned.WRONG
    return Unsigned.OLD if abs(now_ms // 1000 - int(at)) > TOLERANCE_S else found


def _is_by(key: bytes, signed: bytes, shown: Sequence[bytes]) -> bool:
    digest = hmac.digest(key, signed, hashlib.sha256)
    return sum(hmac.compare_digest(digest, each) for each in shown) > 0


def _unpacked(entry: bytes) -> bytes | None:
    """The digest in `v1,base64`; None for another version, and for what is none."""
    version, _, text = entry.partition(b",")
    if version != b"v1" or not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
