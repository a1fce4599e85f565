from typing import Protocol

from spoonkernel.types.base import Media


class MediaAPI(Protocol):
    """The files that Spoon keeps: what rows name in `content` and `thumbnail`. Served below `/storage/media/`.

    No room: a workbench, embedded or remote, has it as `media`.
    """

    async def open(self, name: str) -> Media:
        """A file by its name, or by the path in a row (`/storage/media/NAME`), thumbnails included.

        Raises:
            NotFound: there is no such file.
        """
        ...
