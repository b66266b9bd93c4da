"""`python -m services.notifier`: builds the notifier and runs its tasks until it is told to stop."""

import asyncio
import logging
import os
import sys

from prometheus_client import CollectorRegistry, disable_created_metrics

from services.notifier.channels import Channels, read_secrets
from services.notifier.egress import Guard
from services.notifier.email import Mailer
from services.notifier.metrics import Metrics, OutboxCollector
from services.notifier.pages import Headers, create_pages
from services.notifier.session import Sessions
from services.notifier.webhook import Webhook
from services.runtime.clock import now_ms
from services.runtime.keys import Denied, bearer, keyring, refuse_scrape
from services.runtime.options import Options
from services.runtime.process import run, serve


async def main(options: Options, stop: asyncio.Event) -> None:
    """Tells people until `stop`. Raises `Misconfigured` before anything is opened."""
    config = options.config
    secrets = read_secrets(config, os.environ)
    # A session tells, once, that Kafka is away and back; aiokafka would at every attempt.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types
    metrics = Metrics(CollectorRegistry())
    keys = keyring(config.auth)

    def refuse(headers: Headers) -> Denied | None:
        denied = refuse_scrape(keys, bearer(headers), address=config.http.notifier, headers=headers)
        if denied is not None:
            metrics.refused(denied.reason)
        return denied

    mailer = Mailer(config.smtp, password=secrets.smtp) if config.smtp is not None else None
    async with Webhook(Guard(config.egress.allow), clock=now_ms) as webhook:
        sender = Channels(config, keys=secrets.keys, webhook=webhook, mailer=mailer)
        sessions = Sessions(
            options.kafka, config, slot=options.slot, sender=sender, metrics=metrics, clock=now_ms
        )
        metrics.registry.register(OutboxCollector(lambda: sessions.outbox, now_ms))
        pages = create_pages(metrics.registry, sessions, refuse=refuse)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sessions.run(stop))
            tasks.create_task(serve(pages, config.http.notifier, stop))


if __name__ == "__main__":
    sys.exit(run("notifier", main))
