"""Moving pictures in files that players understand, made with Pillow alone."""

import io
import struct
from collections.abc import Callable, Sequence

from PIL import Image

Shots = Sequence[Callable[[], Image.Image]]
Writer = Callable[[Shots, float, dict[str, str]], bytes]


def webp(shots: Shots, fps: float, texts: dict[str, str]) -> bytes:
    """An animated WEBP, with the texts in its EXIF part as ComfyUI writes them (`prompt:{...}`)."""
    first, *more = [shot().convert("RGB") for shot in shots]
    more = more or [first]  # of one picture it would be no sequence
    exif = first.getexif()
    for number, (name, text) in enumerate(texts.items()):
        exif[0x0110 - number] = f"{name}:{text}"
    file = io.BytesIO()
    duration = int(1000 / fps)
    first.save(file, "WEBP", save_all=True, append_images=more, duration=duration, exif=exif, method=0, quality=80)
    return file.getvalue()


def apng(shots: Shots, fps: float, texts: dict[str, str]) -> bytes:
    """An animated PNG."""
    first, *more = [shot().convert("RGB") for shot in shots]
    file = io.BytesIO()
    first.save(file, "PNG", save_all=True, append_images=more, duration=int(1000 / fps), compress_level=1)
    return file.getvalue()


def webm(shots: Shots, fps: float, texts: dict[str, str]) -> bytes:
    """A WebM with VP8: each picture of a lossy WEBP is a VP8 key frame, so they only need another container."""
    pictures = [shot().convert("RGB") for shot in shots]
    width, height = pictures[0].size
    header = _element(0x1A45DFA3, _number(0x4286, 1) + _number(0x42F7, 1) + _number(0x42F2, 4) + _number(0x42F3, 8)
                      + _element(0x4282, b"webm") + _number(0x4287, 2) + _number(0x4285, 2))  # fmt: skip
    duration = _element(0x4489, struct.pack(">d", 1000 * len(pictures) / fps))
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000) + duration
                    + _element(0x4D80, b"simulated") + _element(0x5741, b"simulated"))  # fmt: skip
    size = _element(0xE0, _number(0xB0, width) + _number(0xBA, height))
    track = _number(0xD7, 1) + _number(0x73C5, 1) + _number(0x83, 1) + _element(0x86, b"V_VP8") + size
    tracks = _element(0x1654AE6B, _element(0xAE, track))
    tags = b"".join(
        _element(0x67C8, _element(0x45A3, name.upper().encode()) + _element(0x4487, text.encode()))
        for name, text in texts.items()
    )
    told = _element(0x1254C367, _element(0x7373, _element(0x63C0, b"") + tags)) if tags else b""
    clusters = b"".join(_cluster(int(1000 * number / fps), shot) for number, shot in enumerate(pictures))
    return header + _element(0x18538067, info + tracks + told + clusters)


def _cluster(time_ms: int, picture: Image.Image) -> bytes:
    block = b"\x81" + struct.pack(">hB", 0, 0x80) + _vp8(picture)  # track 1, at the cluster's time, a key frame
    return _element(0x1F43B675, _number(0xE7, time_ms) + _element(0xA3, block))


def _vp8(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=75, method=0)
    content = file.getvalue()
    place = content.index(b"VP8 ")
    (length,) = struct.unpack_from("<I", content, place + 4)
    return content[place + 8 : place + 8 + length]


def _element(name: int, content: bytes) -> bytes:
    """An EBML element with a length of 8 bytes."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (1 << 56 | len(content)).to_bytes(8, "big") + content


def _number(name: int, value: int) -> bytes:
    return _element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def mp4(shots: Shots, fps: float, texts: dict[str, str]) -> bytes:
    """An MP4 with AV1: an AVIF sequence is one in all but its brand and the name of its track."""
    first, *more = [shot().convert("RGB") for shot in shots]
    file = io.BytesIO()
    first.save(file, "AVIF", save_all=True, append_images=more, duration=int(1000 / fps), speed=10, quality=60)
    content = file.getvalue()
    size = int.from_bytes(content[:4], "big")
    brands = b"ftypisom\x00\x00\x02\x00" + b"isomiso6av01mp41"
    free = size - 4 - len(brands) - 8  # what the shorter box leaves, so that no offset changes
    head = (4 + len(brands)).to_bytes(4, "big") + brands + (free + 8).to_bytes(4, "big") + b"free" + bytes(free)
    track = content.index(b"moov")
    film = content[track:].replace(b"pict\x00", b"vide\x00", 1)
    lasting = int(1000 * len(shots) / fps).to_bytes(8, "big")  # of an image it is "for ever"
    for box in (b"mvhd", b"tkhd"):
        start = film.index(box)
        film = film[:start] + film[start : start + 44].replace(b"\xff" * 8, lasting) + film[start + 44 :]
    still = content[size:track].replace(b"meta", b"free", 1)  # the box that makes it a picture
    return head + still + film.replace(b"elst\x01\x00\x00\x01", b"elst\x01\x00\x00\x00", 1)
