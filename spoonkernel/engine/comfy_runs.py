"""Tasks of type image, video and audio on ComfyUI: each is an ordinary generation, of the session "Tasks"."""

import asyncio
from typing import Any

from pydantic import JsonValue

from spoonkernel.engine.runs import Report
from spoonkernel.errors import ProviderConnectionError, ProviderRefused, ValidationFailed
from spoonkernel.media import MediaFolder
from spoonkernel.providers.base import Made
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.sessions import new_session
from spoonkernel.services.submissions import Request, Submissions, Watches
from spoonkernel.store.generations import OPEN, GenerationRepo, GenerationRow
from spoonkernel.store.sessions import SessionRepo, SessionRow
from spoonkernel.store.tasks import TaskRepo, new_id
from spoonkernel.types.base import utc_now
from spoonkernel.types.tasks import Task

SESSION = "Tasks"
TIMEOUT_S = 24 * 3_600.0  # it may wait long in ComfyUI's queue; the task's `timeout_s` says otherwise
_OURS = {"model", "profile_id", "profileId", "timeout_s", "workflow_id", "workflowId", "parameters", "count"}


class ComfyRuns:
    """Runs tasks on ComfyUI (`runs.Runs`). A task that is taken up again finds the generation it had begun."""

    def __init__(
        self,
        submissions: Submissions,
        watch: Watches,
        *,
        servers: ComfyProfiles,
        sessions: SessionRepo,
        generations: GenerationRepo,
        tasks: TaskRepo,
        media: MediaFolder,
    ) -> None:
        self._submissions, self._watch, self._servers = submissions, watch, servers
        self._sessions, self._generations, self._tasks, self._media = sessions, generations, tasks, media

    async def run(self, task: Task, profile_id: str | None, report: Report) -> list[Made]:
        beginning = asyncio.create_task(self._begun(task, profile_id), name=f"spoon task {task.id} on comfyui")
        timeout_s = task.options.get("timeout_s")
        try:
            generation_id = await asyncio.shield(beginning)
            await self._watch.ended(
                generation_id,
                float(timeout_s) if isinstance(timeout_s, int | float) and timeout_s > 0 else TIMEOUT_S,
                report,
            )
        except asyncio.CancelledError:
            await asyncio.shield(self._abandon(task, beginning))
            raise
        return await self._made(task, generation_id)

    async def _begun(self, task: Task, profile_id: str | None) -> str:
        row = await self._generations.of_task(task.id)
        if row is not None and row.status != "failed":
            return str(row.id)
        made = await self._submissions.create(await self._request(task, profile_id))
        return made.id

    async def _request(self, task: Task, profile_id: str | None) -> Request:
        profile = await self._servers.get(profile_id)
        options = task.options
        parameters: dict[str, JsonValue] = {name: value for name, value in options.items() if name not in _OURS}
        nested = options.get("parameters")
        if nested is not None and not isinstance(nested, dict):
            raise ValidationFailed("options.parameters: Input should be an object")
        if options.get("model") is not None:
            parameters.setdefault("checkpoint_name", options["model"])
        if options.get("count") is not None:
            parameters.setdefault("batch_size", options["count"])
        workflow_id = options.get("workflow_id", options.get("workflowId"))
        return Request(
            session=await self._session(profile.id),
            prompt_text=task.prompt,
            workflow_id=None if workflow_id is None else str(workflow_id),
            parameters=parameters | (nested or {}),
            task_id=task.id,
            needs_prompt=False,
        )

    async def _session(self, profile_id: str) -> SessionRow:
        found = await self._sessions.titled(profile_id, SESSION)
        if found is not None:
            return found
        session_id = new_id()
        await self._sessions.insert(new_session(session_id, profile_id, SESSION, utc_now()))
        return await self._sessions.get(session_id)

    async def _abandon(self, task: Task, beginning: "asyncio.Task[str]") -> None:
        """The run is stopped here. A deleted task takes its generation along; one that only moves on leaves it."""
        is_deleted = await self._tasks.find(task.id) is None
        if not is_deleted:
            beginning.cancel()
        await asyncio.wait({beginning})
        if is_deleted and (row := await self._generations.of_task(task.id)) is not None and row.status in OPEN:
            await self._watch.cancel(row)

    async def _made(self, task: Task, generation_id: str) -> list[Made]:
        row = await self._generations.find(generation_id)
        if row is None:
            raise ProviderRefused(f"Generation {generation_id} was deleted while its task ran")
        if row.status in OPEN:
            await self._watch.cancel(row)
            raise ProviderRefused(f"Generation {generation_id} did not end in the time of options.timeout_s")
        if row.status == "failed":
            raise _failure(row)
        found = [one for one in row.outputs if one["kind"] == task.type and one.get("content")]
        if not found:
            raise ProviderRefused(
                f"The workflow made no {task.type}: name one that does in options.workflow_id "
                f"(generation {generation_id} has what it made)"
            )
        pieces = [(one, await self._media.open(one["content"])) for one in found]
        return [Made(task.type, file.content, file.content_type, _metadata(row, one)) for one, file in pieces]


def _failure(row: GenerationRow) -> Exception:
    error = row.error or "ComfyUI gave no reason"
    lost = error.startswith(("ComfyUI no longer has", "Cannot connect"))
    return ProviderConnectionError(error) if lost else ProviderRefused(error)


def _metadata(row: GenerationRow, output: dict[str, Any]) -> dict[str, JsonValue]:
    known: dict[str, JsonValue] = {
        "model": row.checkpoint_name,
        "seed": row.seed,
        "steps": row.steps,
        "generation_id": row.id,
        "index": output["index"],
        "cached": row.cached or None,
    }
    return {name: value for name, value in known.items() if value is not None}
