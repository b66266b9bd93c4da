"""The recorded Asterisk and the composed frames of this folder, as bytes, and what it said of itself."""

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CAPTURE = HERE / "asterisk-live" / "run1.ami.gz"
QUEUE_LOG = HERE / "asterisk-live" / "run1.queue_log"
RING_ALL_AND_TIMEOUT = HERE / "asterisk-ami" / "09_composed_login_members_ringall_timeout.ami.txt"
EVERY_LINE = HERE / "asterisk-queue-log" / "07_composed_every_event_asterisk22.txt"
COMPLETE_WITHOUT_CHANNEL = HERE / "asterisk-ami" / "10_agentcomplete_without_channel_22.10.1.ami.txt"

WRAP_UP_S = {"support": 3.0, "sales": 2.0}
"""As queues.conf beside the capture says."""

THRESHOLD_S = 20.0
OFFERED = {"support": 122, "sales": 62}
"""From the SOURCE.md beside the capture; QueueParams has the other counters."""

TRUNCATED_ANSWERED = {
    ("1795321444.325", "support"),  # after 20.015 s
    ("1795321685.609", "support"),  # after 20.020 s
    ("1795321641.563", "sales"),  # after 20.022 s
}
TRUNCATED_ABANDONED = {("1795321231.83", "support")}  # after 20.521 s
TRUNCATED = TRUNCATED_ANSWERED | TRUNCATED_ABANDONED
"""All waits that Asterisk, which compares whole seconds, takes to be within 20 s and we do not:
(caller's channel, queue)."""


@dataclass(frozen=True)
class Counters:
    """What Asterisk counted of one queue; it counts a time-out as abandoned. Shares in percent.

    `service_level`: answered within T of answered; `service_level_2`: answered or abandoned within T
    of both.
    """

    answered: int
    abandoned: int
    service_level: float
    service_level_2: float


@cache
def capture() -> bytes:
    """Every byte that Asterisk sent to one manager in 11 minutes."""
    return gzip.decompress(CAPTURE.read_bytes())


@cache
def own_counters() -> dict[str, Counters]:
    """What Asterisk said of each queue at the end of the run."""
    return {
        row["Queue"]: Counters(
            answered=int(row["Completed"]),
            abandoned=int(row["Abandoned"]),
            service_level=float(row["ServicelevelPerf"]),
            service_level_2=float(row["ServicelevelPerf2"]),
        )
        for row in _last_status("QueueParams")
    }


@cache
def own_members() -> dict[str, dict[str, str]]:
    """What Asterisk said of each member at the end of the run: the headers of its row, by name."""
    return {row["Name"]: row for row in _last_status("QueueMember")}


def _last_status(event: str) -> list[dict[str, str]]:
    """The rows of the QueueStatus answer that ends the run, read by the plainest means."""
    rows = []
    for block in capture().decode("utf-8", "replace").split("\r\n\r\n"):
        if "\r\nActionID: end" in block:
            headers = dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)
            rows += [headers] if headers.get("Event") == event else []
    return rows
