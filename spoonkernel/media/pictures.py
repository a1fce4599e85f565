"""Pictures decoded with Pillow, inside limits: thumbnails and the hash of their pixels. All of it blocks: use a thread.

Only the formats of the media folder are opened, each by the decoder its signature asks for; the size is read from the
header before anything is decoded, and PNG and JPEG are handed over without their texts, profiles and EXIF.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps, ImageSequence

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media import jpeg, png
from spoonkernel.media.kinds import kind_of, size_px
from spoonkernel.media.metadata.exif import orientation
from spoonkernel.media.metadata.texts import webp_exif_block

MAX_PIXELS = 89_000_000
"""Of one frame, which takes up to a gigabyte of memory. Just under where Pillow itself warns (89,478,485)."""

MAX_PIXELS_OF_ALL_FRAMES = 1_000_000_000
"""About ten seconds of work on one core; a longer animation is kept, without the hash of its pixels."""

THUMBNAIL_PX = 256
"""The longest side of a thumbnail."""

THUMBNAIL_QUALITY = 80
BAND_PIXELS = 4_000_000  # 16 MB at a time
_FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP"}
_PLAIN = {"png": png.only_drawn, "jpg": jpeg.only_drawn}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's number of the orientation (EXIF 2.32, 4.6.4 A)."""

_UNREADABLE = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError),
    *(struct.error, zlib.error, MemoryError, UserWarning),  # the last where warnings are made errors
)
"""What Pillow's decoders raise for bytes that are broken or hostile."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture's pixels say.

    Attributes:
        frames: 1 for a still picture.
        duration_s: of an animation, once through; None for a still picture.
        pixel_sha256: see `hash_frames`; None where `MAX_PIXELS_OF_ALL_FRAMES` does not reach.
    """

    width: int
    height: int
    frames: int
    duration_s: float | None
    pixel_sha256: str | None


def read_picture(content: bytes) -> PictureFacts:
    """Decode a picture once and say what is in it.

    Raises:
        PayloadTooLarge: more than `MAX_PIXELS` in a frame.
        ValidationFailed: not one of png, jpeg, webp, gif, or its pixels cannot be decoded.
    """
    with opened(content) as image:
        frames = getattr(image, "n_frames", 1)
        width, height = image.size
        hashed = duration_ms = None
        if frames * width * height <= MAX_PIXELS_OF_ALL_FRAMES:
            hashed, duration_ms = hash_frames(image)
        else:
            next(frames_of(image))  # whether it is broken
    duration_s = duration_ms / 1000 if duration_ms and frames > 1 else None
    return PictureFacts(width, height, frames, duration_s, hashed)


def thumbnail_of(content: bytes) -> bytes:
    """The first frame as WebP, at most `THUMBNAIL_PX` wide and high. Raises as `read_picture` does."""
    with opened(content) as image:
        return _thumbnail(next(frames_of(image)), _turn(content, image.format))


def first_frame(content: bytes, longest_px: int) -> Image.Image:
    """The first frame upright, in RGBA, scaled down where it is larger. Raises as `read_picture` does."""
    with opened(content) as image:
        factor = longest_px / max(image.size)
        if factor < 1:  # only a JPEG can be decoded smaller than it is, which takes a quarter of the time
            image.draft(None, (round(image.width * factor), round(image.height * factor)))
        frame, turn = eight_bit(next(frames_of(image))), _turn(content, image.format)
        if max(frame.size) > longest_px:
            frame = ImageOps.contain(frame, (longest_px, longest_px))
        return frame if turn is None else frame.transpose(turn)


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """A picture ready to be decoded; what goes wrong inside the block is our error. See `read_picture` for those."""
    kind = kind_of(content)
    if kind is None or kind.extension not in _FORMATS:
        raise ValidationFailed("The file is no picture: png, jpeg, webp and gif are")
    _check_size(size_px(content))  # before Pillow opens it: its WebP decoder takes memory for the whole canvas at once
    plain = _PLAIN[kind.extension](content) if kind.extension in _PLAIN else content
    try:
        with Image.open(io.BytesIO(plain), formats=[_FORMATS[kind.extension]]) as image:
            _check_size(image.size)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PayloadTooLarge("The picture is too large to be decoded") from error
    except _UNREADABLE as error:
        raise ValidationFailed(f"The picture cannot be decoded: the {kind.extension} is cut off or broken") from error


def frames_of(image: Image.Image) -> Iterator[Image.Image]:
    """Every frame as it is shown, in a form whose bytes can be compared: RGBA, or its own where that has more bits."""
    for frame in ImageSequence.Iterator(image):
        _check_size(frame.size)  # a GIF's frame may be larger than its screen
        frame.load()
        yield frame.copy() if frame.mode.startswith(("I", "F")) else frame.convert("RGBA")


def hash_frames(image: Image.Image) -> tuple[str, float]:
    """SHA-256 of all decoded pixels, and how many milliseconds the frames are shown in all.

    Hashed for each frame: `<mode> <width>x<height>` and a line feed in ASCII, then its pixels row by row. The mode is
    `RGBA` (8 bits each), so a picture with and one without an opaque alpha channel are the same; pictures of one deep
    channel (16-bit depth maps) keep Pillow's own mode. File bytes change with metadata, this does not.
    """
    digest, shown_ms = hashlib.sha256(), 0.0
    for frame in frames_of(image):
        digest.update(f"{frame.mode} {frame.width}x{frame.height}\n".encode())
        for band in bands(frame):
            digest.update(band.tobytes())
        shown_ms += float(image.info.get("duration", 0) or 0)
    return digest.hexdigest(), shown_ms


def bands(frame: Image.Image) -> Iterator[Image.Image]:
    """A frame from top to bottom in pieces of a few megapixels, so that what is made of them stays small."""
    rows = max(1, BAND_PIXELS // frame.width)
    for top in range(0, frame.height, rows):
        yield frame.crop((0, top, frame.width, min(top + rows, frame.height)))


def eight_bit(frame: Image.Image) -> Image.Image:
    """A frame of `frames_of`, or a band of one, as RGBA; deep grey is scaled down, not cut off."""
    if frame.mode.startswith("I"):
        return frame.convert("I").point(lambda value: value / 256).convert("L").convert("RGBA")
    return frame if frame.mode == "RGBA" else frame.convert("RGBA")


def is_opaque(frame: Image.Image) -> bool:
    """Whether every pixel of an RGBA picture covers what is behind it."""
    return frame.getchannel("A").getextrema() == (255, 255)


def _turn(content: bytes, form: str | None) -> Image.Transpose | None:
    """What makes a photograph stand upright, as browsers show it."""
    read = {"JPEG": jpeg.exif_block, "WEBP": webp_exif_block}.get(form or "")
    return _TURNS.get(orientation(read(content)[0])) if read else None


def _thumbnail(frame: Image.Image, turn: Image.Transpose | None) -> bytes:
    factor = max(frame.size) // (4 * THUMBNAIL_PX)  # averaged down first: no second picture of that size is made
    small = eight_bit(frame.reduce(factor) if factor > 1 and frame.mode == "RGBA" else frame)
    if max(small.size) > THUMBNAIL_PX:
        small = ImageOps.contain(small, (THUMBNAIL_PX, THUMBNAIL_PX))
    small = small if turn is None else small.transpose(turn)
    out = io.BytesIO()
    small.convert("RGB" if is_opaque(small) else "RGBA").save(out, "WEBP", quality=THUMBNAIL_QUALITY)
    return out.getvalue()


def _check_size(size: tuple[int, int] | None) -> None:
    if size is None or 0 in size:
        raise ValidationFailed("The picture cannot be decoded: its header has no size")
    width, height = size
    if width * height > MAX_PIXELS:
        raise PayloadTooLarge(f"The picture is {width}x{height} px: more than {MAX_PIXELS:,} pixels are not decoded")
