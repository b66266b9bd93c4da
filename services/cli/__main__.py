"""The command `vigie`: reads the command line and hands over. INTERFACE.md §2.

Services never import one another: those of this list are run by name, in this very process.
"""

import argparse
import asyncio
import importlib
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.config import Config
from schemas.errors import Misconfigured, Unavailable
from services.cli import key
from services.cli.demo.data import own_folder
from services.runtime import config as configuration
from services.runtime import log as logs
from services.runtime import own_key
from services.runtime.kafka import cluster
from services.runtime.listening import from_here
from services.runtime.options import add_arguments, default_data, file_in_force, parse

if TYPE_CHECKING:
    from services.cli.supervise import Program

_RUN_BY_NAME = {
    "ingest": "services.ingest",
    "aggregator": "services.aggregator",
    "api": "services.api",
    "notifier": "services.notifier",
    "replay": "services.ingest.replay",
    "source": "services.ingest.source_command",
    "board": "services.cli.board",
    "verify": "services.aggregator.verify.command",
}
"""Commands that read their own arguments: `vigie api --help` is theirs to answer."""

_EPILOG = """\
examples:
  vigie demo                                 the whole system with a simulated contact centre
  vigie up --config vigie.toml               the whole system with your sources
  vigie up --kafka kafka.example:9092        the same on a Kafka that exists already
  vigie check vigie.toml                     every fault of a configuration, with its line
  vigie key new --for board --site paris     a key for the wallboard of one site
exit codes: 0 done, 1 failed while running, 2 wrong use or configuration
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 failed while running, 2 wrong use or configuration."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _RUN_BY_NAME:
        return _run_by_name(words[0], words[1:])
    arguments = _parser().parse_args(words)
    command: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return command(arguments)
    except Misconfigured as error:
        return _refuse(error.faults, code=2)
    except Unavailable as error:
        return _refuse([error.detail], code=1)
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vigie",
        description="Real-time supervision for contact centres: a live wallboard and alerts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    up = commands.add_parser("up", help="run the whole system on this machine; Ctrl-C ends it")
    add_arguments(up)
    up.set_defaults(run=_up)

    demo = commands.add_parser("demo", help="the whole system with a simulated contact centre")
    add_arguments(demo, file="the demo's own", data=own_folder())
    demo.add_argument("--rate", type=float, metavar="CONTACTS_PER_MIN", help="how busy it is, on average")
    demo.add_argument("--seed", type=int, metavar="N", help="the same number gives the same day again")
    own_key.add_argument(demo, "ingest")
    demo.set_defaults(run=_demo)

    for name, what in (
        ("ingest", "one service alone: takes events in"),
        ("aggregator", "one service alone: makes figures and alerts of events"),
        ("api", "one service alone: wallboard, REST, websocket, metrics"),
        ("notifier", "one service alone: tells people of alerts"),
        ("replay", "send a recorded capture through ingest"),
        ("source", "try out one source: vigie source test ID"),
        ("board", "the board in the terminal"),
        ("verify", "compare board and alerts with an offline fold of the log"),
    ):
        commands.add_parser(name, help=what, add_help=False)

    topics = commands.add_parser("topics", help="create or check the Kafka topics")
    add_arguments(topics)
    topics.set_defaults(run=_topics)

    key.add_arguments(commands.add_parser("key", help="make a key for [auth]: vigie key new"))

    check = commands.add_parser("check", help="name every fault of a configuration, with its place")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=_check)
    return parser


def _up(arguments: argparse.Namespace) -> int:
    file = file_in_force(arguments.config)
    config = configuration.load(file, environment=os.environ)
    return _run_system(arguments, file, config)


def _demo(arguments: argparse.Namespace) -> int:
    """`up` on the demo's own settings and in a data folder of its own, with the simulated centre.

    Its Kafka starts empty: a simulated past beside that of an earlier demo would count twice.
    """
    from services.cli.supervise import Program

    with resources.as_file(resources.files("services.cli.demo").joinpath("vigie.toml")) as built_in:
        file = arguments.config or built_in
        config = configuration.load(file, environment=os.environ)
        arguments.data = arguments.data or own_folder()
        shown = own_key.headers(arguments.key_file, os.environ)
        if config.auth is not None and not shown:
            raise Misconfigured(f"[auth] asks for keys, and the simulated centre has none: {own_key.HINT}")
        told = [f"--ingest=http://{from_here(config.http.ingest)}"]
        told += [f"--key-file={arguments.key_file.resolve()}"] if arguments.key_file is not None else []
        told += [f"--rate={arguments.rate:g}"] if arguments.rate is not None else []
        told += [f"--seed={arguments.seed}"] if arguments.seed is not None else []

        def centre(start_ms: int) -> Program:
            command = [sys.executable, "-P", "-m", "services.cli.demo", *told, f"--start={start_ms}"]
            return Program(name="demo", command=command)

        return _run_system(arguments, file, config, extra=centre)


def _run_system(
    arguments: argparse.Namespace,
    file: Path | None,
    config: Config,
    *,
    extra: "Callable[[int], Program] | None" = None,
) -> int:
    from services.cli.up import Plan, up  # what it imports takes a second, which `check` need not wait for

    logs.set_up("up")
    bootstrap = arguments.kafka or config.kafka.bootstrap
    plan = Plan(
        config=config,
        config_file=file.resolve() if file else None,
        data=(arguments.data or default_data()).resolve(),
        kafka=cluster(config.kafka, bootstrap, os.environ) if bootstrap else None,
        extra=extra,
        is_fresh=extra is not None,
    )
    return asyncio.run(up(plan))


def _topics(arguments: argparse.Namespace) -> int:
    from services.cli.topics import declare

    words = [
        f"--{name}={value}" for name in ("config", "data", "kafka") if (value := getattr(arguments, name))
    ]
    options = parse("topics", words)
    declared = asyncio.run(declare(options.kafka, options.config.kafka.partitions))
    for topic in declared.created:
        print(f"{topic}: created")
    for topic, settings in declared.aligned.items():
        print(f"{topic}: set {', '.join(f'{name}={value}' for name, value in sorted(settings.items()))}")
    for topic in sorted(declared.unchanged):
        print(f"{topic}: as it should be")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    config = configuration.load(arguments.file, environment=os.environ)
    counts = {
        "sites": len(config.sites),
        "queues": len(config.queues),
        "sources": len(config.sources),
        "rules": len(config.rules),
    }
    print(f"{arguments.file}: no fault; {', '.join(f'{n} {what}' for what, n in counts.items())}")
    return 0


def _run_by_name(command: str, words: list[str]) -> int:
    """Runs another module as the main program, with these arguments; its exit code is ours."""
    module = _RUN_BY_NAME[command]
    sys.argv = [f"vigie {command}", *words]
    if command in ("board", "replay", "source", "verify"):
        entry: Callable[[Sequence[str]], int] = importlib.import_module(module).main
        return entry(words)
    runpy.run_module(module, run_name="__main__", alter_sys=False)
    return 0


def _refuse(faults: Sequence[str], *, code: int) -> int:
    for fault in faults:
        print(f"vigie: {fault}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
