"""The HTTP side: `server.py` of ComfyUI 0.3.64, each route also below `/api`."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from spoonkernel.testing.comfy_sim import modern, views
from spoonkernel.testing.comfy_sim.catalog import FOLDERS
from spoonkernel.testing.comfy_sim.validation import problem
from spoonkernel.testing.comfy_sim.world import MOST_UPLOAD, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble"  # aiohttp's words for any exception
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
RAM = 16 * 1024**3


def application(world: World, requests: "Counter[str]") -> web.Application:
    """The routes of one life of the server. `requests` counts what is asked."""
    app = web.Application(client_max_size=MOST_UPLOAD, middlewares=[_edge(world, requests)])
    routes = Routes(world)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/ws", world.sockets.handle),
        ("GET", "/prompt", routes.remaining),
        ("POST", "/prompt", routes.submit),
        ("GET", "/queue", routes.queue),
        ("POST", "/queue", routes.change_queue),
        ("POST", "/interrupt", routes.interrupt),
        ("GET", "/history", routes.history),
        ("GET", "/history/{prompt_id}", routes.one_history),
        ("POST", "/history", routes.change_history),
        ("POST", "/free", routes.free),
        ("GET", "/object_info", routes.object_info),
        ("GET", "/object_info/{node_class}", routes.one_object_info),
        ("GET", "/models", routes.models),
        ("GET", "/models/{folder}", routes.model_files),
        ("GET", "/experiment/models", routes.folders),
        ("GET", "/experiment/models/{folder}", routes.file_details),
        ("GET", "/embeddings", routes.embeddings),
        ("GET", "/extensions", routes.nothing_yet),
        ("GET", "/features", routes.features),
        ("GET", "/system_stats", routes.system_stats),
        *views.table(world),
        *(modern.table(world) if world.modern else []),
    ]
    for method, path, handler in table:
        for prefix in ("", "/api"):
            if not path.startswith("/api/") or not prefix:
                app.router.add_route(method, prefix + path, handler)
    app.router.add_get("/", routes.page)
    app.router.add_get("/{path:.*}", routes.no_such_file)  # ComfyUI's page lies here: other methods get a 405
    return app


def _edge(world: World, requests: "Counter[str]") -> Any:
    """Counts, refuses, delays, and answers a 500 as aiohttp does, without its log."""

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        if isinstance(transport, asyncio.Transport):
            world.connections.add(transport)
        path = request.match_info.route.resource.canonical if request.match_info.route.resource else request.path
        path = path.removeprefix("/api") if not path.startswith(("/api/jobs", "/api/assets")) else path
        requests[f"{request.method} {path}"] += 1
        await world.faults.answering()
        if world.faults.refusal is not None:
            return _refused(request, world.faults.refusal)
        if _foreign(request):
            return web.Response(status=403)
        await asyncio.sleep(world.faults.answer_delay_s.get(path, 0))
        try:
            return await handler(request)
        except (LookupError, TypeError, ValueError, AttributeError, OSError):
            return web.Response(status=500, text=TROUBLE)

    return edge


def _refused(request: web.Request, status: int) -> web.Response:
    if not status and request.transport:
        request.transport.abort()
    return web.Response(status=status or 503)


def _foreign(request: web.Request) -> bool:
    """Whether a page of another site asks a server on loopback."""
    if "Origin" not in request.headers:
        return False
    host, origin = urlsplit(f"//{request.host.lower()}"), urlsplit(request.headers["Origin"].lower())
    if host.hostname not in LOOPBACK or not origin.netloc:
        return False
    if origin.port is None or host.port is None:
        return host.hostname != origin.hostname
    return host.netloc != origin.netloc


class Routes:
    """The handlers of one server."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def submit(self, request: web.Request) -> web.Response:
        """POST /prompt."""
        world, body = self._world, await request.json()
        if "number" in body:
            number = float(body["number"])
        else:
            number = -world.number if body.get("front") else world.number
            world.number += 1
        if "prompt" not in body:
            error = problem("no_prompt", "No prompt provided", "No prompt provided")
            return web.json_response({"error": error, "node_errors": {}}, status=400)
        prompt_id = str(body.get("prompt_id", uuid.uuid4()))
        if world.modern and not modern.is_uuid(prompt_id):
            error = problem("invalid_prompt_id", "prompt_id must be a valid UUID", prompt_id)
            return web.json_response({"error": error, "node_errors": {}}, status=400)
        verdict = world.validator.check(body["prompt"], body.get("partial_execution_targets"))
        if verdict.error:
            return web.json_response({"error": verdict.error, "node_errors": verdict.node_errors}, status=400)
        extra = dict(body.get("extra_data") or {})
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        if world.modern:
            extra = modern.cleared(extra)
        world.submitted(prompt_id)
        world.queue.put(number, prompt_id, body["prompt"], extra, verdict.outputs)
        if world.faults.lost_answers > 0:
            world.faults.lost_answers -= 1
            return _refused(request, 0)
        return web.json_response({"prompt_id": prompt_id, "number": number, "node_errors": verdict.node_errors})

    async def remaining(self, _: web.Request) -> web.Response:
        """GET /prompt."""
        return web.json_response({"exec_info": {"queue_remaining": self._world.queue.remaining}})

    async def queue(self, _: web.Request) -> web.Response:
        """GET /queue."""
        return web.json_response(self._world.queue.listed())

    async def change_queue(self, request: web.Request) -> web.Response:
        """POST /queue."""
        body = await request.json()
        if body.get("clear"):
            self._world.queue.clear()
        for prompt_id in body.get("delete", []):
            self._world.queue.remove(prompt_id)
        return web.Response(status=200)

    async def interrupt(self, request: web.Request) -> web.Response:
        """POST /interrupt: what runs, or one prompt if it is the one that runs."""
        try:
            wanted = (await request.json()).get("prompt_id")
        except json.JSONDecodeError:
            wanted = None
        running = self._world.queue.running
        if not wanted or (running and running.prompt_id == wanted):
            self._world.executor.interrupted = True
        return web.Response(status=200)

    async def history(self, request: web.Request) -> web.Response:
        """GET /history."""
        most = request.query.get("max_items")
        found = self._world.queue.past(int(most) if most is not None else None, int(request.query.get("offset", -1)))
        return web.json_response(found)

    async def one_history(self, request: web.Request) -> web.Response:
        """GET /history/ID: `{}` for one that is not known."""
        prompt_id = request.match_info["prompt_id"]
        found = self._world.queue.history.get(prompt_id)
        return web.json_response({prompt_id: found} if found else {})

    async def change_history(self, request: web.Request) -> web.Response:
        """POST /history."""
        body = await request.json()
        if body.get("clear"):
            self._world.queue.history.clear()
        for prompt_id in body.get("delete", []):
            self._world.queue.history.pop(prompt_id, None)
        return web.Response(status=200)

    async def free(self, request: web.Request) -> web.Response:
        """POST /free: there is nothing to free."""
        await request.json()
        return web.Response(status=200)

    async def object_info(self, _: web.Request) -> web.Response:
        """GET /object_info."""
        return web.json_response(self._world.catalog.everything())

    async def one_object_info(self, request: web.Request) -> web.Response:
        """GET /object_info/CLASS: `{}` for a class that is not known."""
        name = request.match_info["node_class"]
        return web.json_response({name: self._world.catalog.describe(name)} if name in self._world.catalog else {})

    async def models(self, _: web.Request) -> web.Response:
        """GET /models."""
        return web.json_response(list(FOLDERS))

    async def model_files(self, request: web.Request) -> web.Response:
        """GET /models/FOLDER."""
        found = self._world.catalog.files(request.match_info["folder"])
        return web.Response(status=404) if found is None else web.json_response(found)

    async def folders(self, _: web.Request) -> web.Response:
        """GET /experiment/models."""
        left_out = {"configs", "custom_nodes"}
        told = [{"name": name, "folders": [f"/simulated/models/{name}"]} for name in FOLDERS if name not in left_out]
        return web.json_response(told)

    async def file_details(self, request: web.Request) -> web.Response:
        """GET /experiment/models/FOLDER. Sizes are those of `model_bytes`."""
        found = self._world.catalog.files(request.match_info["folder"])
        if found is None:
            return web.Response(status=404)
        told = [
            {"name": name, "pathIndex": 0, "modified": 1_700_000_000.0, "created": 1_700_000_000.0,
             "size": len(self._world.model_bytes.get(name, b""))}
            for name in found
        ]  # fmt: skip
        return web.json_response(told)

    async def embeddings(self, _: web.Request) -> web.Response:
        """GET /embeddings: names without their extensions."""
        return web.json_response([name.rsplit(".", 1)[0] for name in self._world.catalog.files("embeddings") or []])

    async def nothing_yet(self, _: web.Request) -> web.Response:
        """GET /extensions: the page has none."""
        return web.json_response([])

    async def features(self, _: web.Request) -> web.Response:
        """GET /features."""
        return web.json_response(self._world.features())

    async def system_stats(self, _: web.Request) -> web.Response:
        """GET /system_stats."""
        device = {"name": "simulated", "type": "cpu", "index": None, "vram_total": RAM, "vram_free": RAM,
                  "torch_vram_total": RAM, "torch_vram_free": RAM}  # fmt: skip
        system = {
            "os": "posix",
            "ram_total": RAM,
            "ram_free": RAM,
            "comfyui_version": self._world.version,
            "python_version": "3.11",
            "pytorch_version": "simulated",
            "embedded_python": False,
            "argv": ["spoon", "comfy-sim"],
        }
        return web.json_response({"system": system, "devices": [device]})

    async def page(self, _: web.Request) -> web.Response:
        """GET /."""
        text = (
            "<!doctype html><title>Simulated ComfyUI</title><p>This is a simulated ComfyUI: it has no page of its own."
        )
        return web.Response(text=text, content_type="text/html")

    async def no_such_file(self, _: web.Request) -> web.Response:
        """Any other GET."""
        return web.Response(status=404)
