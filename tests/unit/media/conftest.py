"""Real pictures, made by Pillow in every format that the media folder takes, and PNG chunks put together by hand."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo


class Pictures:
    """Makes files in memory."""

    def noise(self, width: int = 40, height: int = 30, spread: float = 60) -> Image.Image:
        bands = [Image.effect_noise((width, height), spread) for _ in range(3)]
        return Image.merge("RGB", bands)

    def encode(self, image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
        out = io.BytesIO()
        image.save(out, form, **options)
        return out.getvalue()

    def png(
        self, texts: dict[str, str] | None = None, size: tuple[int, int] = (8, 6), *, packed: bool = False
    ) -> bytes:
        info = PngInfo()
        for name, text in (texts or {}).items():
            info.add_text(name, text, zip=packed)
        return self.encode(Image.new("RGB", size, (10, 200, 30)), pnginfo=info)

    def animated(self, form: str, frames: int = 3, **options: Any) -> bytes:
        images = [Image.new("RGB", (40, 30), (80 * number, 90, 20)) for number in range(frames)]
        return self.encode(images[0], form, save_all=True, append_images=images[1:], duration=200, **options)

    def chunk(self, name: bytes, data: bytes, crc: int | None = None) -> bytes:
        whole = zlib.crc32(name + data) if crc is None else crc
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", whole)

    def with_chunk(self, chunk: bytes, content: bytes | None = None) -> bytes:
        """A PNG with a chunk right after its header."""
        png = content or self.png()
        return png[:33] + chunk + png[33:]

    def bomb(self, width: int = 65_000, height: int = 65_000) -> bytes:
        """A PNG of a few bytes whose header asks for gigabytes."""
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        pixels = zlib.compress(b"\0" * 1000)
        parts = self.chunk(b"IHDR", header) + self.chunk(b"IDAT", pixels) + self.chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + parts


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return Pictures()
