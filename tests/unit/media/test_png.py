"""PNG files as chunks: texts go in and out, and no other byte changes."""

import io
import zlib

import pytest
from PIL import Image

from spoonkernel.errors import ValidationFailed
from spoonkernel.media.metadata import read_metadata
from spoonkernel.media.pictures import read_picture
from spoonkernel.media.png import MAX_TEXT_BYTES, SIGNATURE, chunks, embed_png_text


def drawn(content):
    return [
        (chunk.name, bytes(chunk.data)) for chunk in chunks(content) if chunk.name not in {b"tEXt", b"zTXt", b"iTXt"}
    ]


@pytest.mark.parametrize("text", ["plain", "zwei\nZeilen", "größe, Ã©", "雪 ☃ 😀", "", "a" * 100_000])
def test_a_text_goes_in_and_comes_out_here_and_in_pillow(pictures, text):
    original = pictures.encode(pictures.noise(), dpi=(300, 300))
    content = embed_png_text(original, {"spoon note": text})
    assert read_metadata(content).raw == {"spoon note": text}
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert image.text == {"spoon note": text}
    assert drawn(content) == drawn(original)
    assert read_picture(content).pixel_sha256 == read_picture(original).pixel_sha256
    assert all(chunk.is_intact for chunk in chunks(content))


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_takes_the_place_of_those_of_its_name(pictures, packed):
    original = pictures.png({"prompt": "old é", "workflow": "stays"}, packed=packed)
    content = embed_png_text(original, {"prompt": "new", "spoon": "{}"})
    assert read_metadata(content).raw == {"prompt": "new", "spoon": "{}", "workflow": "stays"}
    assert content.count(b"prompt\0") == 1
    assert embed_png_text(content, {"prompt": "new", "spoon": "{}"}) == content


def test_what_the_format_cannot_hold_is_left_out(pictures):
    content = embed_png_text(pictures.png(), {"a": "nul\0 half \ud800 pair"})
    assert read_metadata(content).raw == {"a": "nul half ? pair"}


@pytest.mark.parametrize("name", ["", "x" * 80, "雪", " a", "a ", "a  b", "a\nb", "a\0b"])
def test_a_keyword_that_the_format_does_not_take_is_refused(pictures, name):
    with pytest.raises(ValidationFailed, match="cannot name a text"):
        embed_png_text(pictures.png(), {name: "x"})


def test_a_text_that_we_would_not_read_is_not_written(pictures):
    with pytest.raises(ValidationFailed, match="longer than"):
        embed_png_text(pictures.png(), {"a": "x" * (MAX_TEXT_BYTES + 1)})


def test_only_a_whole_png_takes_texts(pictures):
    whole = pictures.png()
    for content in (b"", SIGNATURE, whole[:-1], whole[:40], pictures.encode(pictures.noise(), "JPEG")):
        with pytest.raises(ValidationFailed):
            embed_png_text(content, {"a": "b"})


def test_a_wrong_checksum_is_seen(pictures):
    good = list(chunks(pictures.png({"a": "b"})))
    assert all(chunk.is_intact for chunk in good)
    bad = pictures.with_chunk(pictures.chunk(b"tEXt", b"a\0b", crc=zlib.crc32(b"else")))
    assert [chunk.name for chunk in chunks(bad) if not chunk.is_intact] == [b"tEXt"]
