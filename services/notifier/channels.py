"""From a try to a receiver: words, secret and address of its channel, and the client that reaches it."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from schemas.config import ChannelConfig, Config
from schemas.deliveries import ChannelKind
from schemas.errors import Misconfigured
from schemas.recipients import Destination, destinations, kind_of
from services.notifier.core import body
from services.notifier.core.outbox import Try
from services.notifier.core.retry import Outcome
from services.notifier.core.text import words
from services.runtime import secrets
from services.runtime.secrets import NoSecret


class WebhookClient(Protocol):
    async def send(self, url: str, *, key: bytes, delivery_id: str, body: bytes) -> Outcome:
        """One POST: `webhook.Webhook`."""


class MailClient(Protocol):
    async def send(self, message: bytes, *, address: str) -> Outcome:
        """One mail: `email.Mailer`."""


class Secrets(Struct, frozen=True, kw_only=True):
    """Signing keys by destination, and the password of the relay."""

    keys: dict[Destination, bytes]
    smtp: str


def read_secrets(config: Config, environment: Mapping[str, str]) -> Secrets:
    """Every secret of notices. Raises `Misconfigured` with all that are missing, in the words of `check`."""
    keys: dict[Destination, bytes] = {}
    faults, smtp = [], ""
    for destination, channel in destinations(config).items():
        if kind_of(channel) is ChannelKind.WEBHOOK:
            try:
                keys[destination] = secrets.read_webhook_key(channel, environment)
            except NoSecret as error:
                faults.append(f"[[people]] {destination.person}: {error}")
    if config.smtp is not None:
        try:
            smtp = secrets.read(config.smtp, environment)
        except NoSecret as error:
            faults.append(f"[smtp]: {error}")
    if faults:
        raise Misconfigured(*faults)
    return Secrets(keys=keys, smtp=smtp)


class Channels:
    """Makes a try: renders it and sends it. `mailer` None: no relay is configured."""

    def __init__(
        self,
        config: Config,
        *,
        keys: Mapping[Destination, bytes],
        webhook: WebhookClient,
        mailer: MailClient | None,
    ) -> None:
        self._config = config
        self._channels = destinations(config)
        self._keys = keys
        self._webhook = webhook
        self._mailer = mailer

    async def send(self, made: Try) -> Outcome:
        """What the try came to."""
        channel = self._channels[made.destination]
        if kind_of(channel) is ChannelKind.WEBHOOK:
            return await self._post(made, channel)
        return await self._mail(made, channel)

    async def _post(self, made: Try, channel: ChannelConfig) -> Outcome:
        notice = made.delivery.notice
        return await self._webhook.send(
            channel.url or "",
            key=self._keys[made.destination],
            delivery_id=made.delivery.delivery_id,
            body=body.webhook(made.alert, notice, words(made.alert, notice, self._config)),
        )

    async def _mail(self, made: Try, channel: ChannelConfig) -> Outcome:
        assert self._mailer is not None  # the settings were refused otherwise
        assert self._config.smtp is not None
        notice = made.delivery.notice
        message = body.mail(
            made.alert,
            notice,
            words(made.alert, notice, self._config),
            delivery_id=made.delivery.delivery_id,
            opening_id=made.opening_id,
            sender=self._config.smtp.sender or "",
            address=channel.address or "",
        )
        return await self._mailer.send(message, address=channel.address or "")
