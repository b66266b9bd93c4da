"""Builds ingest and runs it: `python -m services.ingest [--config FILE] [--data DIR] [--kafka HOST:PORT]`."""

import asyncio
import logging
import os
import sys
from functools import partial

from prometheus_client import CollectorRegistry, disable_created_metrics

from services.ingest import heartbeats, past, sources
from services.ingest.admission import Admission
from services.ingest.credentials import pseudonym_key, source_secrets
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Publisher
from services.runtime.clock import now_ms
from services.runtime.keys import keyring
from services.runtime.options import Options
from services.runtime.process import run, serve

CLOSE_S = 1.5
"""How long the buffer may take to reach the log once we are told to stop: with the web server's 2 s and
the session's end, less than the process may take."""


async def main(options: Options, stop: asyncio.Event) -> None:
    """Runs until `stop`. Raises `Misconfigured` before anything is opened."""
    config = options.config
    adapted = sources.adapted(config.sources)
    secrets = source_secrets(adapted, os.environ)
    pseudonyms = Pseudonyms(pseudonym_key(options.data, os.environ))
    # The publisher tells, once, that Kafka is away and back; aiokafka would at every attempt.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types
    metrics = Metrics(CollectorRegistry(), sources=[source.id for source in config.sources])
    publisher = Publisher(options.kafka, metrics=metrics)
    door = Door(pseudonyms=pseudonyms, admission=Admission(frozenset(site.id for site in config.sites)))
    app = create_app(
        publisher=publisher,
        door=door,
        metrics=metrics,
        clock=now_ms,
        keys=keyring(config.auth),
        address=config.http.ingest,
    )

    async with asyncio.TaskGroup() as outer:
        outer.create_task(publisher.run())
        beating = outer.create_task(heartbeats.run(publisher, clock=now_ms))
        async with asyncio.TaskGroup() as inner:
            inner.create_task(serve(app, config.http.ingest, stop))
            for source in adapted:
                inner.create_task(
                    sources.run(
                        source,
                        put=publisher.put,
                        secret=secrets[source.id],
                        pseudonyms=pseudonyms,
                        metrics=metrics,
                        stop=stop,
                        past=partial(
                            past.read,
                            kafka=options.kafka,
                            site=source.site,
                            sources=sources.peers(source, adapted),
                            clock=now_ms,
                        ),
                    )
                )
        beating.cancel()
        # Only now: what the sources and the last requests handed over still has to be written.
        await publisher.close(CLOSE_S)


if __name__ == "__main__":
    sys.exit(run("ingest", main))
