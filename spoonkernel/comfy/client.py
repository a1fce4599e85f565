"""The HTTP half of one ComfyUI server. Endpoints: `server.py` of github.com/comfyanonymous/ComfyUI (0.3.64 to 0.38)."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic_core import from_json, to_json

from spoonkernel.comfy.answers import (
    ModelFile,
    Uploaded,
    cancelled,
    json_object,
    model_files,
    model_hash,
    model_names,
    plain_name,
    remaining,
    submitted,
    uploaded,
)
from spoonkernel.comfy.graph import Graph
from spoonkernel.comfy.http import UNREADABLE, Answer, ComfyHTTP, Pacing, Unanswered
from spoonkernel.comfy.jobs import Folder, JobState, QueueState, Ran, Submitted, queued, read_queue, read_ran
from spoonkernel.comfy.refusal import refused_text
from spoonkernel.errors import BadRequest, ProviderConnectionError, SpoonError, SubmitUncertain

PROBE_S = 5.0
MAX_VIEW = 1024 * 1024 * 1024
HISTORIES = 8  # asked for at the same time


class ComfyClient:
    """One server. `session` is shared and closed by its owner (see `http.new_session`); the caller has checked `url`.

    Everything raises `ProviderConnectionError` when the server cannot be reached, is late or fails on its own side, and
    `ProviderRefused` when it says no. No redirect is followed. Only GETs are tried again.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        label: str = "ComfyUI",
        key: str | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        self._http = ComfyHTTP(session, url, label=label, key=key, pacing=pacing)
        self._can_cancel: bool | None = None
        self.label, self.host = label, self._http.host

    async def submit(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        client_id: str | None,
        extra_pnginfo: Mapping[str, Any] | None = None,
        preview_method: str | None = None,
        front: bool = False,
    ) -> Submitted:
        """Queue a graph; returns before it runs. Numbers arrive exactly as they are, seeds up to 2**64-1 too.

        Args:
            graph: in API format.
            prompt_id: a canonical lowercase UUID of our own, so that a lost answer can be looked up.
            client_id: the socket that will hear of it. None only where nobody listens: then ComfyUI tells all sockets.
            extra_pnginfo: its keys become text chunks of the PNGs that are saved.
            preview_method: `none`, `auto`, `latent2rgb` or `taesd`; servers before 0.38 do not heed it.
            front: before all that wait.

        Raises:
            ProviderRefused: the graph was refused; the message names node, field and reason.
            SubmitUncertain: the answer was lost; `state(prompt_id)` knows more.
            ProviderConnectionError: it was not queued.
            BadRequest: `graph` or `extra_pnginfo` is not JSON.
        """
        extra = {"extra_pnginfo": extra_pnginfo, "preview_method": preview_method}
        body: dict[str, Any] = {
            "prompt": graph,
            "prompt_id": prompt_id,
            "extra_data": {name: value for name, value in extra.items() if value is not None},
        }
        body |= {"client_id": client_id} if client_id else {}
        body |= {"front": True} if front else {}
        try:
            answer = await self._http.post("/prompt", self._encode(body))
        except Unanswered as failure:
            if failure.was_sent:
                raise SubmitUncertain(failure.text) from failure.__cause__
            raise ProviderConnectionError(failure.text) from failure.__cause__
        if answer.status == 200:
            try:
                return submitted(answer.body)
            except UNREADABLE as error:
                raise SubmitUncertain(f"{self.label} at {self.host} answered as ComfyUI would not") from error
        raise self._refused(answer)

    async def queue(self) -> QueueState:
        """What runs and what waits, of all clients. 2 MB and 25 ms of a thread at 500 waiting."""
        return await self._http.read("/queue", read_queue)

    async def history(self, prompt_id: str) -> Ran | None:
        """How a prompt ended, or None while the server has no history of it."""
        # not through `read`: None is an answer here
        answer = await self._http.get(f"/history/{quote(prompt_id, safe='')}")
        if answer.status != 200:
            raise self._http.refused(answer.status)
        return await self._http.decode(answer.body, lambda body: read_ran(from_json(body), prompt_id))

    async def state(self, prompt_id: str) -> JobState:
        """Where a prompt is. The queue is asked first: the other way round, one that ends in between is in neither."""
        return (await self.states([prompt_id]))[prompt_id]

    async def states(self, prompt_ids: Iterable[str]) -> dict[str, JobState]:
        """The same for many, with one look at the queue and one history for each that is not in it."""
        wanted = list(dict.fromkeys(prompt_ids))
        if not wanted:
            return {}
        queue = await self.queue()
        waiting = set(queue.running) | set(queue.pending)
        found = {one: state for one in wanted if one in waiting and (state := queued(queue, one))}
        limit = asyncio.Semaphore(HISTORIES)

        async def look(prompt_id: str) -> None:
            async with limit:
                ran = await self.history(prompt_id)
            found[prompt_id] = JobState("ended", ran=ran) if ran else JobState("unknown")

        try:
            async with asyncio.TaskGroup() as group:
                for prompt_id in wanted:
                    if prompt_id not in waiting:
                        group.create_task(look(prompt_id))
        except* SpoonError as errors:
            failure = _first(errors)
        else:
            return found
        raise failure

    async def cancel(self, prompt_id: str) -> bool:
        """Take a prompt out of the queue or stop it, at its next step; nobody else's is touched.

        Returns whether there was something to cancel: False for an ended or unknown one.
        """
        if self._can_cancel is not False:
            answer = await self._post(f"/api/jobs/{quote(prompt_id, safe='')}/cancel", {})
            self._can_cancel = answer.status not in {404, 405}
            if answer.status == 200:
                return await self._http.decode(answer.body, cancelled)
        return await self._cancel_the_old_way(prompt_id)

    async def system_stats(self) -> dict[str, Any]:
        """`{"system": {"comfyui_version", ...}, "devices": [{"name", "vram_total", "vram_free", ...}]}`, bytes."""
        return await self._http.read("/system_stats", json_object)

    async def object_info(self) -> dict[str, Any]:
        """All node classes, 0.5 MB and more: keep it. `object_info.ObjectInfo` reads it."""
        return await self._http.read("/object_info", json_object)

    async def models(self, folder: str) -> list[str]:
        """The model files of a folder (`checkpoints`, `loras`, ...) as graphs name them; none for an unknown folder."""
        return await self._http.read(f"/models/{quote(folder, safe='')}", model_names, missing=[])

    async def model_files(self, folder: str) -> dict[str, ModelFile]:
        """Size and time of the model files of a folder, by name; empty where the server does not tell."""
        return await self._http.read(f"/experiment/models/{quote(folder, safe='')}", model_files, missing={})

    async def model_hash(self, folder: str, name: str) -> str | None:
        """The hash that the server knows of a model file (`blake3:...`); None before 0.38, or if it has made none."""
        base = name.replace("\\", "/").rpartition("/")[2]
        answer = await self._http.get("/api/assets", params={"name_contains": base, "limit": 100})
        if answer.status != 200:  # 404: an older server; 503: assets are off; 400: another version's parameters
            return None
        return await self._http.decode(answer.body, partial(model_hash, folder=folder, name=name))

    async def upload_image(
        self, content: bytes, filename: str, *, subfolder: str = "", overwrite: bool = False
    ) -> Uploaded:
        """Put a picture among the server's inputs. Use the name in the answer.

        Raises `PayloadTooLarge` above the server's limit, 100 MB unless it was started with another.
        """
        folders = [plain_name(part) for part in re.split(r"[\\/]+", subfolder) if part.strip(".")]
        form = aiohttp.FormData(
            {"type": "input", "subfolder": "/".join(folders)} | ({"overwrite": "true"} if overwrite else {})
        )
        form.add_field("image", content, filename=plain_name(filename), content_type="application/octet-stream")
        try:
            answer = await self._http.post("/upload/image", form, timeout_s=self._http.pacing.transfer_s)
        except Unanswered as failure:
            raise ProviderConnectionError(failure.text) from failure.__cause__
        if answer.status != 200:
            raise self._http.refused(answer.status)
        return await self._http.decode(answer.body, uploaded)

    def view(
        self, filename: str, subfolder: str, folder: Folder, *, max_bytes: int = MAX_VIEW
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A file of the server, piece by piece; none of its headers. `async with client.view(...) as pieces:`.

        Raises `NotFound` when it is no longer there (temporary ones go when the server restarts) and `PayloadTooLarge`.
        """
        return self._http.stream(
            "/view",
            {"filename": filename, "subfolder": subfolder, "type": folder},
            max_bytes=max_bytes,
            missing=f"{self.label} no longer has {filename}",
        )

    async def answers(self) -> bool:
        """Whether a ComfyUI answers there now; waits 5 s at most."""
        try:
            await self._http.read("/prompt", remaining, timeout_s=PROBE_S, retries=0)
        except SpoonError:
            return False
        return True

    async def _cancel_the_old_way(self, prompt_id: str) -> bool:
        """Before 0.38. Deleted first: the other way round, one that starts in between would run on.

        Interrupted only once it is seen to run: servers before mid-2025 stop whatever runs, whomever it belongs to.
        """
        queue = await self.queue()
        if prompt_id not in queue.running:
            if prompt_id not in queue.pending:
                return False
            await self._done("/queue", {"delete": [prompt_id]})
            queue = await self.queue()
        if prompt_id in queue.running:
            await self._done("/interrupt", {"prompt_id": prompt_id})
        return True

    async def _done(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._post(path, body)
        if answer.status != 200:
            raise self._http.refused(answer.status)

    async def _post(self, path: str, body: dict[str, Any]) -> Answer:
        try:
            return await self._http.post(path, self._encode(body))
        except Unanswered as failure:
            raise ProviderConnectionError(failure.text) from failure.__cause__

    def _encode(self, body: dict[str, Any]) -> bytes:
        try:
            return to_json(body)
        except ValueError as error:  # half a surrogate pair, an object that is no JSON value
            raise BadRequest(f"The workflow for {self.label} holds something that cannot be sent as JSON") from error

    def _refused(self, answer: Answer) -> SpoonError:
        """What a submission that was not taken raises. A gateway's 502 or 504 does not tell what happened behind it."""
        if answer.status in {408, 502, 503, 504}:
            return SubmitUncertain(f"{self.label} at {self.host} could not be asked (HTTP {answer.status})")
        try:
            said = refused_text(from_json(answer.body))
        except ValueError:
            said = None
        return self._http.refused(answer.status, f"the workflow was refused: {said}" if said else None)


def _first(errors: BaseExceptionGroup[SpoonError]) -> SpoonError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
