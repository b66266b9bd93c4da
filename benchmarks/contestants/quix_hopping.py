"""Quix Streams: one count per key (site) in a hopping window of 5 minutes by 10 s, its changelog on.

Runs in an environment of its own, so it imports nothing of Vigie. A count per queue would cost it a
second topic (`group_by`): it is spared that.
"""

import argparse
import json
import os
import time
from datetime import timedelta
from typing import Any

from quixstreams import Application

parser = argparse.ArgumentParser()
parser.add_argument("bootstrap")
parser.add_argument("name", help="of the consumer group")
parser.add_argument("data")
parser.add_argument("--events", type=int, required=True)
parser.add_argument("--seconds", type=float, required=True)
given = parser.parse_args()
done, first = 0, 0.0


def step(topic: str, partition: int, offset: int) -> None:
    """Ends the process after so many events or seconds, and says how far it came."""
    global done, first
    now = time.time()
    first = first or now
    done += 1
    if done == given.events or now - first >= given.seconds:
        print(json.dumps({"events": done, "first_ms": first * 1000, "last_ms": now * 1000}), flush=True)
        os._exit(0)


def received_ms(value: Any, headers: Any, timestamp: float, timestamp_type: Any) -> int:
    found: int = value["received_ms"]
    return found


if __name__ == "__main__":
    app = Application(
        broker_address=given.bootstrap,
        consumer_group=given.name,
        auto_offset_reset="earliest",
        state_dir=given.data,
        on_message_processed=step,
        loglevel="WARNING",
    )
    events = app.topic("vigie.events", value_deserializer="json", timestamp_extractor=received_ms)
    counted = app.dataframe(events).hopping_window(timedelta(minutes=5), timedelta(seconds=10)).count()
    counted.current()
    app.run()
