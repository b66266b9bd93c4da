"""Who may speak to the api from where, and with which key; what every answer says to the browser.

Without `[auth]` the api listens on loopback only and asks for no key. A web page from elsewhere can
still make the browser of a supervisor speak to it: by its own `Origin`, or by a name that it lets
resolve to 127.0.0.1. So the name asked for must be ours, and so must the origin of what is not a
plain read. With keys the name does not matter: a browser keeps the cookie of each name apart.

Pages, contracts and health say nothing of the contact centre and are open to all.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schemas.errors import Misconfigured
from services.api.sign_in import key_in_cookie
from services.runtime.keys import (
    ACTS,
    ANYBODY,
    READS,
    Denial,
    Denied,
    Holder,
    Keyring,
    bearer,
    refuse_scrape,
)
from services.runtime.listening import is_loopback

Scope = MutableMapping[str, Any]
Headers = Mapping[bytes, bytes]

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

CLOSED = "/api/"
"""What lies below this is shown to holders of a key."""
SCRAPED = "/metrics"
_HOLDER = "vigie.holder"


class Guard:
    """`origins`: what `[http] origins` allows beside our own address, as "https://board.example".

    `keys` None: none is asked for. `address`: where the api listens.
    """

    def __init__(
        self,
        origins: Sequence[str] = (),
        *,
        keys: Keyring | None = None,
        address: str = "127.0.0.1:8080",
    ) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._keys = keys
        self._address = address

    def admit(self, scope: Scope) -> Holder | Denied:
        """Who sends this request, or opens this socket; or why it is refused.

        Whoever is let in is remembered in the scope: `holder_of` gives it back.
        """
        headers = dict(scope["headers"])
        holder = self._refuse_stranger(scope, headers) or self._admit_holder(scope, headers)
        if isinstance(holder, Holder):
            scope[_HOLDER] = holder
        return holder

    def find(self, key: str) -> Holder | Denied:
        """Who may read the board with this key."""
        return ANYBODY if self._keys is None else self._keys.admit(key, READS)

    def is_secure(self, scope: Scope) -> bool:
        """Whether the browser came by https: to us, or to the proxy whose name it asked for."""
        host = _text(dict(scope["headers"]), b"host").lower()
        is_secure_only = f"https://{host}" in self._origins and f"http://{host}" not in self._origins
        return scope["scheme"] in ("https", "wss") or is_secure_only

    def knows_host(self, host: str | None) -> bool:
        """Whether the `Host` asked for is loopback, or that of an allowed origin."""
        return host is not None and (is_loopback(host) or host.lower() in self._hosts)

    def knows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a request comes from our own page, from an allowed one, or from no page at all."""
        if origin is None:
            return True
        return origin.lower() in self._origins or (host is not None and urlsplit(origin).netloc == host)

    def _refuse_stranger(self, scope: Scope, headers: Headers) -> Denied | None:
        host = _text(headers, b"host") if b"host" in headers else None
        if self._keys is None and not self.knows_host(host):
            said = f"this board is not known by the name {host!r}; see [http] origins"
            return Denied(403, Denial.OTHER_NAME, said)
        origin = _text(headers, b"origin") if b"origin" in headers else None
        if not _is_plain_read(scope) and not self.knows_origin(origin, host):
            return Denied(403, Denial.OTHER_ORIGIN, "this origin is not allowed; see [http] origins")
        return None

    def _admit_holder(self, scope: Scope, headers: Headers) -> Holder | Denied:
        if self._keys is None:
            return ANYBODY
        path = scope["path"]
        given = bearer(headers) or key_in_cookie(headers)
        if path == SCRAPED:
            return refuse_scrape(self._keys, given, address=self._address, headers=headers) or ANYBODY
        if not path.startswith(CLOSED):
            return ANYBODY
        is_read = scope["type"] == "websocket" or _is_plain_read(scope)
        holder = self._keys.admit(given, READS if is_read else ACTS)
        if isinstance(holder, Holder):
            return _refuse_site(scope, holder) or holder
        return holder


def holder_of(scope: Scope) -> Holder:
    """Who sent a request that was let in."""
    holder: Holder = scope[_HOLDER]
    return holder


def refuse_exposure(address: str, keys: Keyring | None) -> None:
    """Raises `Misconfigured` when the api would be seen from elsewhere and asked for no key."""
    if keys is None and not is_loopback(address):
        raise Misconfigured(
            f"[http] api = {address!r}: only this machine (127.0.0.1, ::1 or localhost) is allowed without "
            "[auth], because whoever reaches the api can read the board and acknowledge alerts"
        )


def _refuse_site(scope: Scope, holder: Holder) -> Denied | None:
    """A site that is asked for by name must be the key's."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if all(holder.covers(site) for site in query.get("site", [])):
        return None
    return Denied(403, Denial.OTHER_SITE, "this key is not for that site")


def _is_plain_read(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD")


def _text(headers: Headers, name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
