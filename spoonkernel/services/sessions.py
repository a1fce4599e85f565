"""Sessions of generations."""

from datetime import timedelta
from typing import Any, Unpack

from pydantic import JsonValue

from spoonkernel.media import MediaFolder
from spoonkernel.services.checks import checked
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.submissions import Request, Submissions
from spoonkernel.store.generations import GenerationRepo, as_generation
from spoonkernel.store.sessions import SessionRepo, SessionRow
from spoonkernel.store.tasks import new_id
from spoonkernel.store.workflows import WorkflowRepo
from spoonkernel.types.base import Rows, utc_now
from spoonkernel.types.generations import GenerateRequest, Generation, GenerationFilter
from spoonkernel.types.sessions import Session, SessionChanges, SessionCreate, SessionDetail, SessionUpdate

SHOWN_GENERATIONS = 20


class SessionService:
    def __init__(
        self,
        rows: SessionRepo,
        workflows: WorkflowRepo,
        generations: GenerationRepo,
        *,
        servers: ComfyProfiles,
        runs: Submissions,
        media: MediaFolder,
    ) -> None:
        self._rows, self._workflows, self._generations = rows, workflows, generations
        self._servers, self._runs, self._media = servers, runs, media

    async def list(self) -> Rows[Session]:
        return [Session.model_validate(self._values(row)) for row in await self._rows.list()]

    async def create(self, *, profile_id: str | None = None, title: str = "Untitled session") -> Session:
        body = checked(SessionCreate, profile_id=profile_id, title=title)
        profile = await self._servers.get(body.profile_id)
        session_id, now = new_id(), utc_now()
        await self._rows.insert(new_session(session_id, profile.id, body.title, now))
        return await self._session(session_id)

    async def get(self, session_id: str) -> SessionDetail:
        row = await self._rows.get(session_id)
        generations = await self._generations.page(GenerationFilter(session_id=row.id), limit=SHOWN_GENERATIONS)
        shown = [as_generation(one) for one in generations]
        return SessionDetail.model_validate(self._values(row) | {"generations": shown})

    async def update(self, session_id: str, **changes: Unpack[SessionChanges]) -> Session:
        row = await self._rows.get(session_id)
        values = checked(SessionUpdate, **changes).given()
        if (workflow_id := values.get("current_workflow_id")) is not None:
            values["current_workflow_id"] = (await self._workflows.get(workflow_id)).id
        # never equal to the time before, so that a reader can tell the two apart
        values["updated_at"] = max(utc_now(), row.updated_at + timedelta(milliseconds=1))
        await self._rows.update(row.id, values)
        return await self._session(row.id)

    async def delete(self, session_id: str) -> None:
        row = await self._rows.get(session_id)
        for generation in await self._generations.open_of(session_id=row.id):
            await self._runs.stop(generation)
        for path in await self._rows.delete(row.id):
            await self._media.delete(path)

    async def generate(
        self,
        session_id: str,
        *,
        prompt_text: str,
        negative_prompt: str | None = None,
        workflow_id: str | None = None,
        parameters: dict[str, JsonValue] | None = None,
        idempotency_key: str | None = None,
    ) -> Generation:
        body = checked(
            GenerateRequest,
            prompt_text=prompt_text,
            negative_prompt=negative_prompt,
            workflow_id=workflow_id,
            parameters=parameters or {},
        )
        session, workflow = await self._rows.with_workflow(session_id, body.workflow_id)
        request = Request(
            session=session,
            workflow_id=body.workflow_id,
            workflow=workflow,
            prompt_text=body.prompt_text,
            negative_prompt=body.negative_prompt,
            parameters=body.parameters,
            idempotency_key=idempotency_key,
        )
        return await self._runs.create(request)

    async def _session(self, session_id: str) -> Session:
        return Session.model_validate(self._values(await self._rows.get(session_id)))

    def _values(self, row: SessionRow) -> dict[str, Any]:
        values = row._asdict()
        return values | {"profile_url": values["profile_url"] or self._servers.default_url}


def new_session(session_id: str, profile_id: str, title: str, now: Any) -> dict[str, Any]:
    """The values of a session that begins."""
    return {
        "id": session_id,
        "profile_id": profile_id,
        "title": title,
        "last_parameters": {},
        "created_at": now,
        "updated_at": now,
    }
