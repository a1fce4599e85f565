"""The verdict of a reproduction."""

import io
import math
import time

import pytest
from PIL import Image

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media.comparison import CLOSE_LEVELS, compare_pictures


@pytest.fixture
def image(pictures):
    return pictures.noise(128, 128, 30)


def shifted(image, levels):
    return image.point(lambda value: value + levels if value <= 255 - levels else value - levels)


def test_the_same_file_is_identical(pictures, image):
    content = pictures.encode(image)
    found = compare_pictures(content, content)
    assert (found.verdict, found.max_difference, found.psnr_db) == ("IDENTICAL", 0, None)
    assert found.same_file
    assert found.same_pixels


def test_the_same_pixels_in_another_file_are_identical(pictures, image):
    found = compare_pictures(pictures.encode(image), pictures.encode(image.convert("RGBA"), "WEBP", lossless=True))
    assert (found.verdict, found.max_difference, found.psnr_db) == ("IDENTICAL", 0, None)
    assert (found.same_file, found.same_pixels) == (False, True)


@pytest.mark.parametrize(("levels", "verdict"), [(1, "CLOSE"), (CLOSE_LEVELS, "CLOSE"), (4, "DIFFERENT")])
def test_a_difference_everywhere_is_judged_by_its_levels(pictures, image, levels, verdict):
    found = compare_pictures(pictures.encode(image), pictures.encode(shifted(image, levels)))
    assert (found.verdict, found.max_difference, found.same_pixels) == (verdict, levels, False)
    assert found.psnr_db == pytest.approx(20 * math.log10(255 / levels), abs=0.01)


def test_one_wild_pixel_is_close_by_its_noise(pictures, image):
    other = image.copy()
    other.putpixel((5, 5), tuple(255 if value < 128 else 0 for value in image.getpixel((5, 5))))
    found = compare_pictures(pictures.encode(image), pictures.encode(other))
    assert found.verdict == "CLOSE"
    assert found.max_difference > 100
    assert found.psnr_db >= 40


def test_another_picture_is_different_both_ways(pictures, image):
    one, other = pictures.encode(image), pictures.encode(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    found = compare_pictures(one, other)
    assert (found.verdict, found) == ("DIFFERENT", compare_pictures(other, one))
    assert found.psnr_db < 40


def test_a_difference_in_transparency_alone_is_seen(pictures, image):
    glass = image.convert("RGBA")
    glass.putalpha(100)
    found = compare_pictures(pictures.encode(image), pictures.encode(glass))
    assert (found.verdict, found.max_difference) == ("DIFFERENT", 155)


def test_another_size_is_different_and_says_so(pictures, image):
    found = compare_pictures(pictures.encode(image), pictures.encode(image.resize((32, 128))))
    assert (found.verdict, found.max_difference, found.psnr_db) == ("DIFFERENT", None, None)
    assert found.reason == "The sizes differ: 128x128 and 32x128 px"


def test_animations_are_compared_frame_by_frame(pictures):
    frames = [Image.new("RGB", (20, 20), (number * 40, 0, 0)) for number in range(3)]
    last = [*frames[:2], Image.new("RGB", (20, 20), (81, 0, 0))]

    def webp(images):
        out = io.BytesIO()
        images[0].save(out, "WEBP", save_all=True, append_images=images[1:], lossless=True, duration=100)
        return out.getvalue()

    assert compare_pictures(webp(frames), webp(last)).max_difference == 1
    assert compare_pictures(webp(frames), webp(frames[:2])).reason == "The numbers of frames differ: 3 and 2"


def test_a_difference_below_eight_bits_is_close(pictures):
    one, other = (pictures.encode(Image.new("I;16", (9, 9), value)) for value in (25_600, 25_601))
    found = compare_pictures(one, other)
    assert (found.verdict, found.max_difference, found.psnr_db, found.same_pixels) == ("CLOSE", 0, None, False)


def test_what_cannot_be_decoded_is_an_error_and_no_verdict(pictures, image):
    good = pictures.encode(image)
    with pytest.raises(ValidationFailed, match="cut off"):
        compare_pictures(good, good[:-20])
    with pytest.raises(PayloadTooLarge):
        compare_pictures(good, pictures.bomb())


def test_a_picture_of_1024_px_is_compared_quickly(pictures):
    one = pictures.noise(1024, 1024)
    first, second = pictures.encode(one, compress_level=1), pictures.encode(shifted(one, 1), compress_level=1)
    compare_pictures(first, second)
    times = []
    for _ in range(5):
        began = time.process_time()
        compare_pictures(first, second)
        times.append(time.process_time() - began)
    assert min(times) < 0.5  # 0.09 s on two quiet cores
