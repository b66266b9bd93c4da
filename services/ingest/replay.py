"""`vigie replay`: sends a recorded capture through the same translate code to ingest.

When what is sent, and how, is `sending.py`'s matter; here are the command, the file and the answer.
Sending a capture twice changes nothing: ids come from the capture as it is.

Standard output holds the summary and nothing else. What is sent is what everybody may post, so
`rank`, `inferred` and `precision_ms` are lost on the way (INTERFACE.md §4 has no place for them): where
sources contradict each other, a replayed fact counts as one of rank 0.
"""

import argparse
import asyncio
import gzip
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from schemas.config import Config, SourceConfig
from schemas.errors import Misconfigured, VigieError
from services.ingest import sources
from services.ingest.credentials import pseudonym_key
from services.ingest.pseudonym import Pseudonyms
from services.ingest.sending import Tally, plan, send
from services.ingest.translated import Read, Recording
from services.runtime import config as configuration
from services.runtime import log as logs
from services.runtime import own_key
from services.runtime.clock import now_ms
from services.runtime.listening import from_here
from services.runtime.options import default_data, file_in_force

KINDS: dict[str, Read] = {
    kind: adapter.read for kind, adapter in sources.ADAPTERS.items() if adapter.read is not None
}
CHUNK_BYTES = 1 << 16


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 all accepted, 1 not all, 2 wrong use (INTERFACE.md §2)."""
    arguments = _parser().parse_args(argv)
    logs.set_up("replay")
    try:
        config = configuration.load(file_in_force(arguments.config))
        source = _source(arguments, config)
        headers = own_key.headers(arguments.key_file, os.environ)
        key = pseudonym_key(arguments.data or default_data(), os.environ)
        recording = _read(arguments.kind, arguments.file, source, Pseudonyms(key))
    except Misconfigured as error:
        for fault in error.faults:
            print(f"vigie replay: {fault}", file=sys.stderr)
        return 2
    if recording.fault is not None:
        print(f"vigie replay: {arguments.file}: {recording.fault}", file=sys.stderr)
        return 1
    url = (arguments.ingest or f"http://{from_here(config.http.ingest)}").rstrip("/") + "/v1/events"
    try:
        sent = asyncio.run(_send(recording, url, arguments, headers))
    except VigieError as error:
        print(f"vigie replay: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vigie replay: stopped", file=sys.stderr)
        return 1
    print(_summary(recording, sent))
    return 1 if sent.rejected else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vigie replay", description="Send a recorded capture through ingest; gzip is accepted."
    )
    parser.add_argument("kind", metavar="KIND", choices=sorted(KINDS), help=f"one of: {', '.join(KINDS)}")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--site", required=True, metavar="ID")
    parser.add_argument(
        "--source", default="replay", metavar="ID", help="source of the events; settings of [[sources]] apply"
    )
    parser.add_argument(
        "--speed", type=_speed, default=None, metavar="max|X", help="X times as fast as it was, from 1 on"
    )
    parser.add_argument(
        "--shift", choices=("now", "none"), default="now", help="now: move instants so that the last is now"
    )
    parser.add_argument("--ingest", metavar="URL", help="left out: [http] ingest of the settings")
    parser.add_argument("--config", type=Path, metavar="FILE")
    parser.add_argument("--data", type=Path, metavar="DIR")
    own_key.add_argument(parser, "ingest")
    return parser


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    speed = float(text)
    if not 1 <= speed < float("inf"):
        raise argparse.ArgumentTypeError("below 1, events would be sent before they happened")
    return speed


def _source(arguments: argparse.Namespace, config: Config) -> SourceConfig:
    """The configured source of that id, for its `map`, `system` and `wrap_up_s`; else one with defaults."""
    known = [*sources.adapted(config.sources), *config.sources]
    found = next((source for source in known if source.id == arguments.source), None)
    if found is None:
        return SourceConfig(id=arguments.source, kind=arguments.kind, site=arguments.site)
    if found.kind != arguments.kind:
        raise Misconfigured(f"--source: {found.id} is of kind {found.kind}, not {arguments.kind}")
    return msgspec.structs.replace(found, site=arguments.site)


def _read(kind: str, file: Path, source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """The whole recording. Raises `Misconfigured` when the file cannot be read or holds none."""
    try:
        with file.open("rb") as stream:
            recording = KINDS[kind](_chunks(stream), source, pseudonyms)
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured(f"{file}: cannot be read ({error})") from error
    if not recording.payloads:
        raise Misconfigured(f"{file}: holds no {kind} recording")
    return recording


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The content, unpacked when it is gzip by its first bytes, whatever the name says."""
    is_packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    content = gzip.GzipFile(fileobj=stream) if is_packed else stream
    while chunk := content.read(CHUNK_BYTES):
        yield chunk


async def _send(
    recording: Recording, url: str, arguments: argparse.Namespace, headers: dict[str, str]
) -> Tally:
    schedule = plan(
        recording.events, start_ms=now_ms(), speed=arguments.speed, is_shifted=arguments.shift == "now"
    )
    return await send(recording.events, recording.after, url=url, schedule=schedule, headers=headers)


def _summary(recording: Recording, sent: Tally) -> str:
    refused = f", {len(recording.spoiled)} refused" if recording.spoiled else ""
    return (
        f"{recording.payloads} payloads, {sent.count} events sent, {sent.accepted} accepted, "
        f"{sent.rejected} rejected{refused}, {sent.rate():.0f} events/s"
    )


if __name__ == "__main__":
    sys.exit(main())
