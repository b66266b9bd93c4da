"""Keys: who may do what, on every service alike. SEMANTICS.md §12.

A key is 256 bits of chance, so its plain SHA-256 is all that the file holds: there is nothing to
guess. Pure: what a request shows in, the key's holder or a refusal out. How a refusal is answered,
and counted, is each service's matter.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from schemas.config import AuthConfig, KeyConfig, KeyUse
from services.runtime.listening import is_loopback

BEARER = b"bearer "
_BYTES = 32
_PASSED_ON = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
"""Headers that only a request which somebody passed on has."""

READS: frozenset[KeyUse] = frozenset({"board", "operator"})
ACTS: frozenset[KeyUse] = frozenset({"operator"})
WRITES: frozenset[KeyUse] = frozenset({"ingest"})


class Denial(StrEnum):
    """Why a request was refused; also the metric label."""

    NO_KEY = "no_key"
    UNKNOWN_KEY = "unknown_key"
    OTHER_USE = "other_use"
    OTHER_SITE = "other_site"
    OTHER_ORIGIN = "other_origin"
    OTHER_NAME = "other_name"


class Denied(Struct, frozen=True):
    """A refusal: `status` over HTTP, and one sentence for the person who sent the request."""

    status: int
    reason: Denial
    detail: str

    def challenge(self) -> str | None:
        """`WWW-Authenticate` of the answer (RFC 6750 §3); None where no other key would help."""
        more = {
            Denial.NO_KEY: "",
            Denial.UNKNOWN_KEY: ', error="invalid_token"',
            Denial.OTHER_USE: ', error="insufficient_scope"',
            Denial.OTHER_SITE: ', error="insufficient_scope"',
        }.get(self.reason)
        return None if more is None else f'Bearer realm="vigie"{more}'


class Holder(Struct, frozen=True):
    """Whom a key was given to. `sites` None: every site."""

    id: str
    use: KeyUse
    sites: frozenset[str] | None = None

    def covers(self, site: str) -> bool:
        return self.sites is None or site in self.sites


ANYBODY = Holder(id="", use="operator")
"""Who asks where no key is asked for: this machine's own people."""


class Keyring:
    """The keys of `[auth]`."""

    def __init__(self, keys: Iterable[KeyConfig]) -> None:
        self._holders = [
            (bytes.fromhex(key.hash), Holder(key.id, key.use, _sites(key.sites))) for key in keys
        ]

    def find(self, given: str) -> Holder | None:
        """Whose key this is; None for nobody's. Every hash is compared, whole, whatever was given."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        found = None
        for known, holder in self._holders:
            if hmac.compare_digest(known, digest):
                found = holder
        return found

    def admit(self, given: str | None, uses: frozenset[KeyUse]) -> Holder | Denied:
        """The holder of the given key, if it is for one of `uses`."""
        if not given:
            return Denied(401, Denial.NO_KEY, "a key is needed: Authorization: Bearer KEY")
        holder = self.find(given)
        if holder is None:
            return Denied(401, Denial.UNKNOWN_KEY, "this key is not among those of [auth]")
        if holder.use not in uses:
            wanted = " or ".join(sorted(uses))
            return Denied(403, Denial.OTHER_USE, f"needs a key for {wanted}; this one is for {holder.use}")
        return holder


def keyring(auth: AuthConfig | None) -> Keyring | None:
    """None without `[auth]`: no key is asked for, and only this machine can reach us."""
    return None if auth is None else Keyring(auth.keys)


def new_key() -> str:
    """A new key. It is good in an address, a header and a cookie as it is."""
    return f"vigie_{secrets.token_urlsafe(_BYTES)}"


def hash_of(key: str) -> str:
    """What `[auth]` holds of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def bearer(headers: Mapping[bytes, bytes]) -> str | None:
    """The key of `Authorization: Bearer KEY`; None when there is none. Names are in lower case."""
    value = headers.get(b"authorization", b"")
    is_bearer = value[: len(BEARER)].lower() == BEARER
    return value[len(BEARER) :].strip().decode("latin-1") or None if is_bearer else None


def refuse_scrape(
    keys: Keyring | None, given: str | None, *, address: str, headers: Mapping[bytes, bytes]
) -> Denied | None:
    """Why `/metrics` is not shown, or None.

    It tells of every site, so the key must read them all. No key is asked of this machine's own
    Prometheus: we listen on loopback (`address`), and it asks by such a name and directly.
    """
    if keys is None or (is_loopback(address) and is_direct(headers)):
        return None
    holder = keys.admit(given, READS)
    if isinstance(holder, Denied):
        return holder
    if holder.sites is not None:
        return Denied(403, Denial.OTHER_SITE, "/metrics tells of every site; this key is for some")
    return None


def is_direct(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request names this machine, and nobody says that it was passed on."""
    host = headers.get(b"host", b"").decode("latin-1")
    return is_loopback(host) and not any(name in headers for name in _PASSED_ON)


def _sites(sites: list[str] | None) -> frozenset[str] | None:
    return None if sites is None else frozenset(sites)
