"""Hands a mail to the relay: one try, one outcome. SMTP, RFC 5321.

`accepted` says that the relay took it; whether it is read, nobody tells. A connection that ends after
the message left and before its answer is ambiguous. Where STARTTLS is asked for, nothing is said to a
relay that does not offer it.
"""

import contextlib
import ssl
from email.utils import parseaddr

from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from aiosmtplib.errors import SMTPTimeoutError

from schemas.config import SmtpConfig
from schemas.deliveries import DeliveryState
from services.notifier.core import replies
from services.notifier.core.body import domain_of
from services.notifier.core.retry import Outcome

ANSWER_S = 10.0
_QUIT_S = 1.0

_UNAVAILABLE = DeliveryState.UNAVAILABLE


class Mailer:
    """The relay of the settings. Each mail has a connection of its own: alerts are rare."""

    def __init__(
        self,
        smtp: SmtpConfig,
        *,
        password: str,
        trust: ssl.SSLContext | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._smtp = smtp
        self._password = password
        self._trust = trust if trust is not None else ssl.create_default_context()
        self._answer_s = answer_s
        self._sender = parseaddr(smtp.sender or "")[1]

    async def send(self, message: bytes, *, address: str) -> Outcome:
        """One mail to one address. Raises nothing but a cancellation: every failure is an outcome."""
        smtp = self._smtp
        client = SMTP(
            hostname=smtp.host,
            port=smtp.port,
            timeout=self._answer_s,
            use_tls=smtp.tls == "tls",
            start_tls=False,
            tls_context=self._trust,
            local_hostname=domain_of(self._sender),  # the default asks the name service, and waits for it
        )
        try:
            outcome = await self._greet(client) or await self._hand_over(client, message, address)
        finally:
            client.close()
        return outcome

    async def _greet(self, client: SMTP) -> Outcome | None:
        """Connected, encrypted and known afterwards; else why not. Nothing has left yet."""
        try:
            await client.connect()
            await client.ehlo()
            if self._smtp.tls == "starttls":
                if not client.supports_extension("starttls"):
                    return Outcome(state=_UNAVAILABLE, reason="STARTTLS not offered")
                await client.starttls()
                await client.ehlo()
            if self._smtp.user:
                if not client.supports_extension("auth"):
                    return Outcome(state=_UNAVAILABLE, reason="login not offered")
                await client.login(self._smtp.user, self._password)
        except SMTPResponseException as error:
            return replies.of_smtp(error.code)
        except (SMTPException, OSError) as error:
            return Outcome(state=_UNAVAILABLE, reason=_why(error))
        return None

    async def _hand_over(self, client: SMTP, message: bytes, address: str) -> Outcome:
        has_left = False
        try:
            await client.mail(self._sender)
            await client.rcpt(address)
            has_left = True
            await client.data(message)
        except SMTPResponseException as error:
            return replies.of_smtp(error.code)
        except (SMTPException, OSError):
            state = DeliveryState.AMBIGUOUS if has_left else _UNAVAILABLE
            return Outcome(state=state, reason="cut before an answer")
        with contextlib.suppress(SMTPException, OSError):
            await client.quit(timeout=_QUIT_S)
        return Outcome(state=DeliveryState.ACCEPTED)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return "certificate or TLS"
    return "no connection in time" if isinstance(error, SMTPTimeoutError) else "no connection"
