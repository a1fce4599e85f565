"""Attachments: their data URLs are made once and kept within a limit."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from spoonkernel.errors import NotFound
from spoonkernel.media import MediaFolder
from spoonkernel.services import attachments
from spoonkernel.services.attachments import Attachments


def png(color: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every picture that was encoded, in order."""
    seen: list[bytes] = []
    real = attachments._data_url

    def noted(content: bytes) -> str:
        seen.append(content)
        return real(content)

    monkeypatch.setattr(attachments, "_data_url", noted)
    return seen


async def test_a_picture_is_encoded_once_while_it_is_kept(tmp_path: Path, encodings: list[bytes]) -> None:
    room = Attachments(MediaFolder(tmp_path))
    kept = await room.keep(png("red"), "red.png")
    parts = [await room.part(kept.content) for _ in range(3)]
    assert parts[0] == parts[2]
    assert base64.b64decode(parts[0]["image_url"]["url"].partition(",")[2]) == png("red")
    assert encodings == [png("red")]


async def test_beyond_the_limit_the_one_that_was_used_longest_ago_goes(tmp_path: Path, encodings: list[bytes]) -> None:
    size = len("data:image/png;base64,") + len(base64.b64encode(png("red")))
    room = Attachments(MediaFolder(tmp_path), kept_bytes=2 * size + 20)
    red, blue, lime = [(await room.keep(png(color), "")).content for color in ("red", "blue", "lime")]
    for path in (red, blue, red, lime, red, blue):
        await room.part(path)
    assert encodings == [png("red"), png("blue"), png("lime"), png("blue")]


async def test_what_was_dropped_is_neither_kept_nor_there(tmp_path: Path, encodings: list[bytes]) -> None:
    room = Attachments(MediaFolder(tmp_path))
    kept = await room.keep(png("red"), "")
    await room.part(kept.content)
    await room.drop([kept.content])
    with pytest.raises(NotFound):
        await room.part(kept.content)
    assert encodings == [png("red")]
