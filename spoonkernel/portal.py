"""The workbench on its own event loop in its own thread: what a notebook holds.

In a notebook the kernel's loop stands still while a cell computes; work on a loop of its own goes on (in a busy cell of
3 s a widget got 20 of 20 updates, on the kernel's loop 0). Every method of a room here starts its work on that loop at
once and returns a `Call` (or, for streams, an async iterator); both can be awaited on any loop.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import inspect
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Generic, Protocol, Self, TypeVar

from spoonkernel.api import (
    ROOMS,
    ChatAPI,
    ComfyUIAPI,
    GenerationsAPI,
    HealthAPI,
    ModelsAPI,
    ProfilesAPI,
    ResultsAPI,
    SessionsAPI,
    SettingsAPI,
    TasksAPI,
    WorkbenchAPI,
    WorkflowsAPI,
    endpoints,
)
from spoonkernel.errors import BadRequest
from spoonkernel.types.events import AnyEvent

T = TypeVar("T")
R = TypeVar("R")
TICK_S = 0.1  # ipykernel only notices an interrupt when its loop wakes up (ipykernel issue 881)
OPEN_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 30.0


class Call(Generic[T]):
    """Work that is under way. Await it, or take `result()`; interrupting either stops the work itself."""

    def __init__(self, future: "concurrent.futures.Future[T]", what: str) -> None:
        self._future, self._what = future, what

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        waiter = asyncio.wrap_future(self._future)
        try:
            while not waiter.done():
                await asyncio.wait({waiter}, timeout=TICK_S)
            return waiter.result()
        except asyncio.CancelledError:
            self._future.cancel()
            raise

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


class Stream(Generic[T]):
    """An async iterator whose source runs on the portal's loop. Closing it, or leaving it, stops the source.

    `async with` opens the source at once (an event stream then misses nothing); without it the first piece does.
    """

    def __init__(self, portal: "Portal", source: "_Source[T]", what: str) -> None:
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


class _Source(Generic[T]):
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


class OpenWorkbench(WorkbenchAPI, Protocol):
    """A workbench on its own loop, embedded or remote."""

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[AnyEvent]]: ...


class PortalWorkbench:
    """What `spoonkernel.open()` returns: the rooms of `WorkbenchAPI`, whose methods run on the workbench's own loop."""

    health: HealthAPI
    models: ModelsAPI
    settings: SettingsAPI
    profiles: ProfilesAPI
    chat: ChatAPI
    tasks: TasksAPI
    results: ResultsAPI
    comfyui: ComfyUIAPI
    sessions: SessionsAPI
    workflows: WorkflowsAPI
    generations: GenerationsAPI

    def __init__(self, opening: AbstractAsyncContextManager[OpenWorkbench]) -> None:
        """Opens the workbench, blocking until it is ready: about 0.1 s embedded, 0.5 s on the very first start."""
        self._portal = Portal()
        try:
            self.inner = self._portal.start(opening.__aenter__()).result(OPEN_TIMEOUT_S)
        except BaseException:
            self._portal.stop()
            raise
        for name, api in ROOMS.items():
            setattr(self, name, _room(self._portal, name, api, getattr(self.inner, name)))
        self._closing = weakref.finalize(self, _shut, self._portal, opening)

    def start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Run a coroutine on the workbench's loop, from any thread. It may use `inner`, the plain workbench."""
        return self._portal.start(work)

    def events(self) -> Stream[AnyEvent]:
        """What happens to tasks, as it happens: `async with wb.events() as events: async for event in events`."""
        return Stream(self._portal, _Source(self.inner.events()), "events")

    def close(self) -> None:
        """Stop what runs and close everything. Tasks that run go back to the queue of the store."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Spoon workbench {'open' if self._closing.alive else 'closed'}: {', '.join(ROOMS)}>"


class _Room:
    """One room as a notebook sees it; its methods keep the Protocol's names, signatures and docstrings."""

    def __init__(self, name: str, doc: str | None) -> None:
        self._name = name
        self.__doc__ = doc

    def __repr__(self) -> str:
        methods = ", ".join(name for name in vars(self) if not name.startswith("_"))
        return f"<Spoon {self._name}: {methods}>"


def _room(portal: Portal, name: str, api: type, room: object) -> Any:
    proxy = _Room(name, api.__doc__)
    for method in endpoints(api):
        setattr(proxy, method, _method(portal, f"{name}.{method}", vars(api)[method], getattr(room, method)))
    return proxy


def _method(portal: Portal, what: str, declared: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if inspect.iscoroutinefunction(declared):
            return Call(portal.start(real(*args, **kwargs)), what)
        return Stream(portal, _Source(aclosing(real(*args, **kwargs))), what)

    functools.update_wrapper(call, declared)
    call.__signature__ = _without_self(declared)  # type: ignore[attr-defined]  # read by inspect and by tab completion
    return call


def _without_self(method: Callable[..., Any]) -> inspect.Signature:
    signature = inspect.signature(method)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _shut(portal: Portal, opened: AbstractAsyncContextManager[OpenWorkbench]) -> None:
    try:
        portal.start(opened.__aexit__(None, None, None)).result(CLOSE_TIMEOUT_S)
    finally:
        portal.stop()


async def _cancel_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
