"""Every text that a PNG, JPEG or WebP carries beside its pixels, within limits. Video and sound are not read.

Formats: PNG-3 sections 11.3.3 (tEXt, zTXt, iTXt); JPEG's APP1 (EXIF 2.32, 4.5.4); the `EXIF` chunk of RIFF/WebP
(https://developers.google.com/speed/webp/docs/riff_container).
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from spoonkernel.errors import ValidationFailed
from spoonkernel.media import jpeg, png
from spoonkernel.media.kinds import kind_of
from spoonkernel.media.metadata.exif import exif_texts
from spoonkernel.media.metadata.generation import clean_text
from spoonkernel.media.png import MAX_TEXT_BYTES

MAX_FIELDS = 200
MAX_ALL_BYTES = 2 * MAX_TEXT_BYTES
_MAX_SEGMENTS = 10_000

Warn = Callable[[str], None]


def read_texts(content: bytes, warn: Warn) -> dict[str, str]:
    """Text by name; of two with one name the first counts. Never raises: `warn` hears what could not be read."""
    kind = kind_of(content)
    readers = {"png": _png_texts, "jpg": _jpeg_texts, "webp": _webp_texts}
    if kind is None or kind.extension not in readers:
        return {}
    found: dict[str, str] = {}
    size = 0
    for name, text in readers[kind.extension](content, warn):
        size += len(text)
        if size > MAX_ALL_BYTES:
            warn("The file has more metadata than is read: the rest was left out")
            break
        found.setdefault(clean_text(name), clean_text(text))
    return found


def _png_texts(content: bytes, warn: Warn) -> Iterator[tuple[str, str]]:
    tried = 0  # also those that turn out too long: unpacking each of thousands would take minutes
    try:
        for chunk in png.chunks(content):
            if chunk.name not in png.TEXT_CHUNKS and chunk.name != b"eXIf":
                continue
            tried += 1
            if tried > MAX_FIELDS:
                warn(f"The PNG has more than {MAX_FIELDS} texts: the rest was left out")
                return
            if not chunk.is_intact:
                warn(f"A {chunk.name.decode()} chunk has a wrong checksum: it was left out")
            elif len(chunk.data) > MAX_TEXT_BYTES:
                warn(f"A {chunk.name.decode()} chunk of {len(chunk.data)} bytes is too long: it was left out")
            elif chunk.name == b"eXIf":
                yield from exif_texts(bytes(chunk.data)).items()
            else:
                yield from _text_chunk(chunk.name, bytes(chunk.data), warn)
    except ValidationFailed as error:
        warn(error.message)


def _text_chunk(name: bytes, data: bytes, warn: Warn) -> Iterator[tuple[str, str]]:
    keyword, end, rest = data.partition(b"\0")
    if not end or not 1 <= len(keyword) <= 79:
        warn(f"A {name.decode()} chunk has no name: it was left out")
        return
    packed, utf_8 = name == b"zTXt", name == b"iTXt"
    if name == b"zTXt":
        rest = rest[1:]  # the method: there is only one
    elif utf_8:
        packed = rest[:1] == b"\1"
        rest = b"\0".join(rest[2:].split(b"\0", 2)[2:])  # after language and translated keyword
    shown = keyword.decode("latin-1")
    text = _unpacked(rest) if packed else rest
    if text is None:
        warn(f"The text {shown!r} is broken, or too long once unpacked: it was left out")
        return
    yield shown, text.decode("utf-8", "replace") if utf_8 else _either(text)


def _unpacked(data: bytes) -> bytes | None:
    """zlib's data unpacked; None when broken or longer than `MAX_TEXT_BYTES`, without ever holding more than that."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MAX_TEXT_BYTES + 1)
    except zlib.error:
        return None
    return text if unpacker.eof and len(text) <= MAX_TEXT_BYTES else None


def _either(data: bytes) -> str:
    """Latin-1, as the format says, unless it is valid UTF-8, which several writers put there all the same."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _jpeg_texts(content: bytes, warn: Warn) -> Iterator[tuple[str, str]]:
    block, whole = jpeg.exif_block(content)
    if not whole:
        warn("The JPEG is cut off inside its EXIF block")
    yield from exif_texts(block).items()


def _webp_texts(content: bytes, warn: Warn) -> Iterator[tuple[str, str]]:
    block, whole = webp_exif_block(content)
    if not whole:
        warn("The WebP's EXIF block is cut off or too long")
    yield from exif_texts(block).items()


def webp_exif_block(content: bytes) -> tuple[bytes, bool]:
    """The first EXIF block, empty where there is none, and whether all of it is there."""
    at = 12
    for _ in range(_MAX_SEGMENTS):
        if at + 8 > len(content):
            break
        name, length = struct.unpack("<4sI", content[at : at + 8])
        if name == b"EXIF":
            block = content[at + 8 : at + 8 + min(length, MAX_ALL_BYTES)]
            return block, len(block) == length
        at += 8 + length + length % 2
    return b"", True
