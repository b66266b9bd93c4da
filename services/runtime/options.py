"""What a service is told on its command line, read once in `__main__`.

The settings file says what the system is; these say where it runs: which file, which data folder,
which Kafka, which worker. Inner code is handed values, never these.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from schemas.config import Config
from schemas.errors import Misconfigured
from services.runtime import config as configuration
from services.runtime.kafka import Cluster, cluster

DEFAULT_FILE = Path("vigie.toml")
ADDRESS_FILE = Path("kafka", "address")
"""In the data folder: host:port of the embedded broker, written by who starts it."""


class Options(Struct, frozen=True, kw_only=True):
    """One service's start: `kafka` is where the log is, and as whom one speaks with it.

    `slot` tells the workers of one service apart and stays the same over restarts.
    """

    config: Config
    kafka: Cluster
    data: Path
    service: str
    slot: int = 0


def parse(service: str, argv: Sequence[str] | None) -> Options:
    """The options of `service`; wrong use ends the process with code 2, as argparse does.

    Raises `Misconfigured` with every fault of the file, or when no Kafka is named anywhere.
    """
    words = argparse.ArgumentParser(prog=f"vigie {service}")
    add_arguments(words)
    words.add_argument("--slot", type=int, default=0, metavar="N", help="number of this worker, from 0")
    arguments = words.parse_args(argv)
    return read(service, arguments, slot=arguments.slot)


def read(service: str, arguments: argparse.Namespace, *, slot: int = 0) -> Options:
    """The options that `add_arguments` took in. Raises `Misconfigured` as `parse` does."""
    config = configuration.load(file_in_force(arguments.config), environment=os.environ, of_service=True)
    data: Path = arguments.data or default_data()
    bootstrap = arguments.kafka or config.kafka.bootstrap or _embedded(data)
    kafka = cluster(config.kafka, bootstrap, os.environ)
    return Options(config=config, kafka=kafka, data=data, service=service, slot=slot)


def add_arguments(
    parser: argparse.ArgumentParser,
    *,
    file: str = "vigie.toml in the current folder, or the defaults if there is none",
    data: Path | None = None,
) -> None:
    """`--config`, `--data` and `--kafka`, alike for every command; `file`, `data`: what they are left out."""
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"settings; left out: {file}")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"data folder; left out: {data or default_data()}"
    )
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="Kafka to use, instead of [kafka] bootstrap or the embedded one"
    )


def file_in_force(given: Path | None) -> Path | None:
    """The file named, else `vigie.toml` of the current folder if there is one."""
    if given is not None:
        return given
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def default_data() -> Path:
    """The user's data folder: `$XDG_DATA_HOME/vigie`, or `~/.local/share/vigie`."""
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".local" / "share") / "vigie"


def _embedded(data: Path) -> str:
    try:
        return (data / ADDRESS_FILE).read_text("utf-8").strip()
    except OSError as error:
        raise Misconfigured(
            f"no Kafka is named: give --kafka HOST:PORT or [kafka] bootstrap, or run `vigie up` with {data}"
        ) from error
