"""What EventBridge posts to us (API destination): its key held to ours, its body translated. Pure."""

from schemas.config import SourceConfig
from schemas.events import AnyEvent
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.api_key import ApiKeys
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Translated


class Receiver:
    """`Remembering`: departures wait to be decided, and agents are compared with what is known of them."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._keys = ApiKeys(tools.secret, tools.previous_secret)
        self._clock = tools.clock
        self._translator = Translator(source, tools.pseudonyms)

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        return self._keys.verify(request.headers)

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
