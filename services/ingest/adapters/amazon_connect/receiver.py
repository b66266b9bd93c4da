"""What EventBridge posts to us (API destination): its key held to ours, its body translated. Pure.

There is no signature: Amazon sends the header and the key that we chose when the connection was made.
"""

import base64
import binascii
import hmac

from schemas.config import SourceConfig
from schemas.events import AnyEvent
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Translated

API_KEY = "x-api-key"


class Receiver:
    """`Remembering`: departures wait to be decided, and agents are compared with what is known of them."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._keys = [key.encode() for key in (tools.secret, tools.previous_secret) if key]
        self._clock = tools.clock
        self._translator = Translator(source, tools.pseudonyms)

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        """The key stands in `Authorization: Bearer`, is the password of `Basic`, or stands in `x-api-key`."""
        shown = request.headers.get(API_KEY)
        if shown is not None:
            return self._compare(shown.encode("latin-1", "replace"))
        authorization = request.headers.get("authorization")
        if authorization is None:
            return Unsigned.MISSING
        key = _key_of(authorization)
        return self._compare(key) if key is not None else Unsigned.MALFORMED

    def take(self, request: Request, now_ms: int) -> Translated:
        return self._translator.take(request.body, now_ms)

    def recall(self, event: AnyEvent) -> None:
        self._translator.recall(event)

    def go_on(self) -> None:
        self._translator.go_on(self._clock())

    def due(self, now_ms: int) -> Translated:
        return self._translator.due(now_ms)

    def next_due_ms(self) -> int | None:
        return self._translator.next_due_ms()

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
