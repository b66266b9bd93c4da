"""Names as sources give them, made fit to travel. Pure."""

import hashlib
import re

from schemas.config import SourceConfig

MAX_NAME = 256
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")


def fit(text: str) -> str:
    """`text` as a name that may travel: no control characters, 256 characters at most, still distinct."""
    if _UNFIT.search(text):
        text = _UNFIT.sub("\ufffd", text)
    if len(text) <= MAX_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    return f"{text[: MAX_NAME - 33]}~{digest}"


def contact_name(source: SourceConfig, number: str) -> str:
    """The contact that the source's system numbers so: unique over the systems of a site."""
    return f"{source.system}/{number}" if source.system else number


def our_queue(source: SourceConfig, name: str) -> str:
    """Our name of a queue of theirs (`map`)."""
    return source.map.get(name, name)


def digest(text: bytes) -> str:
    """16 hex digits that stand for what may not be named."""
    return hashlib.sha256(text).hexdigest()[:16]
