"""Files: shown only when they are plain media, never able to run, under names that headers can carry."""

import io

import pytest
from PIL import Image

from spoonkernel.types.base import Media

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


class Folder:
    """A media folder with one file in it."""

    def __init__(self, content_type: str, filename: str = "x.bin") -> None:
        self._media = Media(content=b"<script>", content_type=content_type, filename=filename)

    async def open(self, _name: str) -> Media:
        return self._media

    download = open


async def test_a_picture_is_shown_in_a_sandbox_and_kept(api, workbench):
    path = await workbench.media.save(PNG)
    reply = await api.get(path)
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (200, PNG, "image/png")
    assert reply.headers["content-disposition"].startswith("inline;")
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in reply.headers["cache-control"]


async def test_a_thumbnail_is_served_as_its_picture_is(api, workbench):
    out = io.BytesIO()
    Image.new("RGB", (600, 300), (200, 10, 10)).save(out, "PNG")
    saved = await workbench.media.save_output(out.getvalue())
    reply = await api.get(saved.thumbnail)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(reply.content)).size == (256, 128)
    assert reply.headers["content-disposition"].startswith("inline;")
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "immutable" in reply.headers["cache-control"]
    await workbench.media.delete(saved.path)
    assert (await api.get(saved.thumbnail)).status_code == 404


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/pdf", "text/html; charset=utf-8", ""])
async def test_what_could_run_is_saved_and_never_shown(api, workbench, kind):
    workbench.media = Folder(kind)
    reply = await api.get("/storage/media/x")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "name", ["..%2Fspoon.db", "..%5Cspoon.db", "%2Fetc%2Fpasswd", "image_0123456789ab.png", "%00", "x.png"]
)
async def test_only_files_of_the_folder_are_served(api, name):
    reply = await api.get(f"/storage/media/{name}")
    assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.png", "filename=\"a.png\"; filename*=UTF-8''a.png"),
        ('a"b\r\nX: y.png', "filename=\"a_b__X_ y.png\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y.png"),
        ("größe.png", "filename=\"gr__e.png\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.png"),
    ],
)
async def test_a_file_name_cannot_leave_its_header(api, workbench, name, header):
    workbench.results = Folder("image/png", name)
    reply = await api.get("/api/results/any/download")
    assert reply.headers["content-disposition"] == f"attachment; {header}"
    assert "x" not in reply.headers


async def test_a_text_is_downloaded_as_utf_8(api, workbench):
    workbench.results = Folder("text/plain", "x.txt")
    assert (await api.get("/api/results/any/download")).headers["content-type"] == "text/plain; charset=utf-8"
