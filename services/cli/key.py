"""`vigie key new`: a key, shown once, and the line of `[auth]` that holds only its hash."""

import argparse
import json
import secrets
import sys
from typing import get_args

from schemas.config import KeyUse
from schemas.errors import Misconfigured
from services.runtime.keys import hash_of, new_key

_LONGEST = 256
_EPILOG = """\
Standard output is two lines: the key, then its line for vigie.toml:
  [auth]
  keys = [
    …the line…
  ]
ingest: posts events. board: reads. operator: reads, and acts on alerts.
The key cannot be shown again; whoever has lost it gets a new one. To take it back, delete its line
and start the services again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What follows `vigie key`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = commands.add_parser(
        "new",
        help="make a key",
        description="Make a key and show it, once.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("--for", dest="use", required=True, choices=get_args(KeyUse), help="what it is for")
    new.add_argument(
        "--site",
        dest="sites",
        action="append",
        metavar="ID",
        help="this site only; may be given again; left out: every site",
    )
    new.add_argument(
        "--id", metavar="NAME", help="who holds it, as others will see it; left out: one is made up"
    )
    new.set_defaults(run=show_new)


def show_new(arguments: argparse.Namespace) -> int:
    """Prints both lines; the exit code is 0. Raises `Misconfigured` for a name that cannot be one."""
    for name in (*(arguments.sites or ()), *([] if arguments.id is None else [arguments.id])):
        if not name.strip() or not name.isprintable() or len(name) > _LONGEST:
            raise Misconfigured(f"{name!r} cannot be a name: 1 to {_LONGEST} characters that can be printed")
    key = new_key()
    print(key)
    print(line(arguments.id or _made_up(arguments.use), arguments.use, arguments.sites, hash_of(key)))
    print("The key is shown this once. Its line goes into keys = [ … ] of [auth].", file=sys.stderr)
    return 0


def line(name: str, use: str, sites: list[str] | None, digest: str) -> str:
    """One entry of `[auth] keys`, with the comma behind it."""
    of_sites = "" if not sites else f"sites = [{', '.join(map(_quoted, dict.fromkeys(sites)))}], "
    return f'{{ id = {_quoted(name)}, for = "{use}", {of_sites}hash = "{digest}" }},'


def _made_up(use: str) -> str:
    return f"{use}-{secrets.token_hex(2)}"


def _quoted(text: str) -> str:
    """A TOML string; those of JSON are, as long as every character can be printed."""
    return json.dumps(text, ensure_ascii=False)
