"""Simulated pictures: a landscape that follows from hashes, with a few words on what made it.

The prompt gives the colours, the noise the composition, and everything together the row of dots in the corner: two
pictures of different origin differ in any case.
"""

import io
import math
import random
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from spoonkernel.testing.comfy_sim.values import Facts

SMALLEST_WITH_WORDS = 40  # pixels
PREVIEW_PX = 512  # ComfyUI scales its previews up to this
FAST = 1  # compression level of PNG


def once(draw: Callable[[], Image.Image]) -> Callable[[], Image.Image]:
    """`draw`, called at most once."""
    drawn: list[Image.Image] = []

    def drawn_once() -> Image.Image:
        if not drawn:
            drawn.append(draw())
        return drawn[0]

    return drawn_once


def landscape(sign: str, width: int, height: int, facts: Facts) -> Image.Image:
    """The picture of one sampled latent."""
    colours, places = _random(f"{facts.get('text', sign)}"), _random(f"{facts.get('noise', sign)}")
    hue = colours.randrange(360)
    detail = _random(sign)
    image = _sky(hue, detail, width, height)
    draw = ImageDraw.Draw(image)
    _sun(draw, places, hue, width, height)
    layers = 3 + min(int(facts.get("steps", 0)) // 10, 4)
    for layer in range(layers):
        near = (layer + 1) / (layers + 1)
        _hills(draw, places, detail, hue=(hue + 20 * layer) % 360, near=near, size=(width, height))
    _dots(draw, sign, width, height)
    return image


def labelled(image: Image.Image, lines: list[str]) -> Image.Image:
    """The picture with words in its lower corner, as many lines as fit."""
    width, height = image.size
    if min(width, height) < SMALLEST_WITH_WORDS:
        return image
    size = max(8, min(width, height) // 26)
    font, draw = _font(size), ImageDraw.Draw(image)
    fitting = lines[: max(1, height // (size * 3))]
    top = height - (size + 3) * len(fitting) - 3
    draw.rectangle((0, top - 2, width, height), fill=(12, 14, 22))
    for number, line in enumerate(fitting):
        draw.text((4, top + number * (size + 3) - 1), line[: width // (size // 2)], fill=(236, 238, 244), font=font)
    return image


def words(facts: Facts) -> list[str]:
    """What a picture tells of itself: first of all that it is simulated."""
    numbers = [
        f"seed {facts['seed']}" if "seed" in facts else "",
        f"{facts['steps']} steps" if "steps" in facts else "",
        f"cfg {facts['cfg']:g}" if "cfg" in facts else "",
        str(facts.get("sampler_name", "")),
    ]
    text = " ".join(str(facts.get("text", "")).split())
    first = f"simulated  {facts.get('model', '')}".strip()
    return [line for line in (first, text[:60], "  ".join(filter(None, numbers))) if line]


def blend(below: Image.Image, above: Image.Image, strength: float, mask: Image.Image | None = None) -> Image.Image:
    """Image to image: `above` over `below` with a strength of 0 to 1, only where the mask is white."""
    base = below.convert("RGB").resize(above.size)
    mixed = Image.blend(base, above.convert("RGB"), max(0.0, min(1.0, strength)))
    return Image.composite(mixed, base, mask.convert("L").resize(above.size)) if mask else mixed


def tint(image: Image.Image, sign: str) -> Image.Image:
    """A picture that some node has changed in a way that is not simulated: the same with other dots."""
    changed = image.convert("RGB")
    changed = changed.copy() if changed is image else changed
    _dots(ImageDraw.Draw(changed), sign, *changed.size)
    return changed


def solid(width: int, height: int, colour: tuple[int, int, int]) -> Image.Image:
    """A plain picture."""
    return Image.new("RGB", (width, height), colour)


def png(image: Image.Image, texts: dict[str, str] | None = None) -> bytes:
    """A PNG file with text chunks."""
    info = PngInfo()
    for name, text in (texts or {}).items():
        info.add_text(name, text)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info, compress_level=FAST)
    return file.getvalue()


def preview(image: Image.Image, done: float) -> bytes:
    """A preview as ComfyUI sends it during sampling: JPEG of 512 px, the blurrier the earlier (`done` is 0 to 1)."""
    width, height = image.size
    scale = PREVIEW_PX / max(width, height)
    grain = max(2, int(8 + 56 * done))
    rough = image.convert("RGB").resize((grain, max(1, grain * height // width)))
    file = io.BytesIO()
    rough.resize((max(1, int(width * scale)), max(1, int(height * scale))), Image.Resampling.BILINEAR).save(
        file, "JPEG", quality=70
    )
    return file.getvalue()


def _random(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  # the same picture each time is the point


def _hsv(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    def channel(number: int) -> int:
        k = (number + hue / 60) % 6
        return int(255 * (value - value * saturation * max(0.0, min(k, 4 - k, 1))))

    return channel(5), channel(3), channel(1)


def _sky(hue: int, detail: random.Random, width: int, height: int) -> Image.Image:
    strip = Image.new("RGB", (1, 4))
    for row in range(4):
        strip.putpixel(
            (0, row), _hsv((hue + 14 * row + detail.randrange(-9, 10)) % 360, 0.6 - 0.12 * row, 0.45 + 0.16 * row)
        )
    return strip.resize((width, height), Image.Resampling.BICUBIC)


def _sun(draw: ImageDraw.ImageDraw, places: random.Random, hue: int, width: int, height: int) -> None:
    radius = min(width, height) * places.uniform(0.06, 0.16)
    x, y = places.uniform(0.15, 0.85) * width, places.uniform(0.12, 0.45) * height
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_hsv((hue + 180) % 360, 0.35, 0.98))


def _hills(
    draw: ImageDraw.ImageDraw,
    places: random.Random,
    detail: random.Random,
    *,
    hue: int,
    near: float,
    size: tuple[int, int],
) -> None:
    width, height = size
    base, rise = height * (0.42 + 0.45 * near), height * 0.16 * places.uniform(0.5, 1.2)
    phase, waves, bump = places.uniform(0, 6.3), places.uniform(0.6, 2.4), detail.uniform(0.05, 0.5)
    points = [
        (width * i / 32, base - rise * (math.sin(phase + waves * i / 5) + bump * math.sin(phase * 3 + i * 1.7)) / 1.5)
        for i in range(33)
    ]
    draw.polygon([*points, (width, height), (0, height)], fill=_hsv(hue, 0.35 + 0.3 * near, 0.72 - 0.5 * near))


def _dots(draw: ImageDraw.ImageDraw, sign: str, width: int, height: int) -> None:
    size = max(1, min(width, height) // 40)
    for number in range(8):
        x = width - (number + 1) * (size + 1)
        draw.rectangle(
            (x, 1, x + size - 1, size), fill="#" + _random(sign).randbytes(24).hex()[number * 6 : number * 6 + 6]
        )


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
