"""A key that we chose and the sender shows with each request: what EventBridge has instead of signatures.

Nothing is signed: whoever reads the key can use it, so that TLS is needed all the way. Pure.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping

from services.ingest.receiving import Unsigned

API_KEY = "x-api-key"


class ApiKeys:
    """The keys that are good now: the one in force, and the one before while it is being changed."""

    def __init__(self, *keys: str) -> None:
        self._keys = [key.encode() for key in keys if key]

    def verify(self, headers: Mapping[str, str]) -> Unsigned | None:
        """Why it is refused. The key stands in `x-api-key`, in `Authorization: Bearer`, or is the password of
        `Basic`.
        """
        shown = headers.get(API_KEY)
        if shown is not None:
            return self._compare(shown.encode("latin-1", "replace"))
        authorization = headers.get("authorization")
        if authorization is None:
            return Unsigned.MISSING
        key = _key_of(authorization)
        return self._compare(key) if key is not None else Unsigned.MALFORMED

    def _compare(self, shown: bytes) -> Unsigned | None:
        """Each of ours is compared, so that the time tells nothing."""
        found = [hmac.compare_digest(shown, key) for key in self._keys]
        return None if any(found) else Unsigned.WRONG


def _key_of(authorization: str) -> bytes | None:
    """The key in it; None when it is neither Bearer nor a readable Basic."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("latin-1", "replace")
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return password if colon else None
