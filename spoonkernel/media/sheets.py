"""Contact sheets: many small pictures on one, for where no gallery can be shown."""

import io
from collections.abc import Sequence

from PIL import Image, ImageOps

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media.pictures import eight_bit, frames_of, opened

Picture = Image.Image
"""What `decoded` returns, by a name for those that do not load Pillow."""

GAP_PX = 6
PAPER = (255, 255, 255)
QUALITIES = (82, 74, 64, 52, 40, 28)


def decoded(content: bytes) -> Picture:
    """The first frame of a stored picture, RGBA or its own deeper mode. Raises as `pictures.read_picture` does."""
    with opened(content) as image:
        return next(frames_of(image))


def contact_sheet(pictures: Sequence[bytes], *, columns: int, tile_px: int, max_bytes: int) -> bytes:
    """A JPEG of the pictures, cut to squares, row by row. One that cannot be decoded leaves its square grey.

    The quality falls until `max_bytes` hold it. Raises `ValidationFailed` where there is no picture, and
    `PayloadTooLarge` where even the lowest quality takes more.
    """
    if not pictures:
        raise ValidationFailed("A contact sheet takes one picture at least")
    rows = -(-len(pictures) // columns)
    step = tile_px + GAP_PX
    sheet = Image.new("RGB", (min(columns, len(pictures)) * step - GAP_PX, rows * step - GAP_PX), PAPER)
    for place, content in enumerate(pictures):
        at = (place % columns * step, place // columns * step)
        sheet.paste(_square(content, tile_px), at)
    for quality in QUALITIES:
        file = io.BytesIO()
        sheet.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= max_bytes:
            return file.getvalue()
    raise PayloadTooLarge(f"{len(pictures)} pictures of {tile_px} px do not fit into {max_bytes} bytes")


def _square(content: bytes, side_px: int) -> Image.Image:
    paper = Image.new("RGBA", (side_px, side_px), (228, 228, 226, 255))
    try:
        small = ImageOps.fit(eight_bit(decoded(content)), (side_px, side_px))
    except (ValidationFailed, PayloadTooLarge):
        return paper.convert("RGB")
    paper.alpha_composite(small)
    return paper.convert("RGB")
