"""Reads `vigie.toml` into `schemas.config.Config`, or says everything that is wrong with it."""

import tomllib
from pathlib import Path

import msgspec

from schemas.config import Config
from schemas.errors import Misconfigured


def load(path: Path | None) -> Config:
    """The configuration of the file; without one, the defaults with `from_file` false.

    Raises `Misconfigured` with every fault.
    """
    if path is None:
        return Config()
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: {error}") from error
    try:
        return msgspec.convert({**values, "from_file": True}, Config)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{path}: {error}") from error
