"""A service with nothing to do, on the real runtime: `python -m tests.doubles.tiny_service NAME [MODE]`.

MODE `stubborn` never drains; `refusing` does not start, as if misconfigured; `failing` has a task that
dies; `serving` answers HTTP, and says where.
"""

import asyncio
import sys
from typing import Any

import structlog

from schemas.errors import Misconfigured
from services.runtime.options import Options
from services.runtime.process import run, serve


async def main(_options: Options, stop: asyncio.Event) -> None:
    """Says that it is there, waits for `stop`, says that it has drained."""
    if MODE == "refusing":
        raise Misconfigured("tiny.setting (line 1): is wrong")
    if MODE == "failing":
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stop.wait())
            tasks.create_task(_fail())
    structlog.get_logger().info("there")
    if MODE == "serving":
        await serve(_answer, "127.0.0.1:0", stop)
    print("a plain line", flush=True)
    await stop.wait()
    if MODE == "stubborn":
        await asyncio.Event().wait()
    structlog.get_logger().info("drained")


async def _fail() -> None:
    raise RuntimeError("a task died")


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that greets."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


if __name__ == "__main__":
    NAME, MODE = (*sys.argv[1:], "plain")[:2]
    sys.exit(run(NAME, main, ["--kafka", "127.0.0.1:1"]))
