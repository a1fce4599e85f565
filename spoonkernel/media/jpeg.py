"""JPEG files as segments (ITU T.81, annex B): what comes before the pixels, with what is no picture left out."""

import struct
from collections.abc import Iterator

EXIF = b"Exif\0\0"
_APP1 = 0xE1
_END, _SCAN = 0xD9, 0xDA
_LEFT_OUT = frozenset({*range(0xE1, 0xF0), 0xFE}) - {0xEE}  # applications' data and comments; Adobe's says the colours
_MAX_SEGMENTS = 10_000


def segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of every segment up to the first scan; an end may lie beyond the end of the file."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if at + 4 > len(content) or content[at] != 0xFF or content[at + 1] in {_END, _SCAN}:
            return
        if content[at + 1] == 0xFF:  # padding
            at += 1
            continue
        (length,) = struct.unpack(">H", content[at + 2 : at + 4])
        end = at + 2 + max(length, 2)
        yield content[at + 1], at, end
        at = end


def only_drawn(content: bytes) -> bytes:
    """The same picture without EXIF, profiles and comments."""
    pieces, at = [content[:2]], 2
    for marker, start, end in segments(content):
        if marker not in _LEFT_OUT:
            pieces.append(content[start:end])
        at = end
    return b"".join([*pieces, content[at:]])


def exif_block(content: bytes) -> tuple[bytes, bool]:
    """The first EXIF block, empty where there is none, and whether all of it is there."""
    for marker, start, end in segments(content):
        if marker == _APP1 and content.startswith(EXIF, start + 4):
            return content[start + 4 : end], end <= len(content)
    return b"", True
