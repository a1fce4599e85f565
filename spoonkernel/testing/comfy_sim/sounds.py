"""Sounds in files that players understand, in Python alone."""

import struct
from collections.abc import Callable, Iterator
from functools import cache

from spoonkernel.testing.comfy_sim.values import Audio

Writer = Callable[[Audio, dict[str, str]], bytes]

VENDOR = b"simulated"
LOUD = 3_000  # of 32,767
BLOCK = 4_096  # samples of silence in one frame
RATES = (0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
"""Sample rates by their codes; 0 means that the header of the file tells it."""


def flac(audio: Audio, texts: dict[str, str]) -> bytes:
    """A FLAC file (RFC 9639): a square wave, each half of it one frame of a constant value, or silence."""
    total = int(audio.seconds * audio.rate)
    block = max(16, audio.rate // (2 * audio.tone_hz)) if audio.tone_hz else BLOCK
    code = RATES.index(audio.rate) if audio.rate in RATES else 0
    streaminfo = struct.pack(">HH", block, block) + bytes(6)
    streaminfo += (audio.rate << 44 | audio.channels - 1 << 41 | 15 << 36 | total).to_bytes(8, "big") + bytes(16)
    comments = _comments(texts)
    blocks = [_block(0, streaminfo), _block(4, comments, last=True)]
    level = LOUD if audio.tone_hz else 0
    frames = _frames(total, block, code, audio.channels, level)
    return b"fLaC" + b"".join(blocks) + b"".join(frames)


def _block(kind: int, content: bytes, *, last: bool = False) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + len(content).to_bytes(3, "big") + content


def _comments(texts: dict[str, str]) -> bytes:
    """Vorbis comments, whose numbers are little-endian wherever they stand."""
    told = [f"{name}={text}".encode() for name, text in texts.items()]
    rows = b"".join(struct.pack("<I", len(row)) + row for row in told)
    return struct.pack("<I", len(VENDOR)) + VENDOR + struct.pack("<I", len(told)) + rows


def _frames(total: int, block: int, rate: int, channels: int, level: int) -> Iterator[bytes]:
    for number, start in enumerate(range(0, total, block)):
        size = min(block, total - start)
        head = (
            b"\xff\xf8" + bytes([0x70 | rate, channels - 1 << 4 | 8]) + _counted(number) + struct.pack(">H", size - 1)
        )
        head += bytes([_crc(head, 8, 0x07)])
        value = level if number % 2 else -level
        frame = head + (b"\x00" + struct.pack(">h", value)) * channels  # subframes of type CONSTANT
        yield frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _counted(number: int) -> bytes:
    """A number as UTF-8 writes one, though it be no character."""
    if number < 0x80:
        return bytes([number])
    parts: list[int] = []
    while number >= 1 << (6 - len(parts)):
        parts.insert(0, 0x80 | number & 0x3F)
        number >>= 6
    return bytes([(0xFF << (7 - len(parts))) & 0xFF | number, *parts])


def _crc(content: bytes, bits: int, polynomial: int) -> int:
    table, value = _table(bits, polynomial), 0
    for byte in content:
        value = (value << 8 & (1 << bits) - 1) ^ table[(value >> bits - 8) ^ byte]
    return value


@cache
def _table(bits: int, polynomial: int) -> tuple[int, ...]:
    def entry(value: int) -> int:
        value <<= bits - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value >> bits - 1 else value << 1) & (1 << bits) - 1
        return value

    return tuple(entry(value) for value in range(256))


def mp3(audio: Audio, _: dict[str, str]) -> bytes:
    """MPEG-1 layer 3, 128 kbit/s, 44.1 kHz, stereo: frames of silence, 26 ms each."""
    frame = b"\xff\xfb\x90\x00" + bytes(413)  # 144 * 128,000 / 44,100 bytes; no bits of sound
    return frame * max(1, round(audio.seconds * 44_100 / 1152))


def opus(audio: Audio, texts: dict[str, str]) -> bytes:
    """Opus in Ogg (RFC 7845): packets of silence, 20 ms each."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 0, 48_000, 0, 0)
    pages = [_page(0, 0, 2, [head]), _page(1, 0, 0, [b"OpusTags" + _comments(texts)])]
    count = max(1, round(audio.seconds * 50))
    for page, start in enumerate(range(0, count, 200), start=2):
        packets = [b"\xfc\xff\xfe"] * min(200, count - start)
        last = start + 200 >= count
        pages.append(_page(page, (start + len(packets)) * 960, 4 if last else 0, packets))
    return b"".join(pages)


def _page(number: int, granule: int, flags: int, packets: list[bytes]) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    fields = struct.pack("<BBqIII", 0, flags, granule, 1, number, 0) + bytes([len(lacing)])
    page = bytearray(b"OggS" + fields + lacing + b"".join(packets))
    page[22:26] = struct.pack("<I", _crc(bytes(page), 32, 0x04C11DB7))
    return bytes(page)
