"""The key that a command of ours shows when it asks a service: from `--key-file`, else from `VIGIE_KEY`.

Never an argument: whoever is on the machine sees the arguments of every process.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import Misconfigured

VARIABLE = "VIGIE_KEY"
HINT = f"give a key by --key-file FILE or in the environment as {VARIABLE}"
"""For who was refused."""


def add_argument(parser: argparse.ArgumentParser, use: str) -> None:
    """`--key-file`; `use`: what the key has to be for."""
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=f"file that holds a key for {use}, where [auth] asks for one; left out: {VARIABLE}",
    )


def headers(file: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """What shows the key; nothing when there is none. Raises `Misconfigured` when it cannot be read."""
    key = environment.get(VARIABLE, "").strip() if file is None else _read(file)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured(f"{file or VARIABLE}: this is not one key")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _read(file: Path) -> str:
    try:
        key = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"--key-file: {file} cannot be read ({error})") from error
    if not key:
        raise Misconfigured(f"--key-file: {file} is empty")
    return key
