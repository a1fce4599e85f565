"""Thumbnails of the folder's pictures: made once there is time, or when one is asked for. No file waits for its own.

A picture is stored and named first. Its thumbnail can always be made from it, so nothing is lost with a process that
dies before it has.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media.parts import read_file, write_whole

THUMB = ".thumb.webp"
QUIET_S = 0.5  # without new files for so long, there is time
MOST_DUE = 10_000  # names that are kept; pictures beyond them get theirs when it is asked for
UNMADE = (OSError, ValidationFailed, PayloadTooLarge)
"""What making one raises: there is no such picture, or it cannot be decoded."""
_ENDINGS = ("png", "jpg", "webp", "gif")  # of what has one


def thumb_of(name: str) -> str:
    """The name of a file's thumbnail."""
    return name.partition(".")[0] + THUMB


class Thumbnails:
    """Those of one folder. `decoding` limits how many pictures are decoded at once."""

    def __init__(self, folder: Path, decoding: asyncio.Semaphore) -> None:
        self._folder, self._decoding = folder, decoding
        self._due: deque[str] = deque(maxlen=MOST_DUE)
        self._busy_at = 0.0

    def touch(self) -> None:
        """A file arrives: this is no time for thumbnails."""
        self._busy_at = time.monotonic()

    def add(self, name: str) -> None:
        """Have a thumbnail of this name made soon."""
        self._due.append(name)

    async def make_due(self) -> None:
        """Make those that are due, one after the other, until there are none or files arrive."""
        while self._due and time.monotonic() - self._busy_at >= QUIET_S:
            name = self._due.popleft()
            if not (self._folder / name).exists():
                with suppress(*UNMADE):  # its picture was deleted
                    await self.make(name)

    async def make(self, name: str) -> bytes:
        """Make one, keep it and return it. Raises one of `UNMADE`."""
        async with self._decoding:
            return await asyncio.to_thread(_make, self._folder, name)


def _make(folder: Path, name: str) -> bytes:
    from spoonkernel.media.pictures import thumbnail_of  # Pillow is loaded with the first picture that is looked into

    path = _picture(folder, name)
    thumbnail = thumbnail_of(read_file(path))
    with suppress(OSError):  # somebody else is writing it, or there is no room: it can be shown all the same
        write_whole(folder, name, thumbnail, lasts=False)
        if not path.exists():  # deleted meanwhile
            (folder / name).unlink(missing_ok=True)
    return thumbnail


def _picture(folder: Path, name: str) -> Path:
    paths = [folder / f"{name.removesuffix(THUMB)}.{ending}" for ending in _ENDINGS]
    return next((path for path in paths if path.exists()), paths[0])
