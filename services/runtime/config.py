"""Reads `vigie.toml` into `schemas.config.Config`, or says everything that is wrong with it.

A fault reads `FILE: queues[2].service_level.target (line 31): what is wrong`. Shape is judged in
`config_shape.py`, sense in `config_sense.py`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from schemas.config import Config
from schemas.errors import Misconfigured
from services.runtime import config_sense, config_shape
from services.runtime.config_shape import Fault
from services.runtime.toml_lines import Place, line_of, lines_of


def load(
    path: Path | None, *, environment: Mapping[str, str] | None = None, of_service: bool = False
) -> Config:
    """The configuration of the file; without one, the defaults with `from_file` false.

    Given an environment, the secrets and certificates that the file names must be there as well; with
    `of_service` those of [kafka] alone, because a service needs only its own beside. Raises
    `Misconfigured` with every fault.
    """
    if path is None:
        return Config()
    text = _read(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path}: {error}") from error
    config, faults = config_shape.convert(values)
    faults += config_sense.faults_of(config)
    if environment is not None:
        faults += config_sense.faults_of_kafka(config, environment)
        if not of_service:
            faults += config_sense.faults_of_secrets(config, environment)
    if faults:
        raise Misconfigured(*_sentences(path, text, faults))
    return config


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: is not UTF-8 (byte {error.start})") from error


def _sentences(path: Path, text: str, faults: list[Fault]) -> list[str]:
    """The faults in the order of the file."""
    lines = lines_of(text)
    placed = sorted(((line_of(lines, place) or 0, place, said) for place, said in faults), key=lambda f: f[0])
    return [
        f"{path}: {written(place) or 'the file'}{f' (line {line})' if line else ''}: {said}"
        for line, place, said in placed
    ]


def written(place: Place) -> str:
    """`queues[2].service_level.target`."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    return "".join(steps).removeprefix(".")
