import base64
import struct

import pytest

from spoonkernel.errors import BadRequest
from spoonkernel.providers.pictures import content_type_of, guess_web, picture_of, read_picture, size_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 12, 34)
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab" + b"\xff\xc4\x00\x03a" + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 480, 640)
LOSSY = b"RIFF____WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 320 | 0x4000, 200)
LOSSLESS = b"RIFF____WEBPVP8L" + b"\0" * 4 + b"\x2f" + (319 | 199 << 14).to_bytes(4, "little")
EXTENDED = b"RIFF____WEBPVP8X" + b"\0" * 8 + (319).to_bytes(3, "little") + (199).to_bytes(3, "little")


@pytest.mark.parametrize(
    ("content", "kind", "size"),
    [
        (PNG, "image/png", (640, 480)),
        (GIF, "image/gif", (12, 34)),
        (JPEG, "image/jpeg", (640, 480)),
        (LOSSY, "image/webp", (320, 200)),
        (LOSSLESS, "image/webp", (320, 200)),
        (EXTENDED, "image/webp", (320, 200)),
        (b"<svg/>", "", None),
        (PNG[:18], "image/png", None),
        (b"\xff\xd8\xff", "image/jpeg", None),
    ],
)
def test_type_and_size_are_read_from_the_bytes(content, kind, size):
    assert content_type_of(content, "") == kind
    assert size_of(content) == size


def test_data_url_is_taken_apart():
    data = base64.b64encode(PNG).decode()
    picture = picture_of(f"data:image/png;base64,{data[:20]}\n{data[20:]}")
    assert (picture.content_type, picture.base64) == ("image/png", data)


@pytest.mark.parametrize(
    "url",
    [
        *("", "data:", "data:image/png;base64", "data:image/png;base64,", "data:image/png,abc", "/tmp/x.png"),
        *("data:text/html;base64,YQ==", "data:image/png;base64,a", "data:image/png;base64,YQ==é", "file:///etc/passwd"),
        "data:image/png;base64,####",
    ],
)
def test_url_that_holds_no_picture_is_a_bad_request(url):
    with pytest.raises(BadRequest, match="image"):
        picture_of(url)


def test_refusal_does_not_quote_a_whole_picture():
    with pytest.raises(BadRequest) as caught:
        picture_of("data:image/png," + "A" * 100_000)
    assert len(caught.value.message) < 200


def test_web_address_is_refused_naming_the_provider():
    with pytest.raises(BadRequest, match="Ollama fetches no pictures"):
        read_picture("https://example.com/cat.png", "Ollama")


def test_type_of_a_web_address_is_its_ending():
    assert guess_web("https://example.com/cat.webp?size=2") == "image/webp"
    assert guess_web("https://example.com/cat") == "image/jpeg"
