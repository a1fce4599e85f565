"""Waiting that an interrupt of the kernel ends at once."""

import asyncio
import concurrent.futures
from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
TICK_S = 0.1  # ipykernel only notices an interrupt when its loop wakes up (ipykernel issue 881)


async def ticking(future: "concurrent.futures.Future[T]") -> T:
    """What `future` holds, once it is done. Cancelling this cancels the future, where it can be."""
    waiter = asyncio.wrap_future(future)
    try:
        while not waiter.done():
            await asyncio.wait({waiter}, timeout=TICK_S)
        return waiter.result()
    except asyncio.CancelledError:
        waiter.cancel()  # forgets this loop, which may be closed when the work ends
        future.cancel()
        raise


class Call(Generic[T]):
    """Work that is under way. Await it, or take `result()`; interrupting either stops the work itself."""

    def __init__(self, future: "concurrent.futures.Future[T]", what: str) -> None:
        self._future, self._what = future, what

    def __await__(self) -> Generator[Any, None, T]:
        return ticking(self._future).__await__()

    def result(self, timeout: float | None = None) -> T:
        """Block until it is done. `timeout` in seconds; the work goes on when it runs out."""
        try:
            return self._future.result(timeout)
        except KeyboardInterrupt:
            self._future.cancel()
            raise

    def cancel(self) -> bool:
        """Stop the work. False when it had ended already."""
        return self._future.cancel()

    def done(self) -> bool:
        return self._future.done()

    def __repr__(self) -> str:
        state = "done" if self.done() else "running"
        return f"<{self._what}: {state}; await it for its answer>"
