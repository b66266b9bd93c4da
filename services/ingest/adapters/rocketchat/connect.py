"""Where Rocket.Chat's webhooks come in, and a recording of them.

The token comes as it is, in a header, and proves nothing of the body: TLS is needed all the way.
"""

import hmac
from collections.abc import Iterable

from schemas.config import SourceConfig
from services.ingest.adapters.rocketchat.translate import Translator
from services.ingest.payloads import recorded
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Pseudonyms, Recording, Translated

TOKEN = "x-rocketchat-livechat-token"


class Receiver:
    """One Rocket.Chat."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._secrets = [each.encode() for each in (tools.secret, tools.previous_secret) if each]
        self._translator = Translator(source, tools.pseudonyms)

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        shown = request.headers.get(TOKEN)
        if not shown:
            return Unsigned.MISSING
        matches = [
            hmac.compare_digest(secret, shown.encode("latin-1", "replace")) for secret in self._secrets
        ]
        return None if any(matches) else Unsigned.WRONG

    def take(self, request: Request, now_ms: int) -> Translated:
        return self._translator.take(request.body, now_ms)


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """For `vigie replay rocketchat`: bodies as JSON lines, an array, or one."""
    return recorded(chunks, Translator(source, pseudonyms).take)
