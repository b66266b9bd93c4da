"""A key in the address of the page becomes a cookie, and leaves the address. SEMANTICS.md §12. Pure.

So a television is opened once as `/?key=…`. The page is sent on at once, before it can load or link
to anything, and no answer lets a browser name its address elsewhere (`referrer-policy`).
"""

from collections.abc import Mapping
from urllib.parse import quote, unquote, unquote_plus

COOKIE = b"vigie_key"
KEPT_S = 400 * 86_400
"""The longest a browser keeps a cookie."""


def key_in_cookie(headers: Mapping[bytes, bytes]) -> str | None:
    """The key that the browser keeps; None when it keeps none."""
    for part in headers.get(b"cookie", b"").split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == COOKIE and value:
            return unquote(value.decode("latin-1"))
    return None


def key_in_query(query: bytes) -> tuple[str | None, bytes]:
    """The key of `?key=…` (None: none is there) and the query without it, else as it was."""
    parts = query.split(b"&")
    keys = [part for part in parts if part.startswith(b"key=")]
    rest = b"&".join(part for part in parts if not part.startswith(b"key="))
    return (unquote_plus(keys[0][4:].decode("latin-1")) if keys else None), rest


def cookie(key: str, *, is_secure: bool) -> str:
    """`Set-Cookie` for a key that was found good. No script reads it, no other site's page sends it."""
    kept = f"{COOKIE.decode()}={quote(key, safe='')}; Path=/; Max-Age={KEPT_S}; HttpOnly; SameSite=Strict"
    return kept + ("; Secure" if is_secure else "")


def place(rest: bytes) -> str:
    """Where the page is found again: relative, since a proxy may show it below a path of its own."""
    return "./" + (f"?{rest.decode('latin-1')}" if rest else "")
