"""What EventBridge posts to us (API destination): its key held to ours, its body translated. Pure."""

from schemas.config import SourceConfig
from schemas.events import AnyEvent
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.api_key import ApiKeys
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Translated


class Receiver:
    """`Remembering`: the other half of each agent's state, who is on hold, who in wrap-up."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._keys = ApiKeys(tools.secret, tools.previous_secret)
        self._translator = Translator(source, tools.pseudonyms)

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        return self._keys.verify(request.headers)

    def take(self, request: Request, now_ms: int) -> Translated:
        return self._translator.take(request.body, now_ms)

    def recall(self, event: AnyEvent) -> None:
        self._translator.recall(event)

    def go_on(self) -> None: ...

    def due(self, now_ms: int) -> Translated:
        return Translated()

    def next_due_ms(self) -> int | None:
        return None
