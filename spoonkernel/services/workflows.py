"""Workflows: graphs that are kept, read for what can be set in them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Unpack

from pydantic import JsonValue

from spoonkernel.comfy.convert import as_graph
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.parameters import extract
from spoonkernel.errors import ValidationFailed
from spoonkernel.services.checks import checked, storable
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.node_rules import check_nodes
from spoonkernel.services.sessions import new_session
from spoonkernel.services.submissions import Request, Submissions
from spoonkernel.services.tasks import page_size, start_of
from spoonkernel.store.generations import GenerationRepo, as_generation
from spoonkernel.store.sessions import SessionRepo, SessionRow
from spoonkernel.store.tasks import new_id
from spoonkernel.store.workflows import WorkflowRepo, WorkflowRow
from spoonkernel.types.base import Rows, utc_now
from spoonkernel.types.generations import Generation, GenerationFilter
from spoonkernel.types.workflows import (
    Workflow,
    WorkflowChanges,
    WorkflowCreate,
    WorkflowExecute,
    WorkflowParameters,
    WorkflowSummary,
    WorkflowUpdate,
)

ASK_S = 2.0  # how long a server that does not answer may hold up the reading of a workflow
MAX_WORKFLOW_BYTES = 8 * 2**20  # ComfyUI's own collection has none above 1 MB


class WorkflowService:
    def __init__(
        self,
        rows: WorkflowRepo,
        sessions: SessionRepo,
        generations: GenerationRepo,
        servers: ComfyProfiles,
        runs: Submissions,
    ) -> None:
        self._rows, self._sessions, self._generations = rows, sessions, generations
        self._servers, self._runs = servers, runs

    async def list(self, *, profile_id: str | None = None) -> Rows[WorkflowSummary]:
        await self._servers.all()
        return [WorkflowSummary.model_validate(row._asdict()) for row in await self._rows.list(profile_id)]

    async def create(
        self,
        *,
        name: str,
        workflow_json: dict[str, JsonValue],
        profile_id: str | None = None,
        description: str | None = None,
        default_parameters: dict[str, JsonValue] | None = None,
    ) -> Workflow:
        body = checked(
            WorkflowCreate,
            name=name,
            workflow_json=workflow_json,
            profile_id=profile_id,
            description=description,
            default_parameters=default_parameters or {},
        )
        storable("workflow", [body.name, body.description, body.default_parameters])
        profile = await self._servers.get(body.profile_id)
        workflow_id, now = new_id(), utc_now()
        values = body.model_dump() | {
            "id": workflow_id,
            "profile_id": profile.id,
            "extracted_parameters": await self._extracted(profile, body.workflow_json),
            "is_default": False,
            "created_at": now,
            "updated_at": now,
        }
        await self._rows.insert(values)
        return await self.get(workflow_id)

    async def get(self, workflow_id: str) -> Workflow:
        row = await self._rows.get(workflow_id)
        values = row._asdict()
        # ranges and choices are the server's of this moment; what is stored is for when it is away, or has changed so
        # much that the workflow does not fit it any more
        with suppress(ValidationFailed, TimeoutError):
            async with asyncio.timeout(ASK_S):
                info = await self._servers.object_info(await self._servers.get(row.profile_id))
            if len(info):
                graph = _graph(row.workflow_json, info)
                values["extracted_parameters"] = [one.to_wire() for one in extract(graph, info)]
        return Workflow.model_validate(values)

    async def update(self, workflow_id: str, **changes: Unpack[WorkflowChanges]) -> Workflow:
        return await self._change(workflow_id, checked(WorkflowUpdate, **changes).given())

    async def set_parameters(
        self,
        workflow_id: str,
        *,
        default_parameters: dict[str, JsonValue] | None = None,
        is_default: bool | None = None,
    ) -> Workflow:
        given: dict[str, Any] = {"default_parameters": default_parameters, "is_default": is_default}
        sent = {name: value for name, value in given.items() if value is not None}
        return await self._change(workflow_id, checked(WorkflowParameters, **sent).given())

    async def delete(self, workflow_id: str) -> None:
        row = await self._rows.get(workflow_id)
        await self._rows.delete(row.id)

    async def execute(self, workflow_id: str, *, parameters: dict[str, JsonValue] | None = None) -> Generation:
        body = checked(WorkflowExecute, parameters=parameters or {})
        workflow = await self._rows.get(workflow_id)
        values = dict(body.parameters)
        texts = [_text(values, *names) for names in (("prompt_text", "promptText", "prompt"), _NEGATIVE)]
        request = Request(
            session=await self._session_of(workflow),
            workflow_id=workflow.id,
            prompt_text=texts[0],
            negative_prompt=texts[1],
            parameters=values,
        )
        return await self._runs.create(request)

    async def generations(self, workflow_id: str, *, limit: int = 20, offset: int = 0) -> Rows[Generation]:
        row = await self._rows.get(workflow_id)
        wanted = GenerationFilter(workflow_id=row.id)
        found = await self._generations.page(wanted, limit=page_size(limit), offset=start_of(offset))
        return [as_generation(one) for one in found]

    async def _session_of(self, workflow: WorkflowRow) -> SessionRow:
        """The session that used this workflow last, else a new one of its name."""
        if (session := await self._sessions.of_workflow(workflow.id)) is not None:
            return session
        session_id = new_id()
        await self._sessions.insert(
            new_session(session_id, workflow.profile_id, workflow.name, utc_now())
            | {"current_workflow_id": workflow.id}
        )
        return await self._sessions.get(session_id)

    async def _change(self, workflow_id: str, values: dict[str, Any]) -> Workflow:
        row = await self._rows.get(workflow_id)
        storable("workflow", {name: value for name, value in values.items() if name != "workflow_json"})
        if "workflow_json" in values:
            profile = await self._servers.get(row.profile_id)
            values["extracted_parameters"] = await self._extracted(profile, values["workflow_json"])
        # never equal to the time before, so that a reader can tell the two apart
        values["updated_at"] = max(utc_now(), row.updated_at + timedelta(milliseconds=1))
        await self._rows.update(row.id, values)
        return await self.get(row.id)

    async def _extracted(self, profile: Any, workflow_json: Mapping[str, Any]) -> Rows[dict[str, Any]]:
        """What can be set in a workflow. Raises `ValidationFailed` for what is none, `Forbidden` for refused nodes."""
        if storable("workflowJson", workflow_json) > MAX_WORKFLOW_BYTES:
            raise ValidationFailed(f"workflowJson: larger than {MAX_WORKFLOW_BYTES // 2**20} MB")
        info = await self._servers.object_info(profile)
        graph = _graph(workflow_json, info)
        check_nodes(graph, self._servers.allowed_nodes)
        return [one.to_wire() for one in extract(graph, info)]


_NEGATIVE = ("negative_prompt", "negativePrompt")


def _text(values: dict[str, Any], *names: str) -> str | None:
    """Take a prompt out of parameters, under whichever of its names it came."""
    found = [values.pop(name) for name in names if name in values]
    if found and not isinstance(found[0], str | None):
        raise ValidationFailed(f"parameters.{names[-1]}: Input should be a valid string")
    return found[0] if found else None


def _graph(workflow_json: Mapping[str, Any], info: ObjectInfo) -> dict[str, Any]:
    try:
        return as_graph(workflow_json, info)
    except ValidationFailed as error:
        raise ValidationFailed(f"workflowJson: {error.message}") from error
