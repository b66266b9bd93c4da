"""Builds ingest and runs it: `python -m services.ingest [--config FILE] [--data DIR] [--kafka HOST:PORT]`."""

import asyncio
import logging
import os
import socket
import sys
from functools import partial

from prometheus_client import CollectorRegistry, disable_created_metrics

from schemas.sources import SourceStatus
from services.ingest import heartbeats, past, sources, statuses
from services.ingest.admission import Admission
from services.ingest.credentials import pseudonym_key, signers, source_secrets
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.ingest.posted import Posted
from services.ingest.pseudonym import Pseudonyms
from services.ingest.publisher import Publisher
from services.ingest.report import Report
from services.ingest.tools import Tools
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
    secrets = source_secrets(config.sources, os.environ)
    pseudonyms = Pseudonyms(pseudonym_key(options.data, os.environ))
    # The publisher tells, once, that Kafka is away and back; aiokafka would at every attempt.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types
    metrics = Metrics(CollectorRegistry(), sources=[source.id for source in config.sources])
    loop = asyncio.get_running_loop()
    metrics.tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    publisher = Publisher(options.kafka, metrics=metrics)
    signing = signers(config.sources, secrets)
    door = Door(
        pseudonyms=pseudonyms,
        admission=Admission(frozenset(site.id for site in config.sites)),
        signing=frozenset(signer.source for signer in signing),
    )
    tools = {
        source.id: Tools(
            put=publisher.put,
            send=publisher.send,
            pseudonyms=pseudonyms,
            report=Report(source, metrics=metrics, clock=now_ms, is_webhook=sources.runner(source) is None),
            stop=stop,
            secret=secrets[source.id].now,
            previous_secret=secrets[source.id].previous,
            past=partial(
                past.read,
                kafka=options.kafka,
                site=source.site,
                sources=[peer.id for peer in sources.peers(source, adapted)],
                clock=now_ms,
            ),
            folder=options.data / "sources",
            kafka=options.kafka,
            peers=sources.peer_kinds(source, adapted),
        )
        for source in adapted
    }
    posted = Posted(config, clock=now_ms)
    hooks = {source.id: sources.hook(source, tools[source.id]) for source in adapted}
    app = create_app(
        publisher=publisher,
        door=door,
        metrics=metrics,
        clock=now_ms,
        keys=keyring(config.auth),
        address=config.http.ingest,
        signers=signing,
        posted=posted,
        webhooks={
            id_: hook.endpoint(publisher=publisher, metrics=metrics)
            for id_, hook in hooks.items()
            if hook is not None
        },
    )
    instance = f"{socket.gethostname()}/{config.http.ingest}"

    def stand() -> list[SourceStatus]:
        return [*(each.report.status(instance) for each in tools.values()), *posted.statuses(instance)]

    async with asyncio.TaskGroup() as outer:
        outer.create_task(publisher.run())
        beating = outer.create_task(heartbeats.run(publisher, clock=now_ms))
        telling = outer.create_task(statuses.run(stand, publisher))
        async with asyncio.TaskGroup() as inner:
            inner.create_task(serve(app, config.http.ingest, stop))
            for source in adapted:
                inner.create_task(sources.run(source, tools[source.id], hook=hooks[source.id]))
        beating.cancel()
        telling.cancel()
        await statuses.tell(stand, publisher)
        # Only now: what the sources and the last requests handed over still has to be written.
        await publisher.close(CLOSE_S)


if __name__ == "__main__":
    sys.exit(run("ingest", main))
