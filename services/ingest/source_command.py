"""`vigie source test ID`: connects one source, shows what it tells, and says in words what is wrong with it.

Nothing is written to the log, and nothing is consumed at the source (`Tools.is_trial`). Standard output
holds what was told; the last lines are the verdict.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from schemas.board import DeadLetter
from schemas.config import Config, SourceConfig
from schemas.errors import Misconfigured
from schemas.events import SourceEvent, SourceHeartbeat
from schemas.sources import SourceState, SourceStatus
from services.ingest import sources
from services.ingest.admission import Admission
from services.ingest.credentials import pseudonym_key, source_secrets
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Message
from services.ingest.report import Report
from services.ingest.tools import Tools
from services.ingest.verdict import line_of, verdict
from services.ingest.webhooks import Hook, path_of
from services.runtime import config as configuration
from services.runtime import options
from services.runtime.clock import now_ms
from services.runtime.kafka import Kafka
from services.runtime.listening import from_here
from services.runtime.options import add_arguments, default_data, file_in_force
from services.runtime.process import misconfigured, serve

SHOWN = 10
FOR_S = 30.0
LOOK_S = 0.1
INSTANCE = "trial"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 it works as far as could be seen, 1 it does not, 2 wrong use (INTERFACE.md §2)."""
    arguments = _parser().parse_args(argv)
    _quieten()
    try:
        config = configuration.load(file_in_force(arguments.config))
        source = _source(config, arguments.id)
        return asyncio.run(_try(source, config, arguments))
    except Misconfigured as error:
        for fault in error.faults:
            print(f"vigie source: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vigie source", description="Try out one source of the settings; nothing is written anywhere."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    test = commands.add_parser(
        "test", help="connect, show the first events, and say in words what is misconfigured"
    )
    test.add_argument("id", metavar="ID", help="the id of one of [[sources]]")
    test.add_argument("--seconds", type=float, default=FOR_S, metavar="N", help="how long to wait (30)")
    test.add_argument("--events", type=int, default=SHOWN, metavar="N", help="how many events to show (10)")
    test.add_argument(
        "--listen", metavar="HOST:PORT", help="where webhooks are taken; left out: [http] ingest"
    )
    add_arguments(test)
    return parser


def _quieten() -> None:
    """What the log would say of the source is said in words here."""
    logging.disable(logging.CRITICAL)
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)


def _drop(_logger: object, _method: str, _event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    raise structlog.DropEvent


def _source(config: Config, id_: str) -> SourceConfig:
    known = {source.id: source for source in [*config.sources, *sources.adapted(config.sources)]}
    source = known.get(id_)
    if source is None:
        raise Misconfigured(f"no source is called {id_}; there are {', '.join(known) or 'none'}")
    if source.kind not in sources.ADAPTERS:
        raise Misconfigured(f"{id_} posts its events by itself: POST /v1/events, docs/sources/http.md")
    return source


class Told:
    """What the source told, shown as it comes. `enough` is set once so many events were."""

    def __init__(self, most: int) -> None:
        self.events = 0
        self.letters: list[DeadLetter] = []
        self.enough = asyncio.Event()
        self._most = most

    @property
    def is_connected(self) -> bool:
        return True

    async def put(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, DeadLetter):
                self.letters.append(message)
            elif not isinstance(message, SourceStatus | SourceHeartbeat):
                self._show(message)

    async def send(self, messages: Sequence[Message]) -> None:
        await self.put(messages)

    def _show(self, event: SourceEvent) -> None:
        self.events += 1
        if self.events <= self._most:
            print(line_of(event), flush=True)
        if self.events >= self._most:
            self.enough.set()


async def _try(source: SourceConfig, config: Config, arguments: argparse.Namespace) -> int:
    told, stop, metrics = (
        Told(arguments.events),
        asyncio.Event(),
        Metrics(CollectorRegistry(), sources=[source.id]),
    )
    is_webhook = sources.runner(source) is None
    report = Report(source, metrics=metrics, clock=now_ms, is_webhook=is_webhook)
    secrets = source_secrets([source], os.environ)[source.id]
    with tempfile.TemporaryDirectory(prefix="vigie-") as folder:
        tools = Tools(
            put=told.put,
            send=told.send,
            pseudonyms=Pseudonyms(pseudonym_key(arguments.data or default_data(), os.environ)),
            report=report,
            stop=stop,
            secret=secrets.now,
            previous_secret=secrets.previous,
            folder=Path(folder),
            kafka=_kafka(source, arguments),
            peers=sources.peer_kinds(source, sources.adapted(config.sources)),
            is_trial=True,
        )
        hook = sources.hook(source, tools)
        address = arguments.listen or config.http.ingest
        print(_beginning(source, address if hook is not None else None), flush=True)
        async with _served(hook, tools, told, metrics, address=address):
            running = asyncio.create_task(sources.run(source, tools, hook=hook))
            await _watch(report, told, running, seconds=arguments.seconds)
            status = report.status(INSTANCE)
            stop.set()
            [ended] = await asyncio.gather(running, return_exceptions=True)
    if isinstance(ended, BaseException) and (faults := misconfigured(ended)):
        raise Misconfigured(*faults)
    works, lines = verdict(source, status, events=told.events, seconds=arguments.seconds)
    print("\n".join(lines))
    return 0 if works else 1


def _kafka(source: SourceConfig, arguments: argparse.Namespace) -> Kafka | None:
    """The Kafka of the log, for a source that reads a topic of it."""
    needs_ours = source.kind == "kafka" and source.bootstrap is None
    return options.read("source", arguments).kafka if needs_ours else None


@contextlib.asynccontextmanager
async def _served(
    hook: Hook | None, tools: Tools, told: Told, metrics: Metrics, *, address: str
) -> AsyncIterator[None]:
    """Takes webhooks meanwhile, where the source sends some. Raises `Misconfigured`: it may not listen."""
    if hook is None:
        yield
        return
    door = Door(pseudonyms=tools.pseudonyms, admission=Admission(frozenset()))  # type: ignore[arg-type] # the real ones
    app = create_app(
        publisher=told,
        door=door,
        metrics=metrics,
        clock=now_ms,
        webhooks={tools.report.source.id: hook.endpoint(publisher=told, metrics=metrics)},
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, address, stop))
    await asyncio.sleep(LOOK_S)
    if serving.done():
        serving.exception()
        raise Misconfigured(
            f"{address} is taken: ingest seems to run; see its source panel, or try --listen 127.0.0.1:8099"
        )
    try:
        yield
    finally:
        stop.set()
        await serving


async def _watch(report: Report, told: Told, running: asyncio.Task[None], *, seconds: float) -> None:
    """Says each change of the connection, until enough was told or the time is over."""
    loop = asyncio.get_running_loop()
    until_s, said = loop.time() + seconds, ""
    while loop.time() < until_s and not told.enough.is_set() and not running.done():
        status = report.status(INSTANCE)
        words = f"{status.state}: {status.reason}" if status.reason else str(status.state)
        if words != said and status.state is not SourceState.CONNECTING:
            print(f"-- {words}", flush=True)
            said = words
        await asyncio.sleep(LOOK_S)


def _beginning(source: SourceConfig, address: str | None) -> str:
    who = f" as {source.user}" if source.user else ""
    if address is None:
        there = source.file or source.topic or source.queue_url or source.stream or source.url
        place = there or f"{source.host}:{source.port_in_force}"
        return f"-- trying {source.id} ({source.kind}): {place}{who}"
    url = source.public_url or f"http://{from_here(address)}{path_of(source)}"
    return f"-- waiting for webhooks of {source.id} ({source.kind}) at {url}; make something happen there"


if __name__ == "__main__":
    sys.exit(main())
