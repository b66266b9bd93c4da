"""Who sent a webhook: `X-Twilio-Signature`. Pure.

https://www.twilio.com/docs/usage/webhooks/webhooks-security: base64 of HMAC-SHA1 under the account's auth
token, over the address that was called, query included, and, of a form, every key with its value behind
it, keys in order; of a key that comes several times each value once, in order. A JSON body is not signed
itself: its SHA-256 stands in the address as `bodySHA256`. There is no instant in it: a request that is sent
again is as good as the first, which identities of events make harmless.

Twilio signs the address with or without the port, so both are tried. Without `public_url` we do not know
by which address we were called, and take that of `Host`, as https and as http; no other header is trusted.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit, urlunsplit

from services.ingest.receiving import Request, Unsigned

HEADER = "x-twilio-signature"
FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 500
"""Of a form; TaskRouter's have about thirty."""

_DIGEST_BYTES = hashlib.sha1(usedforsecurity=False).digest_size
_PORTS = {"https": "443", "http": "80"}
_HOST = re.compile(r"[A-Za-z0-9.\[\]:-]+")
"""Nothing that would make another path of it: what an account signs for other addresses is not for us."""


def verify(request: Request, tokens: Sequence[str], *, public_url: str | None) -> Unsigned | None:
    """Why the request is not signed with one of the tokens, or None. Equally long for every wrong one."""
    given = request.headers.get(HEADER)
    if not given:
        return Unsigned.MISSING
    shown = _unpacked(given)
    if shown is None:
        return Unsigned.MALFORMED
    has_form = is_form(request.headers)
    fields = _fields(request.body) if has_form else b""
    if fields is None:
        return Unsigned.WRONG
    keys = [token.encode() for token in tokens if token]
    signed = [url.encode() + fields for url in _urls(request, public_url)]
    found = [
        hmac.compare_digest(hmac.digest(key, text, hashlib.sha1), shown) for key in keys for text in signed
    ]
    if not any(found):  # of a list: all of them were looked at
        return Unsigned.WRONG
    return None if has_form or _is_body_named(request) else Unsigned.OTHER_BODY


def is_form(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def _unpacked(text: str) -> bytes | None:
    try:
        digest = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == _DIGEST_BYTES else None


def _fields(body: bytes) -> bytes | None:
    """What is signed of a form, the bytes of its values as they are; None where it is no form."""
    try:
        pairs = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        return None
    return "".join(key + value for key, value in sorted(set(pairs))).encode("latin-1")


def _is_body_named(request: Request) -> bool:
    """Whether the address, which is signed, names the hash of this body."""
    named = parse_qs(request.query).get("bodySHA256", [""])[0]
    digest = hashlib.sha256(request.body).hexdigest()
    return hmac.compare_digest(digest.encode(), named.lower().encode())


def _urls(request: Request, public_url: str | None) -> Iterator[str]:
    """Every address that Twilio may have signed."""
    if public_url is not None:
        bases = [public_url]
    else:
        host = request.headers.get("host", "")
        bases = [f"{scheme}://{host}" for scheme in _PORTS] if _HOST.fullmatch(host) else []
    for base in bases:
        try:
            parts = urlsplit(base)
            port = parts.port
        except ValueError:  # a host that is none: nobody signed it
            continue
        path = parts.path if parts.path.strip("/") else request.path
        whole = parts._replace(path=path, query=request.query, fragment="")
        yield from _with_and_without_port(whole, port)


def _with_and_without_port(url: SplitResult, port: int | None) -> Iterator[str]:
    netloc = url.netloc
    if port is None:
        with_port, without = f"{netloc}:{_PORTS[url.scheme]}", netloc
    else:
        with_port, without = netloc, netloc.rpartition(":")[0]
    for each in (without, with_port):
        yield urlunsplit(url._replace(netloc=each))
