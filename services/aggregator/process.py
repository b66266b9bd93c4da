"""One aggregator process from its command line to its exit code, run by Faust's own worker.

Our logs stay as they are: Faust neither sets logging up nor prints a banner. SIGTERM and SIGINT
drain and end with 0, a failure with 1, wrong use or configuration with 2.
"""

import asyncio
import gc
import importlib.metadata
import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import faust
import structlog
import uvloop
from prometheus_client import CollectorRegistry

from schemas.config import Config
from schemas.errors import Misconfigured
from services.aggregator import settings as reading
from services.aggregator.folding import Make
from services.aggregator.metrics import Metrics
from services.aggregator.settings import Settings
from services.aggregator.streams import App, create_app
from services.runtime import log as logs
from services.runtime.options import parse
from services.runtime.process import follow_supervisor

log = structlog.get_logger()

_QUIET_S = 10.0


class _FaustWorker(faust.Worker):  # type: ignore[misc] # faust's types are not followed
    """Faust's worker without what is ours or nobody's: logging, spinner, a debugger on SIGUSR2."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
        self.spinner = None

    def install_signal_handlers(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._schedule_shutdown, number)


class _Repeats(logging.Filter):
    """Lets a library say the same thing once in ten seconds: aiokafka tells an outage ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, what = time.monotonic(), (record.name, str(record.msg))
        if now - self._said.get(what, -_QUIET_S) < _QUIET_S:
            return False
        self._said[what] = now
        return True


def main(make: Make, argv: Sequence[str] | None = None, **overrides: Any) -> int:
    """The exit code of one whole process; `overrides` replace fields of its `Settings`."""
    logs.set_up("aggregator")
    try:
        options = parse("aggregator", argv)
        settings = replace(reading.read(options), **overrides)
    except Misconfigured as misconfigured:
        return _refused(misconfigured)
    return run(settings, options.config, make)


def run(settings: Settings, config: Config, make: Make) -> int:
    """Builds the app and runs it to its end."""
    gc.set_threshold(20_000, 20, 100)  # a state of a million objects, hardly any of them in cycles
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    registry = CollectorRegistry()
    metrics = Metrics(
        registry,
        version=importlib.metadata.version("vigie"),
        sources=[each.id for each in config.sources],
        rules=[each.id for each in config.rules],
    )
    app = create_app(settings, config, make=make, registry=registry, metrics=metrics)
    # under these names Faust tells once more what we say: starts, stops, and the failure that ends us
    for name in (App.__module__, "faust.worker"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for handler in logging.root.handlers:
        handler.addFilter(_Repeats())
    follow_supervisor(lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        _make_folder(settings.data)
        _execute(_FaustWorker(app, loop))
    except Misconfigured as misconfigured:
        return _refused(misconfigured)
    except SystemExit as end:
        code = int(end.code or 0)
        if code and app.reason is None:  # before anything of ours ran, and Faust's own words are off
            log.error("failed", exc_info=end.__context__)
    if isinstance(app.reason, Misconfigured):
        return _refused(app.reason)
    return 1 if app.reason is not None else code


def _make_folder(folder: Path) -> None:
    """Faust makes its folder and nothing above it: a container's data folder is empty at first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"--data: {folder} cannot be made ({error.strerror})") from error


def _execute(worker: _FaustWorker) -> NoReturn:
    worker.execute_from_commandline()
    raise AssertionError("Faust's worker ends by SystemExit")


def _refused(misconfigured: Misconfigured) -> int:
    for fault in misconfigured.faults:
        log.error("misconfigured", fault=fault)
    return 2
