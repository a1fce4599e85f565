"""A thread with an event loop of its own, and streams whose source runs there."""

import asyncio
import concurrent.futures
import contextlib
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Self, TypeVar

from spoonkernel.errors import BadRequest
from spoonkernel.handles.call import Call

T = TypeVar("T")
R = TypeVar("R")
CLOSE_TIMEOUT_S = 30.0


class Stream(Generic[T]):
    """An async iterator whose source runs on the portal's loop. Closing it, or leaving it, stops the source.

    `async with` opens the source at once (an event stream then misses nothing); without it the first piece does.
    """

    def __init__(self, portal: "Portal", source: "Source[T]", what: str) -> None:
        self._portal, self._source, self._what = portal, source, what
        # a `break` in a notebook cell leaves a stream that nobody closes: its source stops when it is forgotten
        weakref.finalize(self, portal.post, source.close)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._call(self._source.next())
        except asyncio.CancelledError:
            self._portal.post(self._source.close)
            raise

    async def aclose(self) -> None:
        await self._call(self._source.close())

    async def __aenter__(self) -> Self:
        await self._call(self._source.open())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _call(self, work: Coroutine[Any, Any, R]) -> Call[R]:
        return Call(self._portal.start(work), self._what)

    def __repr__(self) -> str:
        return f"<{self._what}: read it with `async for`>"


class Source(Generic[T]):
    """The half of a `Stream` that lives on the portal's loop: one piece at a time, opened once, closed once."""

    def __init__(self, context: AbstractAsyncContextManager[AsyncIterator[T]]) -> None:
        self._context, self._closed = context, False
        self._lock = asyncio.Lock()
        self._iterator: AsyncIterator[T] | None = None

    async def open(self) -> None:
        async with self._lock:
            await self._opened()

    async def next(self) -> T:
        async with self._lock:
            return await anext(await self._opened())

    async def close(self) -> None:
        async with self._lock:
            if self._iterator is not None and not self._closed:
                await self._context.__aexit__(None, None, None)
            self._closed = True

    async def _opened(self) -> AsyncIterator[T]:
        if self._closed:
            raise StopAsyncIteration
        if self._iterator is None:
            self._iterator = await self._context.__aenter__()
        return self._iterator


class Portal:
    """A thread with an event loop. `start` runs a coroutine there, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="spoon-portal", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Raises `BadRequest` when the workbench is closed."""
        if self._loop.is_closed() or not self._thread.is_alive():
            work.close()
            raise BadRequest("This workbench is closed: open another with spoonkernel.open()")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def post(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start `work` if the loop still runs, and do not wait: for cleaning up."""
        if self._thread.is_alive() and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(work(), self._loop)

    def stop(self) -> None:
        """End the loop once what it has left is cancelled. Must not be called on the loop itself."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(_cancel_rest(), self._loop).result(CLOSE_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
