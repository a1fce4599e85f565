"""How long sound and video are, from their headers: WAV, FLAC and MP4. MP3, Ogg and WebM do not say it at their start.

Formats: RIFF/WAVE (Microsoft, Multimedia Programming Interface 1.0), RFC 9639 section 8.2 (FLAC), ISO/IEC 14496-12
(MP4: `moov` holds `mvhd` with the duration and one `tkhd` with the size for each track).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from spoonkernel.media.kinds import Kind

_MAX_BOXES = 1_000  # on one level; a file that has more is not one that we describe
_MAX_SECONDS = 1e6


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """Seconds, and pixels of a video; None where the header does not say."""

    duration_s: float | None = None
    width: int | None = None
    height: int | None = None


def read_clip(file: BinaryIO, kind: Kind) -> ClipFacts:
    """What the header of an open file says. Never raises for what the file holds."""
    readers = {"wav": _wav, "flac": _flac, "mp4": _mp4}
    try:
        return readers[kind.extension](file) if kind.extension in readers else ClipFacts()
    except (struct.error, IndexError, ZeroDivisionError, ValueError, OverflowError):  # cut off, or not what it says
        return ClipFacts()


def _wav(file: BinaryIO) -> ClipFacts:
    file.seek(12)
    bytes_a_second = 0
    for _ in range(_MAX_BOXES):
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            return ClipFacts(_seconds(min(size, _rest(file)), bytes_a_second))
        start = file.tell()
        if name == b"fmt ":
            (bytes_a_second,) = struct.unpack("<I", file.read(12)[8:12])
        file.seek(start + size + size % 2)  # chunks begin at even offsets
    return ClipFacts()


def _flac(file: BinaryIO) -> ClipFacts:
    file.seek(8 + 10)  # "fLaC", a block head, then block and frame sizes: STREAMINFO is always the first block
    bits = int.from_bytes(file.read(8), "big")
    return ClipFacts(_seconds(bits & 0xF_FFFF_FFFF, bits >> 44))


def _mp4(file: BinaryIO) -> ClipFacts:
    file.seek(0)
    duration: float | None = None
    size: tuple[int, int] | None = None
    for name, inside, _ in _boxes(file, _end(file)):
        if name == b"moov":
            for part, at, end in _boxes(file, inside[1], inside[0]):
                if part == b"mvhd":
                    duration = _mvhd(file, at[0])
                elif part == b"trak":
                    size = size or _track_size(file, at[0], end)
            break
    return ClipFacts(duration, *(size or (None, None)))


def _boxes(file: BinaryIO, end: int, start: int = 0) -> Iterator[tuple[bytes, tuple[int, int], int]]:
    """Name, (where its inside begins, ends), end of every box between two offsets."""
    at = start
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            head = 16
        stop = end if size == 0 else min(at + size, end)
        if stop < at + head:
            return
        yield name, (at + head, stop), stop
        at = stop


def _mvhd(file: BinaryIO, at: int) -> float | None:
    file.seek(at)
    head = file.read(32)
    is_long = head[0] == 1  # the version; it has 64-bit times
    scale, length = struct.unpack(">IQ", head[20:32]) if is_long else struct.unpack(">II", head[12:20])
    return _seconds(length, scale)


def _track_size(file: BinaryIO, start: int, end: int) -> tuple[int, int] | None:
    """Width and height of a track, 16.16 fixed point in the last eight bytes of `tkhd`; None for sound."""
    for name, (_, stop), _ in _boxes(file, end, start):
        if name == b"tkhd":
            file.seek(stop - 8)
            width, height = struct.unpack(">II", file.read(8))
            return (width >> 16, height >> 16) if width >> 16 and height >> 16 else None
    return None


def _seconds(count: int, per_second: int) -> float | None:
    seconds = count / per_second
    return round(seconds, 3) if 0 < seconds < _MAX_SECONDS else None


def _end(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _rest(file: BinaryIO) -> int:
    here = file.tell()
    end = _end(file)
    file.seek(here)
    return end - here
