import asyncio
from collections.abc import AsyncIterator

import pytest

from spoonkernel.providers.patience import Patience


async def items(*waits: asyncio.Event | None) -> AsyncIterator[int]:
    for number, wait in enumerate(waits):
        if wait:
            await wait.wait()
        yield number


def soon(seconds: float = 0.02) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_items_come_and_end_in_time():
    patience, source = Patience(), items(None, None)
    assert [await patience.next(source, soon(5)) for _ in range(3)] == [0, 1, None]
    patience.close()


async def test_wait_that_is_too_long_is_a_timeout_and_leaves_the_task_alone():
    patience, source = Patience(), items(None, asyncio.Event())
    assert await patience.next(source, soon(5)) == 0
    with pytest.raises(TimeoutError):
        await patience.next(source, soon())
    assert asyncio.current_task().cancelling() == 0
    patience.close()


async def test_old_timer_does_not_strike_a_later_wait():
    patience, late = Patience(), asyncio.Event()
    source = items(None, late)
    assert await patience.next(source, soon(0.02)) == 0
    asyncio.get_running_loop().call_later(0.06, late.set)
    assert await patience.next(source, soon(5)) == 1
    patience.close()


async def test_cancel_from_outside_stays_a_cancel():
    patience, waiting = Patience(), asyncio.Event()

    async def wait():
        waiting.set()
        await patience.next(items(asyncio.Event()), soon(5))

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()


async def test_timer_does_not_strike_between_waits():
    patience = Patience()
    source = items(None, None)
    await patience.next(source, soon(0.01))
    handled = asyncio.Event()  # a reader that is slower with an item than the wait for it could be
    asyncio.get_running_loop().call_later(0.03, handled.set)
    await handled.wait()
    assert await patience.next(source, soon(5)) == 1
    patience.close()
