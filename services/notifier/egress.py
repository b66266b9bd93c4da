"""Where webhooks may go: looked at when the socket is made, after the name was resolved, so that no
second look-up can answer otherwise. OWASP, SSRF prevention, case 2.

Public addresses by https; others only within `[egress] allow`, and plain http only there.
"""

import socket
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

from services.runtime.addresses import address_of, is_public, is_within, networks

_scheme: ContextVar[str] = ContextVar("scheme")
_refusals: ContextVar[list[str]] = ContextVar("refusals")


class Refused(OSError):
    """An address that notices may not go to."""


class Guard:
    """The socket factory of our HTTP client. Before each try: `begin`; when it could not connect: `refusal`.

    The client tells nothing of why no socket was made, so the reason is kept here, per task.
    """

    def __init__(self, allow: Iterable[str]) -> None:
        self._allowed = networks(allow)

    def begin(self, scheme: str) -> None:
        """A try by this task begins."""
        _scheme.set(scheme)
        _refusals.set([])

    def refusal(self) -> str | None:
        """Why an address was refused during this try; None when none was."""
        return next(iter(_refusals.get()), None)

    def __call__(self, addr_info: tuple[Any, ...]) -> socket.socket:
        address = address_of(str(addr_info[4][0]))
        reason = None
        if address is None or not (is_public(address) or is_within(address, self._allowed)):
            reason = "private address"
        elif _scheme.get() != "https" and not is_within(address, self._allowed):
            reason = "not encrypted"
        if reason is not None:
            _refusals.get().append(reason)
            raise Refused(reason)
        return socket.socket(*addr_info[:3])
