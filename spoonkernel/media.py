"""The media folder: files that tasks made, under names made here. Types are read from the bytes, never believed.

Signatures: https://mimesniff.spec.whatwg.org (images, audio, video), RFC 9639 (FLAC), RFC 3533 (Ogg).
"""

import asyncio
import os
import re
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spoonkernel.errors import NotFound, ValidationFailed
from spoonkernel.types.base import Media, MediaType

PREFIX = "/storage/media/"
"""What a result's `content` begins with; the rest is the file's name."""

_NAME = re.compile(r"(?:image|video|audio)_[0-9a-f]{12}\.(?:png|jpg|webp|gif|mp4|webm|wav|mp3|flac|ogg)", re.ASCII)


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
    (Kind("video", "webm", "video/webm"), lambda b: b.startswith(b"\x1aE\xdf\xa3") and b"webm" in b[:64]),
    (Kind("audio", "mp3", "audio/mpeg"), lambda b: b.startswith(b"ID3") or _is_mp3_frame(b)),
)
_BY_EXTENSION = {kind.extension: kind for kind, _ in _KINDS}


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


class MediaFolder:
    """Writes, reads and deletes files of one folder, which is made at the first file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def save(self, content: bytes) -> str:
        """Store a file, whole or not at all, and return its path for a result: `/storage/media/image_<12 hex>.png`.

        Raises:
            ValidationFailed: the bytes are none of png, jpeg, webp, gif, mp4, webm, wav, mp3, flac, ogg.
        """
        kind = kind_of(content)
        if kind is None:
            raise ValidationFailed(f"The file made is none of {', '.join(sorted(_BY_EXTENSION))}: it was not stored")
        name = f"{kind.type}_{secrets.token_hex(6)}.{kind.extension}"
        await asyncio.to_thread(self._write, name, content)
        return PREFIX + name

    async def open(self, name: str) -> Media:
        """A file by its name or its result's path. Raises `NotFound` for anything that is not a file of ours."""
        plain = name.removeprefix(PREFIX)
        if not _NAME.fullmatch(plain):
            raise NotFound("File not found: media names look like image_0123456789ab.png")
        try:
            content = await asyncio.to_thread(self._read, plain)
        except OSError as error:  # missing, or a symbolic link, which we never make
            raise NotFound(f"File {plain} not found") from error
        kind = _BY_EXTENSION[PurePosixPath(plain).suffix[1:]]
        return Media(content=content, content_type=kind.content_type, filename=plain)

    async def delete(self, name: str) -> None:
        """Delete a file by its name or its result's path. Fine when it is gone; any other name is left alone."""
        plain = name.removeprefix(PREFIX)
        if _NAME.fullmatch(plain):
            await asyncio.to_thread((self._folder / plain).unlink, missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f".{name}.part"
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._folder / name)
        finally:
            part.unlink(missing_ok=True)

    def _read(self, name: str) -> bytes:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(self._folder / name, flags), "rb") as file:  # noqa: PTH123  # a descriptor, not a path
            return file.read()


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
