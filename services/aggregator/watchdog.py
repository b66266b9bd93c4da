"""Notices a worker that stands still without an error, and says so by raising.

aiokafka can stop fetching, or never rejoin, in silence (its issues 847, 1037, 1154). Only the log
itself proves it: events wait there and none comes, look after look. Silence of the sources proves
nothing and ends nothing.
"""

import asyncio
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from services.aggregator.assignment import Assignment
from services.aggregator.holdings import Holdings

_LOOK_EVERY_S = 5.0
_LOOKS = 6
"""Looks in a row without progress: 30 s. Counted, not timed, so that a process that was frozen is not
ended for the time it slept."""


class Stuck(Unavailable):
    """Nothing moves although there is work."""


class Watchdog:
    def __init__(
        self,
        *,
        consumer: AIOKafkaConsumer,
        holdings: Holdings,
        assignment: Assignment,
        joining_patience_s: float,
    ) -> None:
        self._consumer = consumer
        self._holdings = holdings
        self._assignment = assignment
        self._joining_looks = max(1, int(joining_patience_s / _LOOK_EVERY_S))
        self._seen: dict[int, tuple[int, int]] = {}
        self._not_joined = 0

    async def run(self) -> None:
        """Looks for ever; raises `Stuck`."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        self._not_joined = 0 if self._assignment.is_joined else self._not_joined + 1
        if self._not_joined > self._joining_looks:
            waited = round(time.monotonic() - self._assignment.since)
            raise Stuck(f"no assignment from the group for {waited} s")
        self._compare(await self._ends())

    def _compare(self, ends: dict[int, int]) -> None:
        """A partition counts as waiting while its log has more and `applied` stays where it was."""
        waiting: dict[int, tuple[int, int]] = {}
        for number, end in ends.items():
            holding = self._holdings.held.get(number)
            if holding is None or end <= holding.partition.applied + 1:
                continue
            applied, looks = self._seen.get(number, (-2, 0))
            looks = looks + 1 if applied == holding.partition.applied else 1
            if looks > _LOOKS:
                raise Stuck(f"partition {number}: the log ends at {end}, nothing folded after {applied}")
            waiting[number] = (holding.partition.applied, looks)
        self._seen = waiting

    async def _ends(self) -> dict[int, int]:
        tps = [each.topic_partition for each in self._holdings.held.values()]
        if not tps:
            return {}
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                ends = await self._consumer.end_offsets(tps)
        except (KafkaError, TimeoutError):  # the broker is away: that is the flush's matter
            return {}
        return {tp.partition: end for tp, end in ends.items()}
