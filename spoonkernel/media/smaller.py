"""Pictures on their way to a model: no larger than models look at. It blocks: use a thread."""

import io

from PIL import Image

from spoonkernel.media.kinds import kind_of, size_px
from spoonkernel.media.pictures import first_frame, is_opaque

LONGEST_PX = 2_048
"""Claude scales down beyond 1,568 px, OpenAI beyond 2,048 (their vision guides); more pixels only cost time."""

MOST_BYTES = 3_500_000
"""Claude takes 5 MB of base64 for a picture, which is 3.75 MB before it is encoded."""

QUALITIES = (90, 80, 65, 45)


def fit_for_models(content: bytes) -> tuple[bytes, str]:
    """A picture as it is, where it is small enough, else its first frame as a JPEG that is; and its content type.

    Raises:
        ValidationFailed: it is no picture, or it is broken.
        PayloadTooLarge: it has too many pixels to be decoded.
    """
    kind, size = kind_of(content), size_px(content)
    if kind and size and max(size) <= LONGEST_PX and len(content) <= MOST_BYTES:
        return content, kind.content_type
    picture = _on_white(first_frame(content, LONGEST_PX))
    for quality in QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        if out.tell() <= MOST_BYTES:
            break
    return out.getvalue(), "image/jpeg"


def _on_white(frame: Image.Image) -> Image.Image:
    """JPEG has no transparency, and models read black text on a see-through ground as it is meant: on white."""
    if not is_opaque(frame):
        frame = Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame)
    return frame.convert("RGB")
