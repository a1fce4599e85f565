"""Pictures are decoded inside limits, and what is said about them does not depend on their file."""

import hashlib
import io
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media import pictures as decoding
from spoonkernel.media.comparison import compare_pictures
from spoonkernel.media.pictures import MAX_PIXELS, THUMBNAIL_PX, read_picture, thumbnail_of


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("GIF", {})])
def test_a_thumbnail_is_a_webp_of_256_px(pictures, form, options):
    content = pictures.encode(pictures.noise(600, 300), form, **options)
    facts, thumbnail = read_picture(content), Image.open(io.BytesIO(thumbnail_of(content)))
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (THUMBNAIL_PX, THUMBNAIL_PX // 2))
    assert (facts.width, facts.height, facts.frames, facts.duration_s) == (600, 300, 1, None)


def test_a_small_picture_is_not_blown_up_and_stays_transparent(pictures):
    glass = Image.new("RGBA", (20, 10), (255, 0, 0, 0))
    thumbnail = Image.open(io.BytesIO(thumbnail_of(pictures.encode(glass))))
    assert (thumbnail.size, thumbnail.mode) == ((20, 10), "RGBA")
    assert thumbnail.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("form", ["WEBP", "GIF", "PNG"])
def test_an_animation_shows_its_first_frame_and_hashes_them_all(pictures, form):
    lossless = {"lossless": True} if form == "WEBP" else {}
    content = pictures.animated(form, 3, **lossless)
    facts = read_picture(content)
    first = Image.open(io.BytesIO(thumbnail_of(content))).convert("RGB").getpixel((5, 5))
    assert max(abs(a - b) for a, b in zip(first, (0, 90, 20), strict=True)) < 12
    assert (facts.frames, facts.duration_s) == (3, pytest.approx(0.6))
    assert facts.pixel_sha256 != read_picture(pictures.animated(form, 2, **lossless)).pixel_sha256


def test_the_pixel_hash_is_of_rgba_and_of_nothing_else_in_the_file(pictures):
    image = pictures.noise()
    rgba = image.convert("RGBA")
    expected = hashlib.sha256(b"RGBA 40x30\n" + rgba.tobytes()).hexdigest()
    files = [
        pictures.encode(image),
        pictures.encode(image, compress_level=1, dpi=(300, 300)),
        pictures.encode(rgba),
        pictures.encode(image, "WEBP", lossless=True),
    ]
    assert {read_picture(file).pixel_sha256 for file in files} == {expected}
    image.putpixel((3, 3), (1, 2, 3))
    assert read_picture(pictures.encode(image)).pixel_sha256 != expected


def test_the_same_bytes_in_another_shape_have_another_hash(pictures):
    wide, high = Image.new("RGB", (20, 10)), Image.new("RGB", (10, 20))
    assert read_picture(pictures.encode(wide)).pixel_sha256 != read_picture(pictures.encode(high)).pixel_sha256


def test_sixteen_bits_count_in_the_hash_and_are_scaled_for_the_thumbnail(pictures):
    def depth(value):
        return pictures.encode(Image.new("I;16", (30, 30), value))

    assert read_picture(depth(32_768)).pixel_sha256 != read_picture(depth(32_769)).pixel_sha256
    grey = Image.open(io.BytesIO(thumbnail_of(depth(32_768)))).convert("L").getpixel((9, 9))
    assert abs(grey - 128) <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_is_read(pictures, mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert read_picture(pictures.encode(Image.new(mode, (30, 20)), form)).pixel_sha256


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_a_turned_photograph_gets_a_thumbnail_that_stands_upright(pictures, form, number):
    image = Image.new("RGB", (40, 20), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = number
    content = pictures.encode(image, form, exif=exif)
    found = Image.open(io.BytesIO(thumbnail_of(content))).convert("L")
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("L")
    assert found.size == expected.size
    assert ImageStat.Stat(ImageChops.difference(found, expected)).mean[0] < 4


def test_hostile_exif_is_not_looked_at_to_decode_a_picture(pictures):
    plain = pictures.encode(pictures.noise(), "JPEG")
    block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x31\x01\x02\0" + b"\xff\xff\xff\x7f" * 2
    hostile = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    assert read_picture(hostile) == read_picture(plain)


def test_a_bomb_is_refused_by_its_header(pictures):
    with pytest.raises(PayloadTooLarge, match=f"65000x65000 px: more than {MAX_PIXELS:,}"):
        read_picture(pictures.bomb())


def test_a_gif_whose_frame_is_larger_than_its_screen_is_refused(pictures):
    gif = bytearray(pictures.encode(Image.new("P", (40, 30)), "GIF"))
    at = gif.index(b",\0\0\0\0\x28\0\x1e\0")  # the frame's own place and size
    gif[at + 5 : at + 9] = struct.pack("<HH", 65_000, 65_000)
    with pytest.raises((PayloadTooLarge, ValidationFailed)):
        read_picture(bytes(gif))


def test_a_jpeg_with_a_second_header_is_not_trusted(pictures):
    jpeg = pictures.encode(pictures.noise(), "JPEG")
    huge = b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 65_000, 65_000) + b"\3\1\x22\0\2\x11\1\3\x11\1"
    scan = jpeg.index(b"\xff\xda")
    with pytest.raises((PayloadTooLarge, ValidationFailed)):
        read_picture(jpeg[:scan] + huge + jpeg[scan:])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_that_is_cut_off_is_refused(pictures, form):
    content = pictures.encode(pictures.noise(200, 200), form)
    for length in (len(content) // 2, 40, 14):
        with pytest.raises(ValidationFailed):
            read_picture(content[:length])


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"fLaC\0\0\0\x22", b"\x89PNG\r\n\x1a\n", b"BM" + b"\0" * 60])
def test_what_is_no_picture_of_ours_is_refused(content):
    with pytest.raises(ValidationFailed):
        read_picture(content)


def test_other_formats_under_our_signatures_do_not_reach_their_decoders(pictures):
    tiff = pictures.encode(pictures.noise(), "TIFF")
    with pytest.raises(ValidationFailed, match=r"cannot be decoded|no size|cut off"):
        read_picture(b"\xff\xd8\xff" + tiff)


def test_texts_and_profiles_of_a_png_are_not_unpacked_to_decode_it(pictures):
    text = pictures.chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"a" * 90_000_000))
    plain = pictures.png()
    assert read_picture(pictures.with_chunk(text)) == read_picture(plain)
    profile = pictures.chunk(b"iCCP", b"p\0\0broken")
    assert read_picture(pictures.with_chunk(profile)) == read_picture(plain)


def test_a_png_of_endless_chunks_is_refused(pictures):
    with pytest.raises(ValidationFailed, match="more than 100000 chunks"):
        read_picture(pictures.with_chunk(pictures.chunk(b"tEXt", b"") * 100_001))


def test_a_picture_is_worked_on_in_bands_with_the_same_outcome(pictures, monkeypatch):
    first, second = pictures.noise(50, 37), pictures.noise(50, 37)
    files = pictures.encode(first), pictures.encode(second.convert("RGBA"))
    whole = read_picture(files[0]), compare_pictures(*files)
    monkeypatch.setattr(decoding, "BAND_PIXELS", 120)
    assert (read_picture(files[0]), compare_pictures(*files)) == whole
