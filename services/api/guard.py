"""Who may speak to the api from where, and what every answer says to the browser.

The api has no keys yet and listens on loopback only. A web page from elsewhere can still make the
browser of a supervisor speak to it: by its own `Origin`, or by a name that it lets resolve to
127.0.0.1. So the name asked for must be ours, and so must the origin of what is not a plain read.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from schemas.errors import Misconfigured

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""Sent with every answer."""


class Guard:
    """`origins`: what `[http] origins` allows beside our own address, as "https://board.example"."""

    def __init__(self, origins: Sequence[str] = ()) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)

    def knows_host(self, host: str | None) -> bool:
        """Whether the `Host` asked for is loopback, or that of an allowed origin."""
        return host is not None and (is_loopback(host) or host.lower() in self._hosts)

    def knows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a request comes from our own page, from an allowed one, or from no page at all."""
        if origin is None:
            return True
        return origin.lower() in self._origins or (host is not None and urlsplit(origin).netloc == host)


def is_loopback(address: str) -> bool:
    """Whether host:port, or a host, names this machine and nothing else."""
    try:
        host = urlsplit(f"//{address}").hostname
        return host == "localhost" or (host is not None and ip_address(host).is_loopback)
    except ValueError:
        return False


def refuse_exposure(address: str) -> None:
    """Raises `Misconfigured` when the api would be seen from elsewhere, where it would need keys."""
    if not is_loopback(address):
        raise Misconfigured(
            f"[http] api = {address!r}: only this machine (127.0.0.1, ::1 or localhost) is allowed, "
            "because whoever reaches the api can read the board and acknowledge alerts"
        )
