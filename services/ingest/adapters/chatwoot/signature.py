"""Chatwoot's signature: HMAC-SHA256 over `{timestamp}.{raw body}`, in hex. Pure.

Versions before 2026 sign nothing: they need `allow_unsigned = true`.
"""

import hashlib
import hmac
from collections.abc import Sequence

from services.ingest.receiving import Request, Unsigned

TOLERANCE_S = 300
_PREFIX = "sha256="


def verify(request: Request, secrets: Sequence[str], now_ms: int) -> Unsigned | None:
    """Why the request is not signed with one of the secrets, or None."""
    shown, at = request.headers.get("x-chatwoot-signature"), request.headers.get("x-chatwoot-timestamp")
    if not shown or not at:
        return Unsigned.MISSING
    if not shown.startswith(_PREFIX) or not at.isascii() or not at.isdigit() or len(at) > 12:
        return Unsigned.MALFORMED
    signed = at.encode() + b"." + request.body
    digest = shown.removeprefix(_PREFIX).encode("latin-1", "replace")
    matches = [hmac.compare_digest(_hex(secret, signed), digest) for secret in secrets if secret]
    if not any(matches):
        return Unsigned.WRONG
    return Unsigned.OLD if abs(now_ms // 1000 - int(at)) > TOLERANCE_S else None


def _hex(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
