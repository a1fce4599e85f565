"""The bus inside one process: every listener has its own bounded buffer."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, Self, TypeVar

from spoonkernel.bus import Hint
from spoonkernel.types.events import Event

T = TypeVar("T")
BUFFER = 1_000  # events a listener may lag behind: some seconds of a busy server, a megabyte or so


class _Listener(Generic[T]):
    """One subscription. `push` never waits: a full buffer drops its oldest event."""

    def __init__(self, buffer: int) -> None:
        self._waiting: deque[T] = deque(maxlen=buffer)
        self._awake = asyncio.Event()
        self._closed = False

    def push(self, item: T) -> None:
        self._waiting.append(item)
        self._awake.set()

    def close(self) -> None:
        self._closed = True
        self._awake.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._awake.clear()
            await self._awake.wait()
        return self._waiting.popleft()


class _Channel(Generic[T]):
    """The listeners of one kind of thing."""

    def __init__(self, buffer: int) -> None:
        self._buffer = buffer
        self._listeners: list[_Listener[T]] = []

    def __len__(self) -> int:
        return len(self._listeners)

    def push(self, item: T) -> None:
        for listener in self._listeners:
            listener.push(item)

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()

    @contextmanager
    def listen(self) -> Iterator[AsyncIterator[T]]:
        listener = _Listener[T](self._buffer)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)


class MemoryBus:
    """Delivers within this process. All its users live on one event loop."""

    def __init__(self, buffer: int = BUFFER) -> None:
        self._events = _Channel[Event](buffer)
        self._hints = _Channel[Hint](buffer)
        self._seq = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._events.close()
        self._hints.close()

    @property
    def connected(self) -> bool:
        return True

    @property
    def listeners(self) -> int:
        return len(self._events)

    async def publish(self, event: Event) -> None:
        self._seq += 1
        self._events.push(event.model_copy(update={"seq": self._seq}))

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[Event]]:
        with self._events.listen() as events:
            yield events

    async def hint(self, hint: Hint) -> None:
        self._hints.push(hint)

    @asynccontextmanager
    async def hints(self) -> AsyncIterator[AsyncIterator[Hint]]:
        with self._hints.listen() as hints:
            yield hints
