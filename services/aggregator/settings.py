"""How one aggregator process is told to work: values, read once in `__main__`.

The durations of the group are those measured in docs (session 10 s, heartbeat 3 s, rebalance 30 s):
a killed worker is back in its slot at once, a frozen one loses its partitions after the session.
"""

from dataclasses import dataclass
from pathlib import Path

from services.runtime.kafka import Kafka
from services.runtime.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`slot` tells the workers of `group` apart and is the same after a restart.

    kafka              where Kafka is, and as whom we speak with it
    address            host:port of /metrics and /health
    data               folder for what Faust wants to have one for
    session_s          without a sign of life for so long, the group gives our partitions away
    max_records        most records folded between two flushes: what a contact, an agent or a queue goes
                       through in one of them is told and stored once; below what `flush_bytes` lets in
    pace_s             least time between two folds while events trickle in
    flush_bytes        a flush is made early at about this size, so that it fits one batch
    patience_s         how long the broker may stay away before the process ends
    joining_patience_s how long we may be without an assignment before the process ends
    """

    kafka: Kafka
    address: str
    data: Path
    group: str = "vigie-aggregator"
    slot: int = 0
    session_s: float = 10.0
    heartbeat_s: float = 3.0
    rebalance_s: float = 30.0
    max_records: int = 3500
    pace_s: float = 0.02
    flush_bytes: int = 4 * 1024 * 1024
    patience_s: float = 30.0
    joining_patience_s: float = 90.0

    @property
    def member(self) -> str:
        """The static member name in the group: the same slot is the same member."""
        return f"{self.group}-{self.slot}"


def read(options: Options) -> Settings:
    """The settings that follow from the command line and the file."""
    return Settings(
        kafka=options.kafka,
        address=options.config.http.aggregator,
        data=options.data / "aggregator",
        slot=options.slot,
    )
