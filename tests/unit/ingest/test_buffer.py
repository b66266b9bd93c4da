"""The buffer of sources: in order, bounded, never dropped."""

import asyncio

from services.ingest.buffer import Buffer


async def test_items_come_out_in_order_and_stay_until_removed() -> None:
    buffer: Buffer[int] = Buffer(10, on_size=lambda size: None)
    await buffer.put([1, 2, 3])
    assert await buffer.first(2) == [1, 2]
    assert await buffer.first(9) == [1, 2, 3]
    await buffer.remove(2)
    assert await buffer.first(9) == [3]


async def test_who_puts_waits_while_it_is_full_and_nothing_is_lost() -> None:
    sizes: list[float] = []
    buffer: Buffer[int] = Buffer(4, on_size=sizes.append)
    putting = asyncio.create_task(buffer.put(range(25)))
    seen: list[int] = []
    while len(seen) < 25:
        items = await buffer.first(3)
        assert len(buffer) <= 4
        assert not putting.done() or len(seen) + len(buffer) == 25
        seen += items
        await buffer.remove(len(items))
    await putting
    assert seen == list(range(25))
    assert max(sizes) == 4
    await buffer.emptied()


async def test_cancelled_put_leaves_the_buffer_whole() -> None:
    buffer: Buffer[int] = Buffer(2, on_size=lambda size: None)
    putting = asyncio.create_task(buffer.put([1, 2, 3]))
    await asyncio.sleep(0)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    await buffer.remove(2)
    await buffer.put([4])
    assert await buffer.first(9) == [4]
