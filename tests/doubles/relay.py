"""A real mail relay on loopback (aiosmtpd), that refuses, greylists and cuts when it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.doubles.receiver import server_tls

PASSWORD = "letmein"


class Relay:
    """`at_rcpt`, `at_data`: what to say to the next ones; left alone, all is taken. `mails`: what was."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, str]] = []
        self.at_rcpt: list[str] = []
        self.at_data: list[str] = []
        self.cuts_after_data = 0
        self.is_encrypted: list[bool] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self, *, starttls: bool = False, tls: bool = False, auth: bool = False) -> None:
        """Listens on a free port: plain, with STARTTLS offered, or encrypted from the first byte."""
        context = server_tls()

        def make() -> SMTP:
            return SMTP(
                self,
                hostname="relay.test",
                tls_context=context if starttls else None,
                authenticator=_authenticate if auth else None,
                auth_require_tls=auth,
                auth_required=auth,
            )

        self._server = await asyncio.get_running_loop().create_server(
            make, "127.0.0.1", 0, ssl=context if tls else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.at_rcpt:
            return self.at_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.at_data:
            return self.at_data.pop(0)
        message = BytesParser(policy=default).parsebytes(cast("bytes", envelope.original_content))
        self.mails.append(message)
        self.envelopes.append((str(envelope.mail_from), envelope.rcpt_tos[0]))
        self.is_encrypted.append(session.ssl is not None)
        if self.cuts_after_data:
            self.cuts_after_data -= 1
            cast("Any", server).transport.abort()
        return "250 OK"


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@contextlib.asynccontextmanager
async def relaying(*, starttls: bool = False, tls: bool = False, auth: bool = False) -> AsyncIterator[Relay]:
    """A relay in this event loop."""
    relay = Relay()
    await relay.open(starttls=starttls, tls=tls, auth=auth)
    try:
        yield relay
    finally:
        await relay.close()
