"""Secrets of ingest: the pseudonym key and the passwords of sources. SEMANTICS.md §12.

From the environment or from files, never from the settings file, never into a log.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import structlog

from schemas.config import SourceConfig
from schemas.errors import Misconfigured

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


def source_secret(source: SourceConfig, environ: Mapping[str, str]) -> str:
    """The source's secret, or "" where none is configured. Raises `Misconfigured` naming what is missing."""
    place = f"[[sources]] {source.id}"
    if source.secret_env is not None:
        if not environ.get(source.secret_env):
            raise Misconfigured(f"{place}: secret_env: {source.secret_env} is not in the environment")
        return environ[source.secret_env]
    if source.secret_file is None:
        return ""
    try:
        text = Path(source.secret_file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{place}: secret_file: {source.secret_file} cannot be read") from error
    if not text:
        raise Misconfigured(f"{place}: secret_file: {source.secret_file} is empty")
    return text


def source_secrets(sources: list[SourceConfig], environ: Mapping[str, str]) -> dict[str, str]:
    """Every source's secret by source id. Raises `Misconfigured` with every fault at once."""
    found: dict[str, str] = {}
    faults: list[str] = []
    for source in sources:
        try:
            found[source.id] = source_secret(source, environ)
        except Misconfigured as error:
            faults.extend(error.faults)
    if faults:
        raise Misconfigured(*faults)
    return found


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
