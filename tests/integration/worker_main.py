"""A worker process under test: the real shell around the counting partition.

`python worker_main.py BOOTSTRAP DATA --slot N [--session S] [--port P]`
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from schemas.config import Config, QueueConfig
from services.aggregator.process import run
from services.aggregator.settings import Settings
from services.runtime import log as logs
from tests.doubles.counting_partition import CountingPartition

WAIT_LIMIT_S = 2.0
"""Of the queue `alerts` of site `main`; the others do not alert during a test."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("data", type=Path)
    parser.add_argument("--slot", type=int, default=0)
    parser.add_argument("--session", type=float, default=10.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--padding", type=int, default=0)
    parser.add_argument("--patience", type=float, default=30.0)
    given = parser.parse_args()
    logs.set_up("aggregator")
    settings = Settings(
        kafka=given.bootstrap,
        address=f"127.0.0.1:{given.port}",
        data=given.data,
        slot=given.slot,
        session_s=given.session,
        heartbeat_s=min(3.0, given.session / 4),
        patience_s=given.patience,
    )
    config = Config(queues=[QueueConfig(id="alerts", site="main", wait_limit_s=WAIT_LIMIT_S)])
    return run(settings, config, partial(CountingPartition, padding=given.padding))


if __name__ == "__main__":
    sys.exit(main())
