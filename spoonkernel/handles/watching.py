"""Following a row to its end. The row is the truth; events only say when to look and what lies between two looks."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from spoonkernel.errors import BadRequest, ProviderConnectionError, RateLimited, SpoonError, StoreUnavailable
from spoonkernel.handles.opened import OpenWorkbench
from spoonkernel.types.events import AnyEvent

T = TypeVar("T")

LOOK_S = 2.0
"""Events can be missed: so often a row is read without one."""
DEAF_LOOK_S = 0.5
"""The same where no events can be heard at all."""
PATIENCE_S = 60.0
"""How long a store or a server may be away before a handle gives up waiting for it; what it runs goes on."""

log = logging.getLogger(__name__)


class Watch:
    """Hears the workbench's events, each given to `heard`, which says whether the row is worth reading now."""

    def __init__(self, workbench: OpenWorkbench, heard: Callable[[AnyEvent], bool]) -> None:
        self._workbench, self._heard = workbench, heard
        self._news = asyncio.Event()
        self._look_s = DEAF_LOOK_S

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Inside the block events are heard. Where there is no way to hear any, rows are read more often."""
        async with contextlib.AsyncExitStack() as opened:
            try:
                events = await opened.enter_async_context(self._workbench.events())
            except (BadRequest, ProviderConnectionError) as error:
                log.info("No events of the workbench: %s", error)
                yield
                return
            self._look_s = LOOK_S
            listener = asyncio.create_task(self._listen(events))
            try:
                yield
            finally:
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)

    async def until(self, read: Callable[[], Awaitable[T]], ended: Callable[[T], bool]) -> T:
        """Read a row, again and again, until it has ended; returns it.

        Raises:
            SpoonError: what reading raises; of a store or server that is away only after `PATIENCE_S`.
        """
        loop = asyncio.get_running_loop()
        last_answer = loop.time()
        while True:
            self._news.clear()
            try:
                row = await read()
            except (StoreUnavailable, ProviderConnectionError, RateLimited) as error:
                if loop.time() - last_answer > PATIENCE_S:
                    raise
                await self._pause(error)
                continue
            last_answer = loop.time()
            if ended(row):
                return row
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._news.wait()

    async def _pause(self, error: SpoonError) -> None:
        log.warning("Waiting for the workbench: %s", error)
        await asyncio.sleep(error.retry_after_s or LOOK_S)

    async def _listen(self, events: AsyncIterator[AnyEvent]) -> None:
        async for event in events:
            if self._heard(event):
                self._news.set()
