"""Whether a picture made again is the picture: the verdict of a reproduction. It blocks: use a thread."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from PIL import Image, ImageChops, ImageStat

from spoonkernel.errors import PayloadTooLarge
from spoonkernel.media.pictures import MAX_PIXELS_OF_ALL_FRAMES, bands, eight_bit, frames_of, is_opaque, opened

Verdict = Literal["IDENTICAL", "CLOSE", "DIFFERENT"]

CLOSE_LEVELS = 2
"""The largest difference of any channel of any pixel, of 255, that is CLOSE by itself.

Another GPU, driver or attention kernel adds in another order; where that stays small, a value lands on the other side
of a rounding to 8 bits, which is one level, or two where a filter follows. Nobody sees it.
"""

CLOSE_PSNR_DB = 40.0
"""The peak signal-to-noise ratio from which a picture is CLOSE: a root mean square error of 2.55 levels.

Lossy encoders are said to lie between 30 and 50 dB at 8 bits (https://en.wikipedia.org/wiki/PSNR); at 40 dB their
pictures are commonly taken for the original. Another seed or prompt gives 5 to 20 dB.
"""


@dataclass(frozen=True, slots=True)
class PictureComparison:
    """How far one picture is from another.

    Attributes:
        max_difference: the largest difference of any channel of any pixel, 0 to 255; None where sizes differ.
        psnr_db: over red, green and blue, and alpha where a picture has one; None where it is infinite (no difference)
            and where sizes differ.
        same_file: the bytes are the same, metadata included.
        same_pixels: every decoded frame is the same.
        reason: a sentence for people.
    """

    verdict: Verdict
    max_difference: int | None
    psnr_db: float | None
    same_file: bool
    same_pixels: bool
    reason: str


def compare_pictures(first: bytes, second: bytes) -> PictureComparison:
    """Compare two pictures, all frames of animations.

    IDENTICAL: every pixel is equal (file bytes may differ: they hold metadata). CLOSE: as large, and either no channel
    is further off than `CLOSE_LEVELS` or the whole is at `CLOSE_PSNR_DB` or above. DIFFERENT: anything else.

    Raises:
        PayloadTooLarge: more pixels than are decoded (`MAX_PIXELS`, `MAX_PIXELS_OF_ALL_FRAMES`).
        ValidationFailed: one of them is no picture or cannot be decoded.
    """
    if first == second:
        return PictureComparison("IDENTICAL", 0, None, True, True, "The files are the same, byte for byte")
    with opened(first) as one, opened(second) as other:
        if one.size != other.size:
            sizes = f"{one.width}x{one.height} and {other.width}x{other.height} px"
            return _unlike(f"The sizes differ: {sizes}")
        counts = getattr(one, "n_frames", 1), getattr(other, "n_frames", 1)
        if counts[0] != counts[1]:
            return _unlike(f"The numbers of frames differ: {counts[0]} and {counts[1]}")
        if counts[0] * one.width * one.height > MAX_PIXELS_OF_ALL_FRAMES:
            raise PayloadTooLarge(f"Animations of {counts[0]} frames of this size are too long to be compared")
        return _judge(one, other)


@dataclass(slots=True)
class _Sum:
    """What the frames compared so far add up to."""

    equal: bool = True
    largest: int = 0
    squares: float = 0.0
    values: int = 0


def _judge(one: Image.Image, other: Image.Image) -> PictureComparison:
    total = _Sum()
    for number, (left, right) in enumerate(_pairs(one, other)):
        if left is None or right is None or left.size != right.size:
            return _unlike(f"Frame {number + 1} of the animations has another size")
        _add(total, left, right)
    if total.equal:
        return PictureComparison("IDENTICAL", 0, None, False, True, "Every pixel is the same; only metadata differs")
    psnr_db = _psnr_db(total)
    facts = f"largest difference {total.largest} of 255, " + (f"{psnr_db:.1f} dB" if psnr_db else "below 8 bits")
    if total.largest <= CLOSE_LEVELS or psnr_db is None or psnr_db >= CLOSE_PSNR_DB:
        return PictureComparison("CLOSE", total.largest, psnr_db, False, False, f"The same to the eye: {facts}")
    return PictureComparison("DIFFERENT", total.largest, psnr_db, False, False, f"Another picture: {facts}")


def _pairs(one: Image.Image, other: Image.Image) -> Iterator[tuple[Image.Image | None, Image.Image | None]]:
    return zip_longest(frames_of(one), frames_of(other))


def _add(total: _Sum, left: Image.Image, right: Image.Image) -> None:
    opaque = is_opaque(eight_bit(left)) and is_opaque(eight_bit(right))
    for one, other in zip(bands(left), bands(right), strict=True):
        _add_band(total, one, other, opaque=opaque)


def _add_band(total: _Sum, left: Image.Image, right: Image.Image, *, opaque: bool) -> None:
    if left.mode == right.mode and left.tobytes() == right.tobytes():
        total.values += left.width * left.height * (3 if opaque else 4)
        return
    total.equal = False
    one, other = eight_bit(left), eight_bit(right)
    if opaque:
        one, other = one.convert("RGB"), other.convert("RGB")
    stat = ImageStat.Stat(ImageChops.difference(one, other))
    total.largest = max(total.largest, *(int(high) for _, high in stat.extrema))
    total.squares += sum(stat.sum2)
    total.values += one.width * one.height * len(one.getbands())


def _psnr_db(total: _Sum) -> float | None:
    if total.squares == 0:
        return None
    return round(10 * math.log10(255**2 / (total.squares / total.values)), 2)


def _unlike(reason: str) -> PictureComparison:
    return PictureComparison("DIFFERENT", None, None, False, False, reason)
