"""A cancellation that nobody asked for is a failure.

aiokafka cancels its own tasks when a connection breaks, and whoever waits for one of them sees a
CancelledError. asyncio and Faust take that for an ordinary end: the loop would be gone in silence.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from schemas.errors import Unavailable

_T = TypeVar("_T")


async def unless_cancelled_within(work: Awaitable[_T]) -> _T:
    """The result of `work`; `Unavailable` when it ends cancelled although this task was not."""
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("a wait inside the Kafka client was cancelled") from error
