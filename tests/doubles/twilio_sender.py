"""Twilio's side of a webhook: signs as documented and posts over a real socket."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.doubles.twilio import FORM, signature
from tests.doubles.webhook_source import WebhookSource

_NONE: Mapping[str, str] = {}


class TwilioSender:
    """`url`: what is configured at Twilio's, and signed, whatever it passes on the way to `hook`."""

    def __init__(self, hook: WebhookSource, *, token: str, url: str) -> None:
        self.hook, self.token, self.url = hook, token, url

    async def form(
        self, body: bytes, headers: Mapping[str, str] = _NONE, *, signed: bytes | None = None
    ) -> tuple[int, Any]:
        """`headers` go before those that Twilio sends; `signed`: what was signed instead of the body."""
        told = parse_qsl((body if signed is None else signed).decode(), keep_blank_values=True)
        return await self._post(body, FORM, self.url, told, headers=headers)

    async def json(
        self, body: bytes, headers: Mapping[str, str] = _NONE, *, signed: bytes | None = None
    ) -> tuple[int, Any]:
        digest = hashlib.sha256(body if signed is None else signed).hexdigest()
        query = f"bodySHA256={digest}"
        return await self._post(body, "application/json", f"{self.url}?{query}", [], query, headers=headers)

    async def _post(
        self,
        body: bytes,
        media: str,
        url: str,
        pairs: list[tuple[str, str]],
        query: str = "",
        *,
        headers: Mapping[str, str],
    ) -> tuple[int, Any]:
        sent = {
            "content-type": media,
            "user-agent": "TwilioProxy/1.1",
            "x-twilio-signature": signature(self.token, url, pairs),
        }
        kept = {name: value for name, value in (sent | dict(headers)).items() if value}
        return await self.hook.post(body, kept, query=query)
