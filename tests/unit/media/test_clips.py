"""Lengths and sizes of sound and video, from headers made as the formats say."""

import io
import struct
import wave

import pytest

from spoonkernel.media.clips import ClipFacts, read_clip
from spoonkernel.media.kinds import kind_of


def facts(content):
    return read_clip(io.BytesIO(content), kind_of(content))


def wav(seconds):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0" * int(8000 * 4 * seconds))
    return out.getvalue()


def flac(samples, rate):
    packed = (rate << 44 | 1 << 41 | 15 << 36 | samples).to_bytes(8, "big")
    return b"fLaC" + b"\x80\0\0\x22" + b"\x10\0\x10\0" + b"\0" * 6 + packed + b"\0" * 16


def box(name, inside):
    return struct.pack(">I4s", 8 + len(inside), name) + inside


def mp4(*, version=0, ahead=b""):
    times = struct.pack(">QQIQ", 0, 0, 1000, 2500) if version else struct.pack(">IIII", 0, 0, 1000, 2500)
    mvhd = box(b"mvhd", bytes([version, 0, 0, 0]) + times + b"\0" * 80)
    sound = box(b"trak", box(b"tkhd", b"\0" * 84))
    video = box(b"trak", box(b"tkhd", b"\0" * 76 + struct.pack(">II", 640 << 16, 480 << 16)))
    return box(b"ftyp", b"isom\0\0\0\0") + ahead + box(b"moov", mvhd + sound + video)


def test_wav_and_flac_say_how_long_they_are():
    assert facts(wav(1.5)) == ClipFacts(1.5)
    assert facts(flac(44_100 * 3, 44_100)) == ClipFacts(3.0)


@pytest.mark.parametrize("version", [0, 1])
def test_mp4_says_its_length_and_its_video_s_size(version):
    assert facts(mp4(version=version)) == ClipFacts(2.5, 640, 480)


def test_mp4_with_its_index_at_the_end_is_read_too():
    long_head = struct.pack(">I4sQ", 1, b"mdat", 16 + 1000) + b"\0" * 1000
    assert facts(mp4(ahead=long_head)) == ClipFacts(2.5, 640, 480)


@pytest.mark.parametrize("make", [lambda: wav(1), lambda: flac(9, 9), mp4])
def test_a_header_cut_off_anywhere_says_nothing_wrong(make):
    whole = make()
    known = facts(whole)
    for length in range(12, len(whole), max(1, len(whole) // 60)):
        found = facts(whole[:length])
        assert found.duration_s is None or found.duration_s <= known.duration_s


@pytest.mark.parametrize(
    "content",
    [
        flac(100, 0),
        box(b"ftyp", b"isom\0\0\0\0") + struct.pack(">I4s", 2, b"moov"),
        b"\0\0\0\0ftypisom",
        b"OggS\0\2" + b"\0" * 60,
    ],
)
def test_hostile_or_silent_headers_say_nothing(content):
    assert facts(content) == ClipFacts()
