"""Takes Twilio's webhooks: held to their signature, then translated. docs/sources/twilio_taskrouter.md."""

from schemas.config import SourceConfig
from services.ingest.adapters.twilio_taskrouter.signature import is_form, verify
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from services.ingest.receiving import Request, Unsigned
from services.ingest.tools import Tools
from services.ingest.translated import Translated


class Receiver:
    """All that one account sends, to one address. Remembers nothing."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._public_url = source.public_url
        self._tokens = (tools.secret, tools.previous_secret)
        self._translator = Translator(source, tools.pseudonyms)

    def verify(self, request: Request, now_ms: int) -> Unsigned | None:
        return verify(request, self._tokens, public_url=self._public_url)

    def take(self, request: Request, now_ms: int) -> Translated:
        return self._translator.body(request.body, is_form=is_form(request.headers), now_ms=now_ms)
