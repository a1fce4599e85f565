"""The few texts of an EXIF block that programs put generation data in. Own reader, because it must never raise.

Format: TIFF 6.0 (header, then directories of 12-byte entries) and EXIF 2.32, table 9 (UserComment, 0x9286: an 8-byte
code, then the text). ComfyUI's WebP writer puts `prompt:{...}` in Model (0x0110) and each key of `extra_pnginfo`, as
`workflow:{...}`, in the tags below it, 0x010F, 0x010E, ... (`comfy_api/latest/_ui.py`).
"""

import re
import struct
from collections.abc import Iterator

from spoonkernel.media.png import MAX_TEXT_BYTES

_EXIF_DIRECTORY, _USER_COMMENT, _ORIENTATION = 0x8769, 0x9286, 0x0112
_NAMED = {0x010E: "ImageDescription", 0x0131: "Software"}
_COMFY_TAGS = range(0x0100, 0x0111)
_KEYED_JSON = re.compile(r"(\w{1,64}):\s?(?=[{\[\"])", re.ASCII)
_MAX_ENTRIES = 512
_ASCII_TYPES = frozenset({1, 2, 7, 129})  # BYTE, ASCII, UNDEFINED, UTF-8: one byte each


def exif_texts(block: bytes) -> dict[str, str]:
    """Texts by name: `UserComment`, `ImageDescription`, `Software`, and ComfyUI's by their own keys.

    Args:
        block: a TIFF structure, with or without `Exif\\0\\0` before it.
    """
    tiff, order = _opened(block)
    found: dict[str, str] = {}
    for tag, data in _first_directory(tiff, order):
        if tag == _EXIF_DIRECTORY and len(data) == 4:
            for inner, comment in _entries(tiff, order, _offset(data, order, 0)):
                if inner == _USER_COMMENT:
                    found["UserComment"] = user_comment(comment, order)
        elif tag in _COMFY_TAGS or tag in _NAMED:
            text = _plain(data)
            if keyed := _KEYED_JSON.match(text):
                found[keyed[1].lower()] = text[keyed.end() :]  # some nodes write `Workflow:`
            elif tag in _NAMED:
                found[_NAMED[tag]] = text
    return {name: text for name, text in found.items() if text}


def orientation(block: bytes) -> int:
    """How the picture is to be turned to stand upright, 1 (it does) to 8, as EXIF numbers them."""
    tiff, order = _opened(block)
    for tag, data in _first_directory(tiff, order):
        if tag == _ORIENTATION and len(data) == 2:
            return int(struct.unpack(order + "H", data)[0])
    return 1


def user_comment(data: bytes, order: str) -> str:
    """The text of a UserComment.

    `UNICODE` means UTF-16 but not which: piexif (A1111) writes big-endian, others the order of the file or a byte order
    mark, some even UTF-8. Where the NULs of its ASCII letters lie tells them apart.
    """
    code, text = data[:8], data[8:]
    if not code.startswith(b"UNICODE"):
        known = code.rstrip(b"\0 ") in {b"", b"ASCII", b"JIS"}
        return _plain(text if known else data)
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return _stripped(text.decode("utf-16", "replace"))
    even, odd = text[0:4096:2].count(0), text[1:4096:2].count(0)
    if even == odd == 0 and _is_utf_8(text) and sum(byte < 0x80 for byte in text[:4096]) * 2 > len(text[:4096]):
        return _plain(text)
    big = even > odd if even != odd else order == ">"
    return _stripped(text.decode("utf-16-be" if big else "utf-16-le", "replace"))


def _opened(block: bytes) -> tuple[bytes, str]:
    """The TIFF structure and its byte order; empty when it is none."""
    tiff = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    return (b"", ">") if order is None else (tiff, order)


def _first_directory(tiff: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    return _entries(tiff, order, _offset(tiff, order, 4)) if len(tiff) >= 8 else iter(())


def _entries(tiff: bytes, order: str, at: int) -> Iterator[tuple[int, bytes]]:
    """Tag and value of a directory's entries that hold bytes or one offset; others and broken ones are left out."""
    if not 8 <= at <= len(tiff) - 2:
        return
    (count,) = struct.unpack(order + "H", tiff[at : at + 2])
    total = 0
    for number in range(min(count, _MAX_ENTRIES)):
        entry = tiff[at + 2 + number * 12 : at + 14 + number * 12]
        if len(entry) < 12:
            return
        tag, kind, length = struct.unpack(order + "HHI", entry[:8])
        if tag == _EXIF_DIRECTORY and kind in {4, 13}:
            yield tag, entry[8:]
        elif tag == _ORIENTATION and kind == 3:
            yield tag, entry[8:10]
        elif kind in _ASCII_TYPES:
            start = _offset(entry, order, 8)
            data = entry[8 : 8 + length] if length <= 4 else tiff[start : start + length]
            total += len(data)  # entries may all point at the same bytes
            if length <= MAX_TEXT_BYTES and total <= 2 * MAX_TEXT_BYTES and len(data) == length:
                yield tag, data


def _offset(data: bytes, order: str, at: int) -> int:
    return int(struct.unpack(order + "I", data[at : at + 4])[0])


def _plain(data: bytes) -> str:
    data = data.rstrip(b"\0")
    return _stripped(data.decode("utf-8" if _is_utf_8(data) else "latin-1"))


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _stripped(text: str) -> str:
    return text.strip("\0 \r\n\t\ufeff")
