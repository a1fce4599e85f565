"""PNG files as chunks (https://www.w3.org/TR/png-3/, section 5): read with limits, text put in, text left out.

No pixel is decoded here, and nothing is unpacked: what a text chunk says is read in `metadata/texts.py`.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spoonkernel.errors import ValidationFailed

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
MAX_CHUNKS = 100_000  # libpng writes 8 KiB a chunk: this is a file of 800 MB
MAX_TEXT_BYTES = 4 * 1024 * 1024
"""The longest text of one field, unpacked. The largest workflows seen are about 1 MB."""

_DRAWN = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"cHRM", b"sRGB", b"sBIT"}
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk. `start` and `end` are where it lies in the file, length and checksum included."""

    name: bytes
    data: memoryview
    start: int
    end: int
    stored_crc: int

    @property
    def is_intact(self) -> bool:
        return zlib.crc32(self.data, zlib.crc32(self.name)) == self.stored_crc


def chunks(content: bytes) -> Iterator[Chunk]:
    """The chunks up to `IEND`. Raises `ValidationFailed` where the file is cut off, or for too many of them."""
    if not content.startswith(SIGNATURE):
        raise ValidationFailed("The file is not a PNG")
    view, at = memoryview(content), len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        head = view[at : at + 8]
        if len(head) < 8:
            raise ValidationFailed("The PNG is cut off: it has no end chunk")
        (length, name) = struct.unpack(">I4s", head)
        end = at + 12 + length
        if end > len(content):
            raise ValidationFailed(f"The PNG is cut off inside its chunk {name.decode('latin-1')!r}")
        (crc,) = struct.unpack(">I", view[end - 4 : end])
        yield Chunk(name, view[at + 8 : end - 4], at, end, crc)
        if name == b"IEND":
            return
        at = end
    raise ValidationFailed(f"The PNG has more than {MAX_CHUNKS} chunks")


def only_drawn(content: bytes) -> bytes:
    """The same picture without texts, profiles and EXIF: a decoder that gets this has nothing else to unpack."""
    kept = [content[chunk.start : chunk.end] for chunk in chunks(content) if chunk.name in _DRAWN]
    return b"".join([SIGNATURE, *kept])


def embed_png_text(content: bytes, entries: Mapping[str, str]) -> bytes:
    """The same PNG with these texts, in place of its own of the same keywords. No other byte changes.

    ASCII goes to `tEXt`, which everybody reads; the rest to `iTXt` as UTF-8, because readers disagree on whether the
    upper half of `tEXt` is Latin-1, as the format says, or UTF-8. NULs are left out: the format cannot hold them.

    Args:
        entries: keyword -> text. Keywords are 1 to 79 characters of Latin-1 without spaces at an end.

    Raises:
        ValidationFailed: no whole PNG, a keyword that the format does not take, or a text over `MAX_TEXT_BYTES`.
    """
    replaced = {_keyword(name) for name in entries}
    pieces = [SIGNATURE]
    for chunk in chunks(content):
        if chunk.name in TEXT_CHUNKS and keyword_of(chunk.data) in replaced:
            continue
        pieces.append(content[chunk.start : chunk.end])
        if chunk.name == b"IHDR":  # right after the header: readers that stop at the pixels see it too
            pieces += [_text_chunk(name, text) for name, text in entries.items()]
    return b"".join(pieces)


def keyword_of(data: memoryview) -> bytes:
    """What a text chunk calls itself: its bytes up to the first NUL; empty when there is none."""
    keyword, end, _ = bytes(data[:80]).partition(b"\0")
    return keyword if end else b""


def _keyword(name: str) -> bytes:
    try:
        keyword = name.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValidationFailed(f"{name!r} cannot name a text of a PNG: it has letters outside Latin-1") from error
    if not 1 <= len(keyword) <= 79 or not name.isprintable() or name.strip() != name or "  " in name:
        raise ValidationFailed(f"{name[:99]!r} cannot name a text of a PNG: 1 to 79 letters, no spaces at its ends")
    return keyword


def _text_chunk(name: str, text: str) -> bytes:
    plain = text.replace("\0", "")
    encoded = plain.encode("utf-8", "replace")  # half a surrogate pair becomes a question mark
    if len(encoded) > MAX_TEXT_BYTES:
        raise ValidationFailed(f"The text {name!r} is longer than {MAX_TEXT_BYTES} bytes")
    if plain.isascii():
        return _chunk(b"tEXt", _keyword(name) + b"\0" + encoded)
    uncompressed_no_language = b"\0\0\0\0\0"  # end of keyword, flag, method, empty language, empty translation
    return _chunk(b"iTXt", _keyword(name) + uncompressed_no_language + encoded)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
