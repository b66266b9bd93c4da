"""Signatures of webhooks: Standard Webhooks 1.0, symmetric (`v1`).

https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. By hand: it is one
HMAC, while the project's library (1.1.0) signs a wrong instant for aware times that are not UTC, and
offers nothing for bytes. Tests let that library verify what is signed here.
"""

import base64
import hashlib
import hmac


def headers(key: bytes, *, delivery_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one try. `at_s`: the instant of this try, in whole seconds."""
    digest = hmac.new(key, b"%s.%d." % (delivery_id.encode(), at_s) + body, hashlib.sha256).digest()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
