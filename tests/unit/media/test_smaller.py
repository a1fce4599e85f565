"""Pictures on their way to a model: small ones as they are, large ones smaller, upright and on white."""

import io

import pytest
from PIL import Image

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media import smaller
from spoonkernel.media.smaller import LONGEST_PX, MOST_BYTES, fit_for_models


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def fitted(content: bytes) -> Image.Image:
    sent, content_type = fit_for_models(content)
    assert content_type == "image/jpeg"
    assert len(sent) <= MOST_BYTES
    return Image.open(io.BytesIO(sent))


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "gif"])
def test_a_small_picture_stays_as_it_is(form: str) -> None:
    content = encoded(Image.new("RGB", (LONGEST_PX, 10), "red"), form)
    assert fit_for_models(content) == (content, f"image/{form}")


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "gif"])
def test_a_picture_with_too_many_pixels_is_scaled_down_and_keeps_its_shape(form: str) -> None:
    picture = fitted(encoded(Image.new("RGB", (3 * LONGEST_PX, LONGEST_PX), "red"), form))
    assert abs(picture.width - LONGEST_PX) <= 1
    assert abs(picture.height - LONGEST_PX / 3) <= 1
    red, green, blue = picture.getpixel((100, 100))
    assert red > 240
    assert max(green, blue) < 15


def test_a_picture_of_too_many_bytes_keeps_its_size() -> None:
    noise = Image.effect_noise((LONGEST_PX, 1_500), 120).convert("RGB")
    assert fitted(encoded(noise, "png", compress_level=0)).size == (LONGEST_PX, 1_500)


def test_the_quality_falls_until_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = encoded(Image.effect_noise((600, 600), 200).convert("RGB"), "png")
    monkeypatch.setattr(smaller, "MOST_BYTES", 250_000)
    assert len(fit_for_models(noise)[0]) <= 250_000


def test_what_is_see_through_lies_on_white() -> None:
    clear = Image.new("RGBA", (LONGEST_PX + 1, 8), (0, 0, 0, 0))
    assert min(fitted(encoded(clear, "png")).getpixel((5, 5))) > 250


def test_a_photograph_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it as it was taken
    photo = encoded(Image.new("RGB", (2 * LONGEST_PX, LONGEST_PX), "blue"), "jpeg", exif=exif)
    assert fitted(photo).size == (LONGEST_PX // 2, LONGEST_PX)


def test_what_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        fit_for_models(encoded(Image.effect_noise((3_000, 2_000), 50), "png")[:10_000])
    with pytest.raises(PayloadTooLarge):
        fit_for_models(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x9c\x40\0\0\x9c\x40\x08\x02\0\0\0")
