"""The counts in the last line of the workbench view: pictures of the session, and chats."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from spoonkernel.errors import SpoonError
from spoonkernel.types.events import GenerationCompleted
from spoonkernel.types.generations import Output, TileOutput
from spoonkernel.types.sessions import Session
from spoonwidgets._base import Workbench, log

MOST_CHATS = 100
"""What a list of conversations is capped at; more are shown as "100 or more"."""
AGAIN_S = 2.0
"""How long to wait before a server that went away is listened to again."""


class Ledger:
    """On the workbench's loop. `changed` is called when `row()` says something new."""

    def __init__(self, workbench: Workbench, changed: Callable[[], None]) -> None:
        self._workbench, self._changed = workbench, changed
        self._session: Session | None = None
        self._images: dict[str, int] | None = None
        """Generation -> how many pictures it made."""
        self._chats: int | None = None
        self._following: Future[None] | None = None

    def row(self) -> dict[str, Any]:
        """None is unknown."""
        images = None if self._images is None else sum(self._images.values())
        return {"images": images, "chats": self._chats, "most_chats": MOST_CHATS}

    def follow(self) -> None:
        """Count, and go on counting."""
        if self._following is None:
            self._following = self._workbench.start(self._follow())

    def turn_to(self, session: Session) -> None:
        """Count the pictures of this session."""
        if self._session is None or self._session.id != session.id:
            self._session, self._images = session, None
            self.close()
            self.follow()

    def close(self) -> None:
        """Stop counting. Any thread."""
        if self._following is not None:
            self._following.cancel()
        self._following = None

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(SpoonError):  # a server that is away: its counts stay as they were
                async with self._workbench.inner.events() as stream:
                    await self._count()
                    async for event in stream:
                        await self._hear(event)
            await asyncio.sleep(AGAIN_S)

    async def _hear(self, event: Any) -> None:
        if isinstance(event, GenerationCompleted) and self._session and event.session_id == self._session.id:
            self._images = (self._images or {}) | {event.generation_id: _images(event.outputs)}
            self._changed()
        elif event.kind.startswith("conversation:"):
            await self._count_chats()

    async def _count(self) -> None:
        inner = self._workbench.inner
        if self._session is not None:
            tiles = await inner.generations.index(session_id=self._session.id, status="complete")
            self._images = {tile.id: _images(tile.outputs) for tile in tiles}
        await self._count_chats()

    async def _count_chats(self) -> None:
        try:
            self._chats = len(await self._workbench.inner.conversations.list(limit=MOST_CHATS))
        except SpoonError as error:
            log.info("The conversations could not be counted: %s", error)
        self._changed()


def _images(outputs: Iterable[Output | TileOutput]) -> int:
    return sum(output.kind == "image" for output in outputs)
