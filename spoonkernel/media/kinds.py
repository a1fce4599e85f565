"""What a file is and how large its picture is, read from the bytes, never believed.

Signatures: https://mimesniff.spec.whatwg.org (images, audio, video), RFC 9639 (FLAC), RFC 3533 (Ogg).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from spoonkernel.types.base import MediaType

HEAD_BYTES = 64
"""So many first bytes are enough for `kind_of`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is: `extension` without the dot, `content_type` for HTTP."""

    type: MediaType
    extension: str
    content_type: str


_KINDS: tuple[tuple[Kind, Callable[[bytes], bool]], ...] = (
    (Kind("image", "png", "image/png"), lambda b: b.startswith(b"\x89PNG\r\n\x1a\n")),
    (Kind("image", "jpg", "image/jpeg"), lambda b: b.startswith(b"\xff\xd8\xff")),
    (Kind("image", "gif", "image/gif"), lambda b: b.startswith((b"GIF87a", b"GIF89a"))),
    (Kind("image", "webp", "image/webp"), lambda b: b[:4] == b"RIFF" and b[8:12] == b"WEBP"),
    (Kind("audio", "wav", "audio/wav"), lambda b: b[:4] == b"RIFF" and b[8:12] == b"WAVE"),
    (Kind("audio", "flac", "audio/flac"), lambda b: b.startswith(b"fLaC")),
    (Kind("audio", "ogg", "audio/ogg"), lambda b: b.startswith(b"OggS\x00")),
    (Kind("video", "mp4", "video/mp4"), lambda b: b[4:8] == b"ftyp"),
    (Kind("video", "webm", "video/webm"), lambda b: b.startswith(b"\x1aE\xdf\xa3") and b"webm" in b[:HEAD_BYTES]),
    (Kind("audio", "mp3", "audio/mpeg"), lambda b: b.startswith(b"ID3") or _is_mp3_frame(b)),
)
BY_EXTENSION = {kind.extension: kind for kind, _ in _KINDS}
"""Every kind that the media folder takes, by its file's ending."""


def kind_of(content: bytes) -> Kind | None:
    """What the bytes are, or None for anything that the media folder does not take."""
    return next((kind for kind, matches in _KINDS if matches(content)), None)


def size_px(content: bytes) -> tuple[int, int] | None:
    """Width and height of an image in pixels, from its header alone; None where the header does not say."""
    kind = kind_of(content)
    try:
        match kind.extension if kind else None:
            case "png":
                width, height = struct.unpack(">II", content[16:24])
            case "gif":
                width, height = struct.unpack("<HH", content[6:10])
            case "jpg":
                return _jpeg_size(content)
            case "webp":
                return _webp_size(content)
            case _:
                return None
    except (struct.error, IndexError):  # cut off
        return None
    return width, height


def _is_mp3_frame(content: bytes) -> bool:
    """MPEG audio, layer III: eleven bits of sync, a version that is not reserved, layer bits 01."""
    return len(content) > 2 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2 and content[1] & 0x18 != 0x08


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walks the segments to the start of frame (ITU T.81, B.2.2): C0 to CF without C4, C8 and CC."""
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """The three layouts of https://developers.google.com/speed/webp/docs/riff_container."""
    match content[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack("<I", content[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X" if len(content) >= 30:
            width = int.from_bytes(content[24:27], "little") + 1
            return width, int.from_bytes(content[27:30], "little") + 1
    return None
