"""What a saved notebook keeps of a gallery: one contact sheet, small enough for a repository."""

import asyncio
import base64
from functools import partial

from spoonwidgets._gallery_files import Files
from spoonwidgets._gallery_rows import Catalogue
from spoonwidgets._snapshot import saved_note

MAX_BYTES = 195_000
COLUMNS, TILE_PX, MOST = 8, 112, 40


class Sheet:
    """The newest pictures on one JPEG, as they were when it was last made."""

    def __init__(self, catalogue: Catalogue, files: Files) -> None:
        self._catalogue, self._files = catalogue, files
        self._jpeg, self._shown = b"", 0

    async def make(self) -> None:
        """Read the thumbnails and put them together, in a thread. Rejected pictures are left out."""
        from spoonkernel.media.sheets import contact_sheet

        outputs = (output for entry in self._catalogue.newest_first() for output in entry.about.outputs)
        paths = [output.thumbnail for output in outputs if output.thumbnail and output.rating != 0][:MOST]
        pictures = [picture for path in paths if (picture := await self._files.read(path))]
        self._shown = len(pictures)
        make = partial(contact_sheet, pictures, columns=COLUMNS, tile_px=TILE_PX, max_bytes=MAX_BYTES)
        self._jpeg = await asyncio.to_thread(make) if pictures else b""

    def saved(self, name: str) -> tuple[str, str]:
        """HTML and text. `name` is the gallery in one line."""
        count = count_of(self._catalogue)
        if not self._jpeg:
            return saved_note(f"{count.capitalize()}. Run the cell to see the gallery."), name
        shown = f"{self._shown} of {count}"
        source = f"data:image/jpeg;base64,{base64.b64encode(self._jpeg).decode()}"
        note = saved_note(f"{shown}. Run the cell to browse all of them.")
        return f'{note}<p><img src="{source}" alt="{shown}" style="max-width:100%"></p>', f"{name} ({shown} kept)"


def count_of(catalogue: Catalogue) -> str:
    count = catalogue.pictures()
    return "no images yet" if not count else "1 image" if count == 1 else f"{count} images"
