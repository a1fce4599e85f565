"""A gallery's pictures on their way to the page: thumbnails in batches, originals in pieces."""

import asyncio
from typing import Protocol, cast

from spoonkernel.errors import SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.base import Media

PIECE_BYTES = 4_000_000
"""A message above about 10 MB ends the kernel's websocket."""
SIDE_BY_SIDE = 8
PATIENCE_S = 0.1
"""So long a batch waits for its slowest thumbnail; what is not there then is asked for again."""
KEPT_S = 20.0
"""An original is kept for its next piece; so long after the last one."""


class MediaRoom(Protocol):
    async def open(self, name: str) -> Media: ...


class _WithMedia(Protocol):
    @property
    def media(self) -> MediaRoom: ...


class Files:
    """Reads media of the workbench, embedded or remote alike."""

    def __init__(self, inner: OpenWorkbench) -> None:
        self._media = cast(_WithMedia, inner).media
        self._reading = asyncio.Semaphore(SIDE_BY_SIDE)
        self._thumbs: dict[str, asyncio.Task[bytes | None]] = {}
        self._originals: dict[str, Media] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, path: str) -> Media:
        async with self._reading:
            return await self._media.open(path)

    async def thumbs(self, paths: list[str], *, one: bool = True) -> dict[str, bytes | None]:
        """Those that are there soon, by path; None for one that cannot be read. The rest goes on being read.

        With `one` it waits until there is one at least.
        """
        for path in paths:
            if path not in self._thumbs:
                self._thumbs[path] = asyncio.create_task(self.read(path))
        tasks = {path: self._thumbs[path] for path in paths}
        done, _ = await asyncio.wait(tasks.values(), timeout=PATIENCE_S)
        if one and not done:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        there = {path: task for path, task in tasks.items() if task.done()}
        for path in there:
            self._thumbs.pop(path, None)  # another view may have waited for it, too
        return {path: task.result() for path, task in there.items()}

    async def read(self, path: str) -> bytes | None:
        """A file, or None where it cannot be read."""
        try:
            return (await self.open(path)).content
        except SpoonError:
            return None

    async def piece(self, path: str, offset: int) -> tuple[Media, bytes]:
        """A file's type and name, and its bytes from `offset`, `PIECE_BYTES` at most."""
        media = self._originals.get(path) or await self.open(path)
        if len(media.content) > PIECE_BYTES:
            self._keep(path, media)
        return media, media.content[offset : offset + PIECE_BYTES]

    def _keep(self, path: str, media: Media) -> None:
        self._originals = {path: media}
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._originals.clear)

    def close(self) -> None:
        for task in self._thumbs.values():
            task.cancel()
        if self._timer:
            self._timer.cancel()
