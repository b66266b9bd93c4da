"""A stock Faust app that counts the events of each queue in a table: what its two contestants share.

Faust as its guide shows it: memory store, its own topics and changelog, every setting as it comes,
but no web server, and a session that can be shortened.
"""

import argparse
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import faust
import msgspec

from schemas.config import KafkaConfig
from schemas.topics import EVENTS

TABLE = "counts"


class _Event(msgspec.Struct):
    """No more of an event than is counted."""

    site: str
    queue: str = ""


class _Progress:
    """Ends the process after so many events or seconds, and says how far it came. 0: never."""

    def __init__(self, events: int, seconds: float) -> None:
        self._events, self._seconds = events, seconds
        self._done, self._first = 0, 0.0

    def step(self) -> None:
        now = time.time()
        self._first = self._first or now
        self._done += 1
        if self._done == self._events or (self._seconds and now - self._first >= self._seconds):
            told = {"events": self._done, "first_ms": self._first * 1000, "last_ms": now * 1000}
            print(json.dumps(told), flush=True)
            os._exit(0)


def run(make_table: Callable[[faust.App], Any]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("name", help="of the app, its group and its topics")
    parser.add_argument("data")
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--session", type=float, default=60.0)
    given = parser.parse_args()
    app = faust.App(
        given.name,
        broker=f"kafka://{given.bootstrap}",
        datadir=given.data,
        topic_partitions=KafkaConfig().partitions,
        broker_session_timeout=given.session,
        broker_heartbeat_interval=min(3.0, given.session / 3),
        web_enabled=False,
        autodiscover=False,
    )
    topic = app.topic(
        EVENTS.name, key_type=bytes, key_serializer="raw", value_type=bytes, value_serializer="raw"
    )
    table = make_table(app)
    decode = msgspec.json.Decoder(_Event).decode
    progress = _Progress(given.events, given.seconds)

    async def count(stream: AsyncIterator[bytes]) -> None:
        async for value in stream:
            event = decode(value)
            table[f"{event.site}/{event.queue}"] += 1
            progress.step()

    app.agent(topic, name="count")(count)
    worker = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
    worker.spinner = None  # it would write into what we tell
    worker.execute_from_commandline()
