"""The recorded Asterisk and the composed frames of this folder, as bytes."""

import gzip
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CAPTURE = HERE / "asterisk-live" / "run1.ami.gz"
QUEUE_LOG = HERE / "asterisk-live" / "run1.queue_log"
RING_ALL_AND_TIMEOUT = HERE / "asterisk-ami" / "09_composed_login_members_ringall_timeout.ami.txt"
COMPLETE_WITHOUT_CHANNEL = HERE / "asterisk-ami" / "10_agentcomplete_without_channel_22.10.1.ami.txt"

WRAP_UP_S = {"support": 3.0, "sales": 2.0}
"""As queues.conf beside the capture says."""


@cache
def capture() -> bytes:
    """Every byte that Asterisk sent to one manager in 11 minutes."""
    return gzip.decompress(CAPTURE.read_bytes())
