"""What is stored of an output: the file, whole or not at all, the facts about it, and later its thumbnail."""

import asyncio
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import wave

import pytest
from PIL import Image

from spoonkernel.errors import NotFound, PayloadTooLarge, ValidationFailed
from spoonkernel.media import MediaFolder, folder, parts, thumbnails
from spoonkernel.media import pictures as decoding

MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 12
MEGABYTE = 1024 * 1024


@pytest.fixture
def media(tmp_path):
    return MediaFolder(tmp_path / "media")


@pytest.fixture
def names(tmp_path):
    return lambda: sorted(path.name for path in (tmp_path / "media").glob("*")) if (tmp_path / "media").exists() else []


async def pieces(content, size=1000):
    for at in range(0, len(content), size):
        yield content[at : at + size]


def wav(seconds=2):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\0" * 8000 * seconds)
    return out.getvalue()


async def test_a_picture_is_stored_with_its_thumbnail_and_what_is_in_it(media, pictures, names):
    content = pictures.encode(pictures.noise(600, 400))
    saved = await media.save_output(content)
    assert (saved.type, saved.content_type, saved.size_bytes) == ("image", "image/png", len(content))
    assert (saved.width, saved.height, saved.duration_s, saved.warning) == (600, 400, None, "")
    assert saved.file_sha256 == hashlib.sha256(content).hexdigest()
    assert saved.pixel_sha256 == decoding.read_picture(content).pixel_sha256
    assert (await media.open(saved.path)).content == content
    assert saved.thumbnail == saved.path.removesuffix(".png") + ".thumb.webp"
    thumbnail = await media.open(saved.thumbnail)
    assert thumbnail.content_type == "image/webp"
    assert Image.open(io.BytesIO(thumbnail.content)).size == (256, 171)
    assert len(names()) == 2
    assert await media.open(saved.thumbnail) == thumbnail


async def test_a_thumbnail_is_deleted_with_its_picture_and_not_made_again(media, pictures, names):
    saved, other = await media.save_output(pictures.png()), await media.save_output(pictures.png())
    for one in (saved, other):
        await media.open(one.thumbnail)
    await media.delete(saved.path)
    assert names() == sorted(path.rpartition("/")[2] for path in (other.path, other.thumbnail))
    with pytest.raises(NotFound):
        await media.open(saved.thumbnail)


async def test_thumbnails_are_made_once_no_files_arrive(media, pictures, names, monkeypatch):
    saved = [await media.save_output(pictures.png()) for _ in range(3)]
    await media.make_thumbnails()
    assert names() == sorted(one.path.rpartition("/")[2] for one in saved)
    await media.delete(saved[0].path)
    asked = await media.open(saved[1].thumbnail)
    monkeypatch.setattr(thumbnails, "QUIET_S", 0.0)
    await media.make_thumbnails()
    assert names() == sorted(path.rpartition("/")[2] for one in saved[1:] for path in (one.path, one.thumbnail))
    monkeypatch.setattr(decoding, "thumbnail_of", None)  # none is made twice
    assert await media.open(saved[1].thumbnail) == asked
    assert (await media.open(saved[2].thumbnail)).content == asked.content


async def test_a_thumbnail_is_shown_also_where_it_cannot_be_kept(media, pictures, names, tmp_path):
    saved = await media.save_output(pictures.png())
    being_written = tmp_path / "media" / f".{saved.thumbnail.rpartition('/')[2]}.part"  # by another process
    being_written.write_bytes(b"RI")
    assert (await media.open(saved.thumbnail)).content.startswith(b"RIFF")
    assert (being_written.read_bytes(), len(names())) == (b"RI", 2)


async def test_a_thumbnail_made_while_its_picture_is_deleted_goes_too(media, pictures, names, monkeypatch):
    saved = await media.save_output(pictures.png())
    real = decoding.thumbnail_of

    def slow(content):
        asyncio.run_coroutine_threadsafe(media.delete(saved.path), loop).result(10)
        return real(content)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(decoding, "thumbnail_of", slow)
    assert (await media.open(saved.thumbnail)).content
    assert names() == []


async def test_what_cannot_be_decoded_has_no_thumbnail(media, pictures):
    for content in (pictures.bomb(), pictures.png()[:60]):
        path = await media.save(content)
        with pytest.raises(NotFound):
            await media.open(path.removesuffix(".png") + ".thumb.webp")


async def test_sound_and_video_have_no_thumbnail(media, names):
    sound, video = await media.save_output(wav()), await media.save_output(MP4)
    assert (sound.type, sound.thumbnail, sound.duration_s, sound.pixel_sha256) == ("audio", None, 2.0, None)
    assert (video.type, video.thumbnail, video.file_sha256) == ("video", None, hashlib.sha256(MP4).hexdigest())
    assert len(names()) == 2


async def test_a_picture_too_large_to_be_decoded_is_kept_without_a_thumbnail(media, pictures, names):
    content = pictures.bomb(12_000, 12_000)
    saved = await media.save_output(content)
    assert (saved.width, saved.height, saved.thumbnail, saved.pixel_sha256) == (12_000, 12_000, None, None)
    assert saved.warning.startswith("Stored without thumbnail: The picture is 12000x12000 px")
    assert (await media.open(saved.path)).content == content
    assert len(names()) == 1


async def test_a_very_long_animation_is_kept_without_a_pixel_hash(media, pictures, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS_OF_ALL_FRAMES", 40 * 30 * 2)
    saved = await media.save_output(pictures.animated("WEBP", 3))
    assert (saved.pixel_sha256, saved.warning) == (None, "Stored without a hash of its pixels: 3 frames are too many")
    assert saved.thumbnail


@pytest.mark.parametrize("content", [b"", b"MZ\x90\0", b"<html>", b"PK\3\4"])
async def test_what_is_no_media_leaves_nothing(media, names, content):
    for store in (media.save_output(content), media.save_stream(pieces(content), max_bytes=MEGABYTE)):
        with pytest.raises(ValidationFailed, match="none of flac"):
            await store
    assert names() == []


async def test_a_broken_picture_leaves_nothing(media, pictures, names):
    content = pictures.encode(pictures.noise())
    for store in (media.save_output(content[:-30]), media.save_stream(pieces(content[:-30]), max_bytes=MEGABYTE)):
        with pytest.raises(ValidationFailed, match="cut off"):
            await store
    assert names() == []


async def test_when_the_file_cannot_get_its_name_nothing_is_left(media, pictures, names, monkeypatch):
    def broken(_part, _name=None, *, lasts=True):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts.Part, "keep", broken)
    with pytest.raises(OSError, match="No space"):
        await media.save_output(pictures.png())
    assert names() == []


async def test_a_cancelled_save_leaves_nothing(media, pictures, names, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    real = folder.Part.keep

    def slow(part, name=None, *, lasts=True):
        inside.set()
        assert go_on.wait(10)
        real(part, name, lasts=lasts)

    monkeypatch.setattr(folder.Part, "keep", slow)
    saving = asyncio.create_task(media.save_output(wav()))
    assert await asyncio.to_thread(inside.wait, 10)
    saving.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert names() == []


async def test_a_stream_is_stored_as_the_same_bytes_would_be(media, pictures, names):
    content = pictures.encode(pictures.noise(100, 100))
    for size in (1, 63, 64, 65, 5000, len(content)):
        saved = await media.save_stream(pieces(content[:], size), max_bytes=len(content))
        whole = await media.save_output(content)
        same = {"path": whole.path, "thumbnail": whole.thumbnail}
        assert folder.replace(saved, **same) == whole
        assert (await media.open(saved.path)).content == content
    assert (await media.save_stream(pieces(wav()), max_bytes=MEGABYTE)).duration_s == 2.0
    assert not [name for name in names() if name.startswith(".")]


async def test_a_stream_that_is_too_large_is_refused_while_it_comes(media, names):
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += 1
            yield MP4 + b"\0" * 10_000

    with pytest.raises(PayloadTooLarge, match="larger than 100000 bytes"):
        await media.save_stream(endless(), max_bytes=100_000)
    assert taken == 10
    assert names() == []


async def test_a_stream_of_the_wrong_kind_is_refused_at_its_first_bytes(media, names):
    taken = 0

    async def page():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"<html>" * 20

    with pytest.raises(ValidationFailed):
        await media.save_stream(page(), max_bytes=MEGABYTE)
    assert (taken, names()) == (1, [])


async def test_a_stream_that_breaks_leaves_nothing(media, names):
    async def broken():
        yield MP4 * 10
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await media.save_stream(broken(), max_bytes=MEGABYTE)
    assert names() == []


async def test_what_dead_writers_left_is_swept_and_nothing_else(media, pictures, tmp_path, names):
    await media.sweep_partial()  # no folder yet
    saved = await media.save_output(pictures.png())
    place = tmp_path / "media"
    old, young = place / ".stream_0123456789ab.part", place / ".image_0123456789ab.png.part"
    lonely, foreign = place / "image_ffffffffffff.thumb.webp", place / "notes.txt"
    for path in (old, young, lonely, foreign):
        path.write_bytes(b"x")
    link = place / ".linked.part"
    link.symlink_to(foreign)
    await media.open(saved.thumbnail)
    long_ago = time.time() - 7200
    for path in (
        old,
        lonely,
        foreign,
        place / saved.path.rpartition("/")[2],
        place / saved.thumbnail.rpartition("/")[2],
    ):
        os.utime(path, (long_ago, long_ago))
    assert await media.sweep_partial() == 2
    assert not old.exists()
    assert not lonely.exists()
    assert young.exists()
    assert foreign.exists()
    assert link.is_symlink()
    assert (await media.open(saved.thumbnail)).content


@pytest.mark.parametrize(
    "name",
    [
        "image_0123456789ab.thumb.png",
        "video_0123456789ab.thumb.webp",
        "image_0123456789ab.thumb.thumb.webp",
        "../media/image_0123456789ab.thumb.webp",
        "image_0123456789ab.thumb.webp/../../secret",
        "image_0123456789ab.thumb.webp\0",
        ".image_0123456789ab.thumb.webp.part",
        ".stream_0123456789ab.part",
    ],
)
async def test_names_close_to_a_thumbnail_s_are_not_ours(media, tmp_path, name):
    (tmp_path / "media").mkdir()
    (tmp_path / "secret").write_text("stay")
    (tmp_path / "media" / ".stream_0123456789ab.part").write_text("stay")
    with pytest.raises(NotFound):
        await media.open(name)
    await media.delete(name)
    assert (tmp_path / "secret").exists()
    assert (tmp_path / "media" / ".stream_0123456789ab.part").exists()


async def test_a_link_under_a_thumbnail_s_name_is_not_followed_and_only_the_link_goes(media, tmp_path):
    (tmp_path / "media").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("stay")
    link = tmp_path / "media" / "image_0123456789ab.thumb.webp"
    link.symlink_to(secret)
    with pytest.raises(NotFound):
        await media.open(link.name)
    await media.delete("image_0123456789ab.png")
    assert not link.is_symlink()
    assert secret.read_text() == "stay"


async def test_stored_pictures_are_compared_and_read(media, pictures):
    one = await media.save_output(pictures.png({"prompt": '{"1": {"class_type": "KSampler", "inputs": {}}}'}))
    other = await media.save_output(pictures.png())
    assert (await media.compare(one.path, other.path)).verdict == "IDENTICAL"
    assert one.pixel_sha256 == other.pixel_sha256
    assert one.file_sha256 != other.file_sha256
    assert (await media.metadata(one.path)).source == "comfyui"
    with pytest.raises(NotFound):
        await media.compare(one.path, "image_0123456789ab.png")


async def test_the_loop_runs_on_while_a_picture_is_decoded(media, pictures, monkeypatch):
    inside, go_on = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    real = decoding.read_picture

    def slow(content):
        inside.set()
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)  # would hang if the loop did
        return real(content)

    monkeypatch.setattr(decoding, "read_picture", slow)
    saving = asyncio.create_task(media.save_output(pictures.png()))
    assert await asyncio.to_thread(inside.wait, 10)
    go_on.set()
    assert (await saving).thumbnail


async def test_two_pictures_are_decoded_at_once_and_no_more(media, pictures, monkeypatch):
    inside, most, two = [], [], threading.Barrier(2, timeout=10)
    real = decoding.read_picture

    def counted(content):
        inside.append(content)
        most.append(len(inside))
        two.wait()  # alone, this one would fail
        inside.pop()
        two.wait()
        return real(content)

    monkeypatch.setattr(decoding, "read_picture", counted)
    await asyncio.gather(*(media.save_output(pictures.png()) for _ in range(6)))
    assert max(most) == 2


def test_pillow_is_loaded_with_the_first_picture_and_not_before():
    code = "import sys, spoonkernel.media; print([name for name in sys.modules if name.split('.')[0] == 'PIL'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
