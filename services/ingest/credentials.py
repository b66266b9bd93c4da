"""Secrets of ingest: the pseudonym key and the passwords of sources. SEMANTICS.md §12.

From the environment or from files, never from the settings file, never into a log.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog
from msgspec import Struct

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.standard_webhooks import Signer
from services.runtime.secrets import NoSecret, read, read_named, webhook_key

PSEUDONYM_KEY = "VIGIE_PSEUDONYM_KEY"
MIN_KEY_CHARACTERS = 16
KEY_FILE = "pseudonym.key"

log = structlog.get_logger()


def pseudonym_key(data: Path, environ: Mapping[str, str]) -> bytes:
    """`VIGIE_PSEUDONYM_KEY`, else the key file of the data folder, made (0600) when there is none.

    Another key is another pseudonym for everybody. Raises `Misconfigured` when the key is too short
    or the file cannot be read or made.
    """
    if PSEUDONYM_KEY in environ:
        return _checked(environ[PSEUDONYM_KEY], PSEUDONYM_KEY)
    path = data / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: the pseudonym key cannot be read or made ({error})") from error
    return _checked(text, str(path))


class Secrets(Struct, frozen=True):
    """A source's secret, and the one before it that is still good; "" where none is configured."""

    now: str = ""
    previous: str = ""


def source_secrets(sources: list[SourceConfig], environ: Mapping[str, str]) -> dict[str, Secrets]:
    """Every source's secrets by source id. Raises `Misconfigured` with every fault at once."""
    found: dict[str, Secrets] = {}
    faults: list[str] = []
    for source in sources:
        try:
            found[source.id] = _read(source, environ)
        except NoSecret as error:
            faults.append(f"[[sources]] {source.id}: {error.field}: {error.detail}")
    if faults:
        raise Misconfigured(*faults)
    return found


def signers(sources: Iterable[SourceConfig], secrets_of: Mapping[str, Secrets]) -> list[Signer]:
    """The sources that sign the events they post. Raises `Misconfigured` with every secret that is none."""
    found: list[Signer] = []
    faults: list[str] = []
    for source in sources:
        secret = secrets_of[source.id]
        if source.kind != "http" or not secret.now:
            continue
        try:
            keys = [webhook_key(text) for text in (secret.now, secret.previous) if text]
        except ValueError as error:
            faults.append(f"[[sources]] {source.id}: the signing secret {error}")
        else:
            found.append(Signer(source.id, source.site, keys))
    if faults:
        raise Misconfigured(*faults)
    return found


def _read(source: SourceConfig, environ: Mapping[str, str]) -> Secrets:
    return Secrets(
        now=read(source, environ),
        previous=read_named(
            "previous_secret",
            environ,
            variable=source.previous_secret_env,
            file=source.previous_secret_file,
        ),
    )


def _checked(text: str, place: str) -> bytes:
    key = text.strip()
    if len(key) < MIN_KEY_CHARACTERS:
        raise Misconfigured(f"{place}: a pseudonym key has {MIN_KEY_CHARACTERS} characters or more")
    return key.encode()


def _make(path: Path) -> None:
    """Writes a new key whole or not at all; when another process was first, its key stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    log.warning("pseudonym_key_made", file=str(path), hint=f"keep it, or set {PSEUDONYM_KEY}")
