"""What 0.38.1 has beyond 0.3.64: jobs, assets, UUIDs. Read in its source, never recorded."""

import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from spoonkernel.testing.comfy_sim.queue import Item
from spoonkernel.testing.comfy_sim.world import World

Entry = tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]

KEPT_OUT = {"auth_token_comfy_org", "api_key_comfy_org"}
USUAL_LIMIT = 100
STATES = {"success": "completed", "error": "failed"}


def table(world: World) -> list[Entry]:
    """The routes of this file."""
    modern = Modern(world)
    return [
        ("GET", "/api/jobs", modern.jobs),
        ("POST", "/api/jobs/cancel", modern.cancel_many),
        ("GET", "/api/jobs/{job_id}", modern.job),
        ("POST", "/api/jobs/{job_id}/cancel", modern.cancel),
        ("GET", "/api/assets", modern.assets),
    ]


def is_uuid(text: str) -> bool:
    """Whether it is a canonical lowercase UUID."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def cleared(extra_data: dict[str, Any]) -> dict[str, Any]:
    """`extra_data` as it is kept: no keys of the user, and when it was made (ms)."""
    kept = {name: value for name, value in extra_data.items() if name not in KEPT_OUT}
    return kept | {"create_time": int(time.time() * 1000)}


class Modern:
    """The handlers of one server."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def jobs(self, request: web.Request) -> web.Response:
        """GET /api/jobs."""
        query = request.query
        wanted = set(filter(None, query.get("status", "").split(",")))
        found = [job for job in self._all() if not wanted or job["status"] in wanted]
        key = "execution_start_time" if query.get("sort_by") == "execution_duration" else "create_time"
        found.sort(key=lambda job: job.get(key) or 0, reverse=query.get("sort_order", "desc") != "asc")
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", USUAL_LIMIT))
        part = found[offset : offset + limit]
        pages = {"offset": offset, "limit": limit, "total": len(found), "has_more": offset + len(part) < len(found)}
        return web.json_response({"jobs": part, "pagination": pages})

    async def job(self, request: web.Request) -> web.Response:
        """GET /api/jobs/ID: with outputs and the graph."""
        job_id = request.match_info["job_id"]
        found = next((job for job in self._all() if job["id"] == job_id), None)
        if found is None:
            return web.json_response({"error": "Job not found"}, status=404)
        past = self._world.queue.history.get(job_id)
        if past:
            prompt, extra = past["prompt"][2], past["prompt"][3]
        else:
            item = next(item for item in self._waiting() if item.prompt_id == job_id)
            prompt, extra = item.prompt, item.extra_data
        detail = {
            "outputs": past["outputs"] if past else {},
            "execution_status": past["status"] if past else None,
            "workflow": {"prompt": prompt, "extra_data": extra},
        }
        return web.json_response(found | detail)

    async def cancel(self, request: web.Request) -> web.Response:
        """POST /api/jobs/ID/cancel."""
        return web.json_response({"cancelled": self._cancel(request.match_info["job_id"])})

    async def cancel_many(self, request: web.Request) -> web.Response:
        """POST /api/jobs/cancel."""
        body = await request.json()
        done = [self._cancel(job_id) for job_id in body["job_ids"]]
        return web.json_response({"cancelled": any(done)})

    async def assets(self, request: web.Request) -> web.Response:
        """GET /api/assets: the model files. Their hash has the form of a BLAKE3 one, and is none."""
        query = request.query
        part, offset = query.get("name_contains", "").lower(), int(query.get("offset", 0))
        limit = int(query.get("limit", USUAL_LIMIT))
        wanted = {tag for key in ("include_tags", "tags_all") for tag in query.get(key, "").split(",") if tag}
        found = [
            self._asset(folder, name)
            for folder, names in self._world.catalog.models.items()
            for name in names
            if part in name.lower() and wanted <= {"models", folder}
        ]
        shown = found[offset : offset + limit]
        return web.json_response({"assets": shown, "total": len(found), "has_more": offset + len(shown) < len(found)})

    def _asset(self, folder: str, name: str) -> dict[str, Any]:
        content = self._world.model_bytes.get(name, b"")
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"simulated:{folder}/{name}")),
            "name": name,
            "asset_hash": f"blake3:{hashlib.blake2b(content, digest_size=32).hexdigest()}",
            "size": len(content),
            "mime_type": None,
            "tags": ["models", folder],
            "user_metadata": {"filename": name},
        }

    def _cancel(self, job_id: str) -> bool:
        running = self._world.queue.running
        if running and running.prompt_id == job_id:
            self._world.executor.interrupted = True
            return True
        return self._world.queue.remove(job_id)

    def _waiting(self) -> list[Item]:
        running = self._world.queue.running
        return [*([running] if running else []), *sorted(self._world.queue.pending)]

    def _all(self) -> list[dict[str, Any]]:
        running = self._world.queue.running
        past = [_past(job_id, entry) for job_id, entry in self._world.queue.history.items()]
        return past + [_waiting(item, running=item is running) for item in self._waiting()]


def _waiting(item: Item, *, running: bool) -> dict[str, Any]:
    state = "in_progress" if running else "pending"
    return _summary(item.prompt_id, state, number=item.number, extra=item.extra_data, said={}, outputs={})


def _past(job_id: str, entry: dict[str, Any]) -> dict[str, Any]:
    said = dict(entry["status"]["messages"])
    state = "cancelled" if "execution_interrupted" in said else STATES[entry["status"]["status_str"]]
    number, extra = entry["prompt"][0], entry["prompt"][3]
    return _summary(job_id, state, number=number, extra=extra, said=said, outputs=entry["outputs"])


def _summary(
    job_id: str,
    state: str,
    *,
    number: float,
    extra: dict[str, Any],
    said: dict[str, Any],
    outputs: dict[str, Any],
) -> dict[str, Any]:
    items = [
        {**item, "nodeId": node_id, "mediaType": kind}
        for node_id, ui in outputs.items()
        for kind, listed in ui.items()
        for item in listed
        if isinstance(item, dict)
    ]
    ends = [data["timestamp"] for kind, data in said.items() if kind not in {"execution_start", "execution_cached"}]
    return {
        "id": job_id,
        "status": state,
        "priority": number,
        "create_time": extra.get("create_time"),
        "execution_start_time": said.get("execution_start", {}).get("timestamp"),
        "execution_end_time": ends[-1] if ends else None,
        "execution_error": said.get("execution_error"),
        "outputs_count": len(items),
        "previewable_outputs_count": len(items),
        "preview_output": items[0] if items else None,
        "workflow_id": ((extra.get("extra_pnginfo") or {}).get("workflow") or {}).get("id"),
    }
