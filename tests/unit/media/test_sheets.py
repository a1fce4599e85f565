"""Contact sheets: every picture a square, within the size that a notebook can bear."""

import io

import pytest
from PIL import Image

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media.sheets import GAP_PX, contact_sheet, decoded


def picture(colour, size=(64, 48), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def noise(side):
    file = io.BytesIO()
    Image.effect_noise((side, side), 100).save(file, "PNG")
    return file.getvalue()


def test_pictures_lie_row_by_row_as_squares():
    sheet = Image.open(
        io.BytesIO(
            contact_sheet([picture("red"), picture("lime"), picture("blue")], columns=2, tile_px=40, max_bytes=100_000)
        )
    )
    assert sheet.format == "JPEG"
    assert sheet.size == (80 + GAP_PX, 80 + GAP_PX)
    corners = [sheet.getpixel(at) for at in ((20, 20), (40 + GAP_PX + 20, 20), (20, 40 + GAP_PX + 20))]
    assert [max(range(3), key=lambda band: colour[band]) for colour in corners] == [0, 1, 2]
    assert min(sheet.getpixel((70, 70))) > 240  # no fourth one: paper


def test_a_broken_picture_leaves_its_square_grey():
    sheet = Image.open(
        io.BytesIO(contact_sheet([b"nothing", picture("red")], columns=2, tile_px=40, max_bytes=100_000))
    )
    grey = sheet.getpixel((20, 20))
    assert max(grey) - min(grey) < 8
    assert sheet.getpixel((66, 20))[0] > 200


def test_quality_falls_until_it_fits_and_then_it_is_an_error():
    pictures = [noise(112)] * 8
    large = contact_sheet(pictures, columns=4, tile_px=112, max_bytes=10**6)
    small = contact_sheet(pictures, columns=4, tile_px=112, max_bytes=len(large) * 2 // 3)
    assert len(small) <= len(large) * 2 // 3
    with pytest.raises(PayloadTooLarge, match="8 pictures of 112 px do not fit into 1000 bytes"):
        contact_sheet(pictures, columns=4, tile_px=112, max_bytes=1_000)
    with pytest.raises(ValidationFailed):
        contact_sheet([], columns=4, tile_px=112, max_bytes=1_000)


def test_decoded_is_the_first_frame():
    image = decoded(picture("red", (5, 4), "WEBP"))
    assert (image.mode, image.size) == ("RGBA", (5, 4))
    assert image.getpixel((2, 2))[0] > 200
