"""Where Chatwoot's webhooks come in, and a recording of them."""

from collections.abc import Iterable

from schemas.config import SourceConfig
from schemas.events import AnyEvent
from services.ingest.adapters.chatwoot.signature import verify
from services.ingest.adapters.chatwoot.translate import Translator
from services.ingest.payloads import recorded
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Pseudonyms, Recording, Translated


class Receiver:
    """One Chatwoot. Remembers which conversations were opened again."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._secrets = (tools.secret, tools.previous_secret)
        self._translator = Translator(source, tools.pseudonyms)

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        return verify(request, self._secrets, now_ms)

    def take(self, request: Request, now_ms: int) -> Translated:
        return self._translator.take(request.body, now_ms)

    def recall(self, event: AnyEvent) -> None:
        self._translator.recall(event)

    def go_on(self) -> None: ...

    def due(self, now_ms: int) -> Translated:
        return Translated()

    def next_due_ms(self) -> int | None:
        return None


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """For `vigie replay chatwoot`: bodies as JSON lines, an array, or one."""
    return recorded(chunks, Translator(source, pseudonyms).take)
