"""What every process does alike: start, signals, the web server, the end and its exit code.

Exit codes (INTERFACE.md §2): 0 done or asked to stop, 1 failed while running, 2 wrong use or
configuration. A process stops when it is told (SIGTERM, SIGINT), or when its supervisor is gone.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import structlog
import uvicorn

from schemas.errors import Misconfigured
from services.runtime import log as logs
from services.runtime.options import Options, parse

DRAIN_S = 5.0
"""A process that was told to stop ends within this time, finished or not."""

SUPERVISOR_PIPE = "VIGIE_SUPERVISOR_PIPE"
"""Environment: number of the inherited pipe end that reads EOF once the supervisor is gone."""

log = structlog.get_logger()

Main = Callable[[Options, asyncio.Event], Awaitable[None]]


def run(service: str, main: Main, argv: Sequence[str] | None = None) -> int:
    """Runs `main(options, stop)` to its end and gives the exit code of the process.

    `stop` is set by SIGTERM, SIGINT or the supervisor's death; `main` then has `DRAIN_S` to return.
    A second signal ends the process at once.
    """
    logs.set_up(service)
    try:
        options = parse(service, argv)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(main, options))
    except BaseException as error:
        return _exit_code(error)
    return 0


async def serve(app: Any, address: str, stop: asyncio.Event) -> None:
    """Answers HTTP for an ASGI `app` on host:port until `stop`; then finishes what is being answered.

    Raises `Misconfigured` when the address cannot be had. Signals stay ours: uvicorn's own handling
    would raise SIGTERM again after serving and skip the clean-up.
    """
    listener = listen(address)
    settings = uvicorn.Config(
        app,
        lifespan="off",  # what must live and die with the process is a sibling task (STYLE.md 16)
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,  # longer than clients keep idle connections, so that they close first
        ws_per_message_deflate=False,  # 47 KB and most of the CPU of an idle board (FAUST.md §6)
        ws_max_size=64 * 1024,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(settings)
    host, port = listener.getsockname()[:2]
    log.info("listening", address=f"{host}:{port}")
    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(_end_with(server, stop))
        try:
            await server.serve(sockets=[listener])
        finally:
            ending.cancel()
            listener.close()
    if not stop.is_set():
        raise RuntimeError("the web server ended by itself")


def listen(address: str) -> socket.socket:
    """A listening socket on host:port; raises `Misconfigured` when it cannot be had."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"[http]: cannot listen on {address} ({os.strerror(error.errno or 0)})"
        ) from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _end_with(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


async def _until_stopped(main: Main, options: Options) -> None:
    loop = asyncio.get_running_loop()
    stop, received = asyncio.Event(), list[signal.Signals]()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, number, stop, received)
    follow_supervisor(lambda: loop.call_soon_threadsafe(stop.set))
    work = asyncio.ensure_future(main(options, stop))
    ordered = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, ordered}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({work}, timeout=DRAIN_S)
        if not work.done():
            raise TimeoutError(f"not drained within {DRAIN_S:g} s")
        work.result()
    finally:
        ordered.cancel()
        work.cancel()


def _on_signal(number: signal.Signals, stop: asyncio.Event, received: list[signal.Signals]) -> None:
    """The first asks, the second insists. `stop` alone does not count: the supervisor's death sets it too."""
    if received:
        os._exit(128 + number)
    received.append(number)
    log.info("stopping", signal=number.name)
    stop.set()


def follow_supervisor(on_death: Callable[[], object]) -> None:
    """Calls `on_death` (from another thread) when the supervisor that started us is gone.

    Then the process has `DRAIN_S` to end before it is ended. Nothing happens without a supervisor.
    A pipe reads EOF then, on every system; Linux's parent-death signal comes once for each thread of
    the parent, which a process takes for somebody who insists.
    """
    number = os.environ.get(SUPERVISOR_PIPE, "")
    if not number.isdigit():
        return

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(int(number), 1):
                pass
        on_death()
        threading.Event().wait(DRAIN_S)
        os._exit(1)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":  # uvloop is not there
        return None
    import uvloop

    return uvloop.new_event_loop


def _exit_code(error: BaseException) -> int:
    """Says why, once, and gives the code; what is not an error of ours is raised again."""
    if isinstance(error, SystemExit):
        raise error
    faults = misconfigured(error)
    if faults:
        for fault in faults:
            log.error("misconfigured", fault=fault)
        return 2
    if isinstance(error, KeyboardInterrupt):
        return 0
    log.error("failed", exc_info=error)
    return 1


def misconfigured(error: BaseException) -> list[str]:
    """Every fault inside `error`, which may be a group of a TaskGroup; none if anything else is in it."""
    if isinstance(error, Misconfigured):
        return list(error.faults)
    if not isinstance(error, BaseExceptionGroup):
        return []
    inner = [misconfigured(each) for each in error.exceptions]
    return [fault for faults in inner for fault in faults] if all(inner) else []
