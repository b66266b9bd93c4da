"""A service with nothing to do, on the real runtime: `python -m tests.doubles.tiny_service NAME [MODE]`.

MODE `stubborn` never drains; `refusing` does not start, as if misconfigured.
"""

import asyncio
import sys

import structlog

from schemas.errors import Misconfigured
from services.runtime.options import Options
from services.runtime.process import run


async def main(_options: Options, stop: asyncio.Event) -> None:
    """Says that it is there, waits for `stop`, says that it has drained."""
    if MODE == "refusing":
        raise Misconfigured("tiny.setting (line 1): is wrong")
    structlog.get_logger().info("there")
    print("a plain line", flush=True)
    await stop.wait()
    if MODE == "stubborn":
        await asyncio.Event().wait()
    structlog.get_logger().info("drained")


if __name__ == "__main__":
    NAME, MODE = (*sys.argv[1:], "plain")[:2]
    sys.exit(run(NAME, main, ["--kafka", "127.0.0.1:1"]))
