"""Pictures on their way to and from a provider: data URLs taken apart, type and size read from the first bytes."""

import binascii
import mimetypes
import struct
from dataclasses import dataclass

from pydantic import JsonValue

from spoonkernel.errors import BadRequest
from spoonkernel.providers.base import Made

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside a message, still in base64."""

    content_type: str
    base64: str


def read_picture(url: str, provider: str) -> Picture:
    """A data URL's picture. Raises `BadRequest` for any other URL: it is for providers that fetch nothing."""
    if is_web(url):
        raise BadRequest(f"{provider} fetches no pictures from the web: send the picture itself, as a data URL")
    return picture_of(url)


def is_web(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def picture_of(url: str) -> Picture:
    """A data URL taken apart (https://www.rfc-editor.org/rfc/rfc2397). Raises `BadRequest`, quoting only its start."""
    head, comma, data = url.partition(",")
    scheme, _, content_type = head.removesuffix(";base64").partition(":")
    whole = scheme.lower() == "data" and bool(comma) and head.endswith(";base64")
    if not whole or not content_type.startswith("image/"):
        raise BadRequest(f"An image_url must start with data:image/...;base64, and this one starts with {url[:40]!r}")
    data = "".join(data.split())
    try:
        is_empty = not binascii.a2b_base64(data, strict_mode=True)
    except ValueError as error:  # also for characters outside ASCII
        raise BadRequest(f"The data URL of an image is not valid base64: {error}") from error
    if is_empty:
        raise BadRequest("The data URL of an image is empty")
    return Picture(content_type.partition(";")[0], data)


def content_type_of(content: bytes, default: str = "image/png") -> str:
    """The media type by the file's signature."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in _SIGNATURES if content.startswith(start)), default)


def guess_web(url: str) -> str:
    """The media type of a web address by its ending."""
    return mimetypes.guess_type(url.partition("?")[0])[0] or "image/jpeg"


def made_picture(content: bytes, model: str, tokens: int | None, content_type: str = "image/png") -> Made:
    """A provider's picture with what its bytes say about it; `content_type` is for those that say nothing."""
    metadata: dict[str, JsonValue] = {"model": model}
    if tokens is not None:
        metadata["tokens"] = tokens
    if size := size_of(content):
        metadata["width"], metadata["height"] = size
    return Made("image", content, content_type_of(content, content_type), metadata)


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, WebP or JPEG; None for what cannot be read."""
    try:
        match content_type_of(content, ""):
            case "image/png":
                width, height = struct.unpack(">II", content[16:24])
            case "image/gif":
                width, height = struct.unpack("<HH", content[6:10])
            case "image/webp":
                return _webp_size(content)
            case "image/jpeg":
                return _jpeg_size(content)
            case _:
                return None
    except (struct.error, IndexError):
        return None
    return int(width), int(height)


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """https://developers.google.com/speed/webp/docs/riff_container"""
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """The first frame header: markers C0 to CF, without C4, C8 and CC (ITU T.81, table B.1)."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None
