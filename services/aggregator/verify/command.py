"""`vigie verify`: the command line, the progress on standard error, the answer on standard output."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import Misconfigured, VigieError
from services.aggregator.verify.comparing import Comparison
from services.aggregator.verify.findings import Findings, as_json, as_text
from services.aggregator.verify.reading import reader
from services.runtime import log as logs
from services.runtime import options as starting
from services.runtime.options import Options

_TELL_EVERY_S = 2.0

_DESCRIPTION = """\
Compares what Vigie shows and told with an offline fold of its log: every row of the board at its own
instant, every alert with the waits that the log has, every delivery with the alerts and the settings.
Nothing is written; it may run beside a live system.
"""
_EPILOG = (
    "exit codes: 0 no difference, 1 a difference, or Kafka does not answer, 2 wrong use or configuration"
)


class _Progress:
    """Says how far it is, every two seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, topic: str, number: int, offset: int, end: int) -> None:
        if time.monotonic() - self._last >= _TELL_EVERY_S:
            self._last = time.monotonic()
            print(f"vigie verify: {topic}, partition {number}: at {offset} of {end}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 no difference, 1 a difference or no Kafka, 2 wrong use."""
    arguments = _parser().parse_args(argv)
    logs.set_up("verify")
    try:
        options = starting.read("verify", arguments)
        settings_ms = _changed_ms(starting.file_in_force(arguments.config))
        findings = asyncio.run(verify(options, site=arguments.site, settings_ms=settings_ms))
    except Misconfigured as error:
        for fault in error.faults:
            print(f"vigie verify: {fault}", file=sys.stderr)
        return 2
    except VigieError as error:
        print(f"vigie verify: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vigie verify: stopped", file=sys.stderr)
        return 1
    print(as_json(findings) if arguments.json else as_text(findings))
    return 1 if findings.differences else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vigie verify",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    starting.add_arguments(parser)
    parser.add_argument("--site", metavar="ID", help="compare this site alone")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    return parser


def _changed_ms(file: Path | None) -> int:
    """When the settings were last changed; 0 without a file."""
    return 0 if file is None else file.stat().st_mtime_ns // 1_000_000


async def verify(options: Options, *, site: str | None, settings_ms: int) -> Findings:
    """Everything that is found. Raises `Unavailable`, `Misconfigured`, `InvalidMessage`."""
    if site is not None and not options.config.lists(site):
        raise Misconfigured(f"--site: {site} is not in the file")
    async with reader(options.kafka, _Progress()) as reading:
        return await Comparison(reading, options.config, site, settings_ms=settings_ms).run()


if __name__ == "__main__":
    sys.exit(main())
