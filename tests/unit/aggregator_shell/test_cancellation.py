"""Who cancelled decides whether it is an end or a failure."""

import asyncio

import pytest

from schemas.errors import Unavailable
from services.aggregator.cancellation import unless_cancelled_within


async def _waits_for_a_cancelled_future() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def test_cancellation_from_within_is_a_failure() -> None:
    with pytest.raises(Unavailable):
        await unless_cancelled_within(_waits_for_a_cancelled_future())


async def test_cancellation_that_was_asked_for_stays_one() -> None:
    task = asyncio.create_task(unless_cancelled_within(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_result_passes_through() -> None:
    assert await unless_cancelled_within(asyncio.sleep(0, "done")) == "done"
