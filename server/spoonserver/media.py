"""Files on their way to a browser: shown only when they are plain pictures, sound or video, and never able to run."""

from collections.abc import AsyncGenerator, AsyncIterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from spoonkernel.types.base import Media
from spoonkernel.types.rows import ARROW_TYPE
from spoonserver.deps import WorkbenchDep
from spoonserver.sse import Streamed, closing

router = APIRouter(tags=["Results"])

SHOWN = frozenset(
    {
        *("image/png", "image/jpeg", "image/webp", "image/gif", "video/mp4", "video/webm"),
        *("audio/wav", "audio/mpeg", "audio/flac", "audio/ogg"),
    }
)
"""What a page may show in place. SVG and HTML are not here: they can carry scripts."""

DATA = frozenset({"application/json", "application/vnd.apache.parquet", ARROW_TYPE})
"""What is saved, and keeps its own type."""

TEXT = frozenset({"text/plain", "text/csv"})
SANDBOX = "sandbox; default-src 'none'"


def binary_docs() -> dict[int | str, dict[str, Any]]:
    """The OpenAPI words for an answer that is a file."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": {"application/octet-stream": schema}, "description": "The file"}}


@router.get("/storage/media/{name}", response_class=Response, responses=binary_docs())
async def get_media_file(name: str, workbench: WorkbenchDep) -> Response:
    """A file that a result's `content` points to."""
    # names are random and never used again, so a browser may keep what it has
    return _shown(await workbench.media.open(name), {"Cache-Control": "private, max-age=31536000, immutable"})


def inline(media: Media, request: Request) -> Response:
    """A file to be shown, whose name may be used again: a browser keeps it, and asks each time if it is still so."""
    tag = f'"{sha256(media.content).hexdigest()}"'
    headers = {"Cache-Control": "private, no-cache", "ETag": tag}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers | {"Content-Security-Policy": SANDBOX})
    return _shown(media, headers)


def attachment(media: Media) -> Response:
    """A file to be saved."""
    return _file(media, "attachment", {})


async def streamed_csv(pieces: AsyncIterator[bytes], filename: str) -> Response:
    """A CSV file to be saved, sent while it is being read from the store.

    What goes wrong before the second piece (a filter that makes no sense, a store that is away) is still an error
    answer; after that only the connection can break.
    """
    ahead = [piece async for piece in _first(pieces, 2)]

    async def rest() -> AsyncGenerator[bytes, None]:
        async with closing(pieces):
            for piece in ahead:
                yield piece
            async for piece in pieces:
                yield piece

    return Streamed(rest(), _headers("text/csv", "attachment", filename))


async def _first(pieces: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        try:
            yield await anext(pieces)
        except StopAsyncIteration:
            return


def _shown(media: Media, headers: dict[str, str]) -> Response:
    return _file(media, "inline" if media.content_type in SHOWN else "attachment", headers)


def _file(media: Media, disposition: str, headers: dict[str, str]) -> Response:
    return Response(media.content, headers=_headers(media.content_type, disposition, media.filename) | headers)


def _headers(content_type: str, disposition: str, filename: str) -> dict[str, str]:
    kind = content_type.partition(";")[0].strip().lower()
    known = kind if kind in SHOWN | DATA else "application/octet-stream"
    return {
        "Content-Type": f"{kind}; charset=utf-8" if kind in TEXT else known,
        "Content-Disposition": f"{disposition}; {_filename(filename)}",
        "Content-Security-Policy": SANDBOX,
    }


def _filename(name: str) -> str:
    """Both forms of RFC 6266: one that old clients read, and the exact one."""
    plain = "".join(letter if (letter.isalnum() and letter.isascii()) or letter in " ._-()" else "_" for letter in name)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
