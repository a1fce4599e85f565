import struct
import zlib

import pytest

from spoonkernel.errors import NotFound, ValidationFailed
from spoonkernel.media import MediaFolder, kind_of, size_px


def png(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + b"\0" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


JPEG = (
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 30, 40) + b"\3" * 12
)
WEBP_LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 40, 30)
WEBP_LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 39 | 29 << 14)
WEBP_EXTENDED = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
SAMPLES = {
    "png": png(40, 30),
    "jpg": JPEG,
    "gif": b"GIF89a" + struct.pack("<HH", 40, 30),
    "webp": WEBP_LOSSY,
    "mp4": b"\0\0\0\x18ftypisom",
    "webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm",
    "wav": b"RIFF\0\0\0\0WAVEfmt ",
    "mp3": b"\xff\xfb\x90\0",
    "flac": b"fLaC\0\0\0\x22",
    "ogg": b"OggS\0\2",
}


@pytest.mark.parametrize("extension", SAMPLES)
async def test_each_kind_is_known_by_its_bytes_and_comes_back_whole(tmp_path, extension):
    folder = MediaFolder(tmp_path / "media")
    path = await folder.save(SAMPLES[extension])
    assert path.startswith("/storage/media/")
    assert path.endswith(f".{extension}")
    media = await folder.open(path.rpartition("/")[2])
    assert media.content == SAMPLES[extension]
    assert media.content_type == kind_of(SAMPLES[extension]).content_type


@pytest.mark.parametrize(
    "content", [b"", b"<svg xmlns=''/>", b"<html>", b"#!/bin/sh", b"RIFF\0\0\0\0AVI ", b"\xff\xd9"]
)
async def test_anything_else_is_refused_and_leaves_no_file(tmp_path, content):
    with pytest.raises(ValidationFailed, match="none of flac"):
        await MediaFolder(tmp_path).save(content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../engine.lock",
        "image_0123456789ab.png/..",
        "..\\secret",
        "/etc/passwd",
        "image_0123456789ab.png\0",
        "image_0123456789ab.png\n",
        "image_0123456789AB.png",
        "image_0123456789ab.svg",
        "%2e%2e%2fsecret",
        "CON",
        "image_\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669ab.png",
        ".image_0123456789ab.png.part",
        "/storage/media//storage/media/image_0123456789ab.png",
    ],
)
async def test_a_name_that_is_not_ours_is_not_found_and_deletes_nothing(tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("stay")
    folder = MediaFolder(tmp_path / "media")
    await folder.save(SAMPLES["png"])
    with pytest.raises(NotFound):
        await folder.open(name)
    await folder.delete(name)
    assert secret.read_text() == "stay"
    assert len(list((tmp_path / "media").iterdir())) == 1


async def test_a_symbolic_link_with_a_good_name_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "image_0123456789ab.png").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        await MediaFolder(tmp_path).open("image_0123456789ab.png")


async def test_a_deleted_file_is_gone_and_deleting_it_again_is_fine(tmp_path):
    folder = MediaFolder(tmp_path)
    path = await folder.save(SAMPLES["gif"])
    await folder.delete(path)
    await folder.delete(path)
    with pytest.raises(NotFound, match="not found"):
        await folder.open(path)


@pytest.mark.parametrize("content", [SAMPLES["png"], SAMPLES["gif"], JPEG, WEBP_LOSSY, WEBP_LOSSLESS, WEBP_EXTENDED])
def test_the_size_of_an_image_is_read_from_its_header(content):
    assert size_px(content) == (40, 30)


@pytest.mark.parametrize(
    "content", [SAMPLES["png"][:20], JPEG[:22], WEBP_LOSSY[:27], WEBP_EXTENDED[:28], b"", b"\xff\xd8\xff"]
)
def test_an_image_cut_off_in_its_header_has_no_size(content):
    assert size_px(content) is None


def test_sound_has_no_size():
    assert size_px(SAMPLES["wav"]) is None
