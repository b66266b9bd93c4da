"""Secrets that settings name: read from the environment or a file, never from the settings, never logged."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

WEBHOOK_PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64


class Holder(Protocol):
    """A table of settings that says where its secret is."""

    @property
    def secret_env(self) -> str | None: ...
    @property
    def secret_file(self) -> str | None: ...


class NoSecret(Exception):
    """A secret that cannot be had. `field` names the setting, `detail` says why."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


def read(holder: Holder, environment: Mapping[str, str]) -> str:
    """The secret, or "" where none is named. Raises `NoSecret`."""
    return read_named("secret", environment, variable=holder.secret_env, file=holder.secret_file)


def read_named(name: str, environment: Mapping[str, str], *, variable: str | None, file: str | None) -> str:
    """As `read`, of a table that calls its secret otherwise: the settings are `name`_env and `name`_file."""
    if variable:
        found = environment.get(variable)
        if not found:
            raise NoSecret(f"{name}_env", f"{variable} is not set in the environment")
        return found
    if not file:
        return ""
    try:
        text = Path(file).read_text("utf-8").rstrip("\r\n")
    except FileNotFoundError as error:
        raise NoSecret(f"{name}_file", f"{file} is not a file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoSecret(f"{name}_file", f"{file} cannot be read") from error
    if not text:
        raise NoSecret(f"{name}_file", f"{file} is empty")
    return text


def read_webhook_key(holder: Holder, environment: Mapping[str, str]) -> bytes:
    """The signing key of a webhook, out of its `whsec_…`. Standard Webhooks 1.0. Raises `NoSecret`."""
    secret = read(holder, environment)
    field = "secret_env" if holder.secret_env else "secret_file"
    place = holder.secret_env or holder.secret_file
    try:
        return webhook_key(secret)
    except ValueError as error:
        raise NoSecret(field, f"{place} holds no signing secret: it {error}") from error


def webhook_key(secret: str) -> bytes:
    """The key in `whsec_…`. Raises `ValueError` saying what the secret does wrong, without any of it."""
    if not secret.startswith(WEBHOOK_PREFIX):
        raise ValueError(f"must start with {WEBHOOK_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"is not base64 after {WEBHOOK_PREFIX}") from error
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"has {len(key)} bytes, not {_LEAST_BYTES} to {_MOST_BYTES}")
    return key
