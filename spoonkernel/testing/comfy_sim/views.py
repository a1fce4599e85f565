"""Files over HTTP: `/view`, `/upload/image`, `/upload/mask`, `/view_metadata`."""

import io
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from PIL import Image

from spoonkernel.testing.comfy_sim.files import media_type
from spoonkernel.testing.comfy_sim.world import World

Entry = tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]


def table(world: World) -> list[Entry]:
    """The routes of this file."""
    views = Views(world)
    return [
        ("GET", "/view", views.view),
        ("POST", "/upload/image", views.upload),
        ("GET", "/view_metadata/{folder}", views.metadata),
    ]


class Views:
    """The handlers of one server."""

    def __init__(self, world: World) -> None:
        self._files, self._world = world.files, world

    async def view(self, request: web.Request) -> web.StreamResponse:
        """GET /view."""
        query = request.query
        path = self._found(query)
        if isinstance(path, int):
            return web.Response(status=path)
        if "preview" in query:
            return _preview(path, query["preview"], query.get("channel", ""))
        if query.get("channel") in {"rgb", "a"}:
            return _channel(path, query["channel"])
        kind = media_type(path.name)
        headers = _named(path) | {"Content-Type": kind}
        if self._world.modern and kind == "image/svg+xml":
            headers["Content-Disposition"] = f"attachment; {headers['Content-Disposition']}"
            headers["X-Content-Type-Options"] = "nosniff"
        return web.FileResponse(path, headers=headers)

    def _found(self, query: Mapping[str, str]) -> Path | int:
        """The file that is asked for, or the status that says why not."""
        if "filename" not in query:
            return 404
        name, folder = self._files.annotated(query["filename"])
        folder = folder or self._files.folder(query.get("type", "output"))
        if not name or name[0] == "/" or ".." in name or folder is None:
            return 400
        inside = self._files.inside(folder, query.get("subfolder", ""))
        if inside is None:
            return 403
        path = inside / Path(name).name
        return path if path.is_file() else 404

    async def upload(self, request: web.Request) -> web.Response:
        """POST /upload/image: a name that is taken by other bytes gets a number."""
        form = await request.post()
        kind = str(form.get("type") or "input")
        folder = self._files.folder(kind)
        if folder is None:
            raise TypeError("no such folder")  # ComfyUI fails here as well
        image = form.get("image")
        if not isinstance(image, web.FileField) or not image.filename:
            return web.Response(status=400)
        subfolder = str(form.get("subfolder", ""))
        content = image.file.read()
        name = image.filename
        path = self._files.inside(folder, subfolder, name)
        if path is None or path == folder.absolute():
            return web.Response(status=400)
        path.parent.mkdir(parents=True, exist_ok=True)
        if form.get("overwrite") not in {"true", "1"}:
            path = _free(path, content)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        told: dict[str, Any] = {"name": path.name, "subfolder": subfolder, "type": kind}
        if self._world.modern:
            told["asset"] = {"name": path.name}
        return web.json_response(told)

    async def metadata(self, request: web.Request) -> web.Response:
        """GET /view_metadata/FOLDER?filename: what a model file tells of itself."""
        folder, name = request.match_info["folder"], request.query.get("filename", "")
        if name not in (self._world.catalog.files(folder) or []) or not name.endswith(".safetensors"):
            return web.Response(status=404)
        return web.json_response({"modelspec.title": unquote(name.rsplit(".", 1)[0]), "simulated": "true"})


def _named(path: Path) -> dict[str, str]:
    return {"Content-Disposition": f'filename="{path.name}"'}


def _preview(path: Path, wanted: str, channel: str) -> web.Response:
    parts = wanted.split(";")
    kind = parts[0] if parts[0] in {"webp", "jpeg"} and "a" not in channel else "webp"
    quality = int(parts[-1]) if parts[-1].isdigit() else 90
    if not 0 <= quality <= 100:
        raise ValueError("quality")  # libwebp refuses it, and ComfyUI answers 500
    file = io.BytesIO()
    with Image.open(path) as image:
        (image.convert("RGB") if kind == "jpeg" or channel == "rgb" else image).save(file, kind, quality=quality)
    return web.Response(body=file.getvalue(), content_type=f"image/{kind}", headers=_named(path))


def _channel(path: Path, channel: str) -> web.Response:
    file = io.BytesIO()
    with Image.open(path) as image:
        if channel == "rgb":
            shown = image.convert("RGB")
        else:
            shown = Image.new("RGBA", image.size)
            shown.putalpha(image.getchannel("A") if image.mode == "RGBA" else Image.new("L", image.size, 255))
    shown.save(file, "PNG")
    return web.Response(body=file.getvalue(), content_type="image/png", headers=_named(path))


def _free(path: Path, content: bytes) -> Path:
    """The path itself, or with a number where other bytes have its name."""
    wanted, number = path, 1
    while path.exists() and path.read_bytes() != content:
        path = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
        number += 1
    return path
