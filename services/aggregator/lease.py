"""May this worker still write? Known from the group itself, not from our own clock alone.

A commit carries our membership; the coordinator takes it only from a member of the current
generation, and gives that member another whole session from then on. So for a session after the
instant at which an accepted commit was *sent*, nobody else can own our partitions. A process that
was frozen finds its lease run out and asks before it writes. The rest (frozen between asking and
writing) is caught by `state_log`.
"""

import asyncio
import time
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.errors import Unavailable, VigieError

_SHARE = 0.8
"""Of the session, so that what is under way when the lease ends still lands inside the session."""


class LeaseLost(VigieError):
    """The group has given our partitions to somebody else, or is about to."""


class Lease:
    def __init__(self, consumer: AIOKafkaConsumer, *, session_s: float, patience_s: float) -> None:
        self._consumer = consumer
        self._lasts_s = session_s * _SHARE
        self._patience_s = patience_s
        self._until = 0.0

    def holds(self) -> bool:
        # not loop.time(): a loop that was frozen still shows the instant before
        return time.monotonic() < self._until

    def give_up(self) -> None:
        """After a rebalance: ask again before writing."""
        self._until = 0.0

    async def renew(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commits `offsets` and so proves our membership. Raises `LeaseLost`, or `Unavailable`."""
        sent = time.monotonic()
        try:
            async with asyncio.timeout(self._patience_s):
                await self._consumer.commit(dict(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            raise LeaseLost(str(error)) from error
        except TimeoutError as error:
            raise Unavailable(f"the group did not answer for {self._patience_s:g} s") from error
        self._until = sent + self._lasts_s
