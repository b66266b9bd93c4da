"""`vigie up`: what it starts, in which order, and when it says that the wallboard is there.

Order: Kafka, its topics, then the services. Each service depends on Kafka only, so they start
together. What keeps them running is `supervise.py`.
"""

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog
from msgspec import Struct

from schemas.config import Config
from schemas.errors import Misconfigured, Unavailable
from services.cli import broker, topics
from services.cli.demo.data import keep, start_afresh
from services.cli.disk_watch import watch_disk
from services.cli.kafka_watch import watch
from services.cli.supervise import Program, Supervisor
from services.runtime.clock import now_ms
from services.runtime.kafka import Cluster, Kafka
from services.runtime.listening import from_here
from services.runtime.process import listen

SERVICES = ("ingest", "aggregator", "api", "notifier")
"""In the order of an event's way; each is `python -m services.NAME` and has an address in [http]."""

NOT_READY_S = 20.0
"""After this long, `vigie up` says what is missing, and goes on."""

_KAFKA_TRIES = 3
_POLL_S = 0.2
_T = TypeVar("_T")
log = structlog.get_logger()


class Plan(Struct, frozen=True, kw_only=True):
    """What to start. `kafka` None: the embedded one. `extra`: given the instant (ms) at which ingest
    is ready, what to start then. `is_fresh`: the embedded Kafka starts empty, whatever it held.
    """

    config: Config
    config_file: Path | None
    data: Path
    kafka: Cluster | None
    extra: Callable[[int], Program] | None = None
    is_fresh: bool = False


async def up(plan: Plan) -> int:
    """Runs the whole system until SIGTERM or SIGINT, and gives the exit code.

    Raises `Misconfigured` or `Unavailable` before anything was started, or once all has ended again.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    with contextlib.ExitStack() as locks:
        locks.enter_context(broker.lock_folder(plan.data))
        check_addresses(plan.config)
        async with Supervisor() as supervisor:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.add_signal_handler(number, _on_signal, number, stop, supervisor)
            return await _run(plan, supervisor, stop, locks)


async def _run(plan: Plan, supervisor: Supervisor, stop: asyncio.Event, locks: contextlib.ExitStack) -> int:
    running = asyncio.create_task(_start_and_watch(plan, supervisor, locks))
    ends = [asyncio.create_task(each.wait()) for each in (stop, supervisor.gave_up)]
    try:
        await asyncio.wait([running, *ends], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (running, *ends):
            task.cancel()
        await supervisor.drain()
    if supervisor.gave_up.is_set():
        return 2
    return 1 if supervisor.was_killed else 0


async def _start_and_watch(plan: Plan, supervisor: Supervisor, locks: contextlib.ExitStack) -> None:
    if plan.kafka is not None:
        await _start_services(plan, supervisor, plan.kafka)
        return
    await _in_thread(lambda: (start_afresh if plan.is_fresh else keep)(plan.data))
    disk = asyncio.create_task(watch_disk(plan.data))
    try:
        bootstrap = await _start_kafka(plan.data, supervisor, locks)
        await _start_services(plan, supervisor, bootstrap)
        await watch(bootstrap, supervisor)
    finally:
        disk.cancel()


async def _start_services(plan: Plan, supervisor: Supervisor, kafka: Kafka) -> None:
    await _declare_topics(kafka, plan.config.kafka.partitions)
    for name in SERVICES:
        supervisor.start(service(name, plan, str(kafka)))
    await _tell_when_ready(plan, supervisor)


async def _start_kafka(data: Path, supervisor: Supervisor, locks: contextlib.ExitStack) -> str:
    prepared = await _in_thread(lambda: broker.prepare(data / "kafka"))
    locks.enter_context(prepared.lock)
    supervisor.start(Program(name="kafka", command=prepared.command, guarded=True))
    clock = asyncio.get_running_loop().time
    begun_s, told = clock(), False
    while clock() - begun_s < broker.READY_S and supervisor.starts("kafka") <= _KAFKA_TRIES:
        if await broker.answers(prepared.bootstrap):
            log.info("kafka_ready", address=prepared.bootstrap, data=str(data))
            return prepared.bootstrap
        if not told and clock() - begun_s > NOT_READY_S:
            told = True
            log.warning("not_ready", process="kafka", after_s=NOT_READY_S, missing=f"see {prepared.log}")
        await asyncio.sleep(_POLL_S)
    raise Unavailable(f"the embedded Kafka does not answer; its log is {prepared.log}")


async def _in_thread(work: Callable[[], _T]) -> _T:
    """The result of what blocks: fetching, formatting. Unlike asyncio's own threads, it holds up no end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            tell(done.set_exception, error)
        else:
            tell(done.set_result, result)

    def tell(setter: Callable[[Any], None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if done.done() else setter(value))

    threading.Thread(target=run, daemon=True).start()
    return await done


async def _declare_topics(kafka: Kafka, partitions: int) -> None:
    declared = await topics.declare(kafka, partitions)
    log.info("topics_declared", created=len(declared.created), aligned=len(declared.aligned))


def service(name: str, plan: Plan, bootstrap: str) -> Program:
    """The program that runs one of our services, told what this system is told."""
    command = [sys.executable, "-P", "-m", f"services.{name}", "--data", str(plan.data), "--kafka", bootstrap]
    if plan.config_file is not None:
        command += ["--config", str(plan.config_file)]
    return Program(name=name, command=command)


def check_addresses(config: Config) -> None:
    """Raises `Misconfigured` with every address of ours that another program has taken."""
    faults = []
    for name in SERVICES:
        address = getattr(config.http, name)
        try:
            listen(address).close()
        except Misconfigured as error:
            faults.append(f'[http] {name} = "{address}": {error.faults[0].partition(": ")[2]}; {_REMEDY}')
    if faults:
        raise Misconfigured(*faults)


_REMEDY = "stop the program that has it, or give another address in vigie.toml"


async def _tell_when_ready(plan: Plan, supervisor: Supervisor) -> None:
    """Prints the wallboard's address once its page has figures to show, or what keeps it from it."""
    loop = asyncio.get_running_loop()
    begun_s, told, extra = loop.time(), False, plan.extra
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while True:
            addresses = {name: from_here(getattr(plan.config.http, name)) for name in SERVICES}
            missing = {name: await _missing(http, address) for name, address in addresses.items()}
            if extra is not None and not missing["ingest"]:
                supervisor.start(extra(now_ms()))
                extra = None
            if not any(missing.values()):
                with contextlib.suppress(OSError):  # nobody reads it
                    print(f"Wallboard: {_page(plan.config)}  (Ctrl-C ends it)", flush=True)
                return
            if not told and loop.time() - begun_s > NOT_READY_S:
                told = True
                for name, what in missing.items():
                    if what:
                        log.warning("not_ready", process=name, after_s=NOT_READY_S, missing=what)
            await asyncio.sleep(_POLL_S)


def _page(config: Config) -> str:
    """Where the wallboard is found, and that it needs a key if it does."""
    return f"http://{from_here(config.http.api)}/" + ("?key=KEY" if config.auth is not None else "")


async def _missing(http: aiohttp.ClientSession, address: str) -> str:
    """What a service says it lacks to be ready; nothing when it is."""
    try:
        async with http.get(f"http://{address}/health/ready") as answer:
            return "" if answer.status == 200 else (await answer.text())[:500].strip() or str(answer.status)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return f"{address} does not answer ({type(error).__name__})"


def _on_signal(number: signal.Signals, stop: asyncio.Event, supervisor: Supervisor) -> None:
    if stop.is_set():
        log.warning("killing", signal=number.name)
        supervisor.kill()
        return
    log.info("stopping", signal=number.name)
    stop.set()
