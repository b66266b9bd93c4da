"""Who a person is, without saying who: an HMAC of what would name them (DESIGN.md §2.13).

Pure. The key is handed in; where it comes from is `credentials.py`'s matter. The same text under
the same key is the same pseudonym, so two contacts of one customer can still be told as one.
"""

import hashlib
import hmac

DIGITS = 16
"""Hexadecimal digits kept: 64 bits, so that two of 10 million customers meet once in 370,000 systems."""


class Pseudonyms:
    """Pseudonyms under one key."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)

    def of(self, text: str) -> str:
        """16 hex digits of HMAC-SHA256(key, text as UTF-8)."""
        mac = self._keyed.copy()
        mac.update(text.encode("utf-8", "surrogatepass"))
        return mac.hexdigest()[:DIGITS]
