"""`python -m services.api`: builds the api and runs its tasks until it is told to stop."""

import asyncio
import gc
import logging
import sys
import uuid

from prometheus_client import CollectorRegistry, disable_created_metrics

from services.api.app import create_app
from services.api.board import Board
from services.api.command_log import KafkaCommandLog
from services.api.commands import Commands
from services.api.consumer import Consumer
from services.api.deliveries import Deliveries
from services.api.guard import refuse_exposure
from services.api.hub import Hub
from services.api.metrics import BoardCollector, Metrics
from services.api.sources import Sources
from services.runtime.clock import now_ms
from services.runtime.keys import keyring
from services.runtime.options import Options
from services.runtime.process import run, serve


async def main(options: Options, stop: asyncio.Event) -> None:
    """Answers until `stop`. Raises `Misconfigured` when others could reach it and no key is asked for."""
    address = options.config.http.api
    refuse_exposure(address, keyring(options.config.auth))
    # The consumer tells, once, that Kafka is away and back; aiokafka would at every attempt.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types
    metrics = Metrics(CollectorRegistry())
    board = Board()
    hub = Hub(board, epoch=uuid.uuid4().hex, clock=now_ms, on_sent=metrics.lag.observe)
    metrics.registry.register(BoardCollector(board, hub, now_ms, options.config))
    command_log = KafkaCommandLog(options.kafka)
    commands = Commands(command_log, clock=now_ms)
    deliveries = Deliveries()
    sources = Sources()
    consumer = Consumer(
        options.kafka,
        board,
        hub=hub,
        commands=commands,
        deliveries=deliveries,
        sources=sources,
        metrics=metrics,
        clock=now_ms,
    )
    app = create_app(
        board,
        hub,
        commands=commands,
        deliveries=deliveries,
        sources=sources,
        readiness=consumer,
        metrics=metrics,
        config=options.config,
        clock=now_ms,
    )
    gc.freeze()  # what is there now stays: looked through no more while thousands of sockets come back
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(consumer.run(stop))
            tasks.create_task(hub.run(stop))
            tasks.create_task(serve(app, address, stop))
    finally:
        await command_log.close()


if __name__ == "__main__":
    sys.exit(run("api", main))
