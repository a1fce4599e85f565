"""Submitting generations: row first, ComfyUI second, with our own prompt id, so that nothing is lost or run twice."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from spoonkernel.bus import Bus
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import Conflict, NotFound, ValidationFailed
from spoonkernel.media import MediaFolder
from spoonkernel.services.checks import storable
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.graphs import PROMPTS, Prepared, merged, prepare
from spoonkernel.services.ingredients import Ingredients
from spoonkernel.services.node_rules import check_nodes
from spoonkernel.services.tasks import MAX_KEY
from spoonkernel.services.templates import Template, template_of
from spoonkernel.store.generations import GenerationRepo, GenerationRow, as_generation
from spoonkernel.store.profiles import ProfileRow
from spoonkernel.store.sessions import SessionRow
from spoonkernel.store.tasks import new_id
from spoonkernel.store.workflows import WorkflowRepo, WorkflowRow
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import GenerationCreated
from spoonkernel.types.generations import Generation
from spoonkernel.types.workflows import PRESETS

TEMPLATES = 64  # workflows that are kept as they were read
UNREMEMBERED = frozenset({"seed", *PROMPTS})
"""What a session does not carry over to its next run: each draws its own seed."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for, before it is known what the workflow makes of it."""

    session: SessionRow
    prompt_text: str | None
    negative_prompt: str | None = None
    workflow_id: str | None = None
    workflow: WorkflowRow | None = None
    """The one that `workflow_id`, or the session, names, where it has been read already."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    task_id: str | None = None
    needs_prompt: bool = True
    """Whether a prompt for a workflow that shows none is an error; else it is left out, with a warning."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A stored generation on its way to ComfyUI."""

    generation_id: str
    session_id: str
    prompt_id: str
    profile: ProfileRow
    prepared: Prepared
    extra_pnginfo: Mapping[str, Any]


class Watches(Protocol):
    """The watcher of generations, as the rooms need it."""

    async def begin(self) -> str:
        """The name under which to store a row that is about to be submitted: it keeps others from taking it over."""
        ...

    async def submit(self, submission: Submission) -> GenerationRow | None:
        """Give it to ComfyUI and follow it from there; returns its row as it is then, if it has not ended meanwhile.

        Raises what ComfyUI said; the row then says it too.
        """
        ...

    async def cancel(self, row: GenerationRow) -> bool:
        """Stop it wherever it is and end its row. False when it had ended."""
        ...

    async def ended(self, generation_id: str, timeout_s: float, moved: Callable[[float], None] | None = None) -> None:
        """Wait until it has ended, or for `timeout_s`; `moved` is told how far it is, 0 to 1."""
        ...


class Submissions:
    def __init__(
        self,
        rows: GenerationRepo,
        workflows: WorkflowRepo,
        *,
        servers: ComfyProfiles,
        ingredients: Ingredients,
        watch: Watches,
        bus: Bus,
        media: MediaFolder,
    ) -> None:
        self._rows, self._workflows, self._servers = rows, workflows, servers
        self._ingredients, self._watch, self._bus, self._media = ingredients, watch, bus, media
        self._templates: dict[str, tuple[int, ObjectInfo, Template]] = {}

    async def create(self, request: Request) -> Generation:
        """Fill the workflow, store the row, submit it; returns the row once ComfyUI has taken it."""
        storable("promptText", [request.prompt_text, request.negative_prompt])
        storable("parameters", dict(request.parameters))
        request_hash = None if request.idempotency_key is None else _hash(request)
        if (older := await self._older(request.idempotency_key, request_hash)) is not None:
            return older
        session = request.session
        profile = await self._servers.get(session.profile_id)
        workflow = await self._workflow(request, profile)
        remembered = session.last_parameters if session.current_workflow_id == workflow.id else {}
        defaults = {name: value for name, value in workflow.default_parameters.items() if name != PRESETS}
        layers = [merged(layer) for layer in (defaults, remembered, request.parameters)]
        prompts = _taken(layers) | _given(request)
        prepared = await self._prepare(profile, workflow, layers, prompts, needs_prompt=request.needs_prompt)
        values = {
            "session_id": session.id,
            "workflow_id": workflow.id,
            "idempotency_key": request.idempotency_key,
            "request_hash": request_hash,
            "task_id": request.task_id,
        }
        kept = {
            name: value
            for name, value in merged(remembered, request.parameters).items()
            if name not in UNREMEMBERED and not name.endswith("seed")
        }
        return await self.store_and_submit(
            profile, prepared, values, {"current_workflow_id": workflow.id, "last_parameters": kept}, workflow
        )

    async def store_and_submit(
        self,
        profile: ProfileRow,
        prepared: Prepared,
        values: Mapping[str, Any],
        session: Mapping[str, Any] | None = None,
        workflow: WorkflowRow | None = None,
        *,
        graph: Mapping[str, Any] | None = None,
    ) -> Generation:
        """Store a prepared graph as a row with `values` and submit it.

        Args:
            session: new values of its session.
            graph: what is submitted, where that is not what the row shall say.

        Raises:
            Forbidden: it holds a node that is not accepted; nothing is stored.
        """
        check_nodes(prepared.graph, self._servers.allowed_nodes)
        info = await self._servers.object_info(profile)
        generation_id, now = new_id(), utc_now()
        row_values = {
            **prepared.values,
            **values,
            "id": generation_id,
            "profile_id": profile.id,
            "prompt_id": str(uuid.uuid4()),
            "parameters": prepared.parameters,
            "workflow_json": prepared.graph,
            "ui_workflow": prepared.ui_workflow,
            "ingredients": await self._ingredients.gather(profile, prepared, info, workflow),
            "warnings": list(prepared.warnings),
            "status": "pending",
            "progress": 0.0,
            "cached": False,
            "outputs": [],
            "watcher_id": await self._watch.begin(),
            "created_at": now,
        }
        row, created = await self._rows.insert(row_values, {"updated_at": now, **(session or {})})
        if not created:
            return _replayed(row, values.get("request_hash"))
        await self._bus.publish(GenerationCreated(generation=as_generation(row)))
        submission = Submission(
            generation_id,
            row.session_id,
            row.prompt_id,
            profile,
            prepared if graph is None else replace(prepared, graph=dict(graph)),
            png_info(row, prepared.ui_workflow),
        )
        taken = await self._watch.submit(submission)
        return as_generation(taken or await self._rows.find(generation_id) or row)

    async def stop(self, row: GenerationRow) -> bool:
        """Cancel a generation. False when it had ended."""
        return await self._watch.cancel(row)

    async def stop_all(self, profile_id: str) -> None:
        """Cancel whatever runs on a profile's server for us."""
        for row in await self._rows.open_of(profile_id=profile_id):
            await self._watch.cancel(row)

    async def delete_files(self, paths: Iterable[str]) -> None:
        """Delete files of the media folder, by their paths."""
        for path in paths:
            await self._media.delete(path)

    async def _workflow(self, request: Request, profile: ProfileRow) -> WorkflowRow:
        """The one that is named, else the session's current one, else the profile's default."""
        if request.workflow is not None:
            return request.workflow
        if request.workflow_id is not None:
            return await self._workflows.bare(request.workflow_id)
        if request.session.current_workflow_id is not None:
            return await self._workflows.bare(request.session.current_workflow_id)
        found = await self._workflows.default_of(profile.id)
        if found is None:
            raise NotFound(f"{profile.name} has no workflow: upload one")
        return found

    async def _prepare(
        self,
        profile: ProfileRow,
        workflow: WorkflowRow,
        layers: Sequence[Mapping[str, Any]],
        prompts: Mapping[str, str],
        *,
        needs_prompt: bool,
    ) -> Prepared:
        """Fill the workflow. What seems wrong is looked at again with what the server offers at this moment."""

        def prepared(info: ObjectInfo) -> Prepared:
            return prepare(
                self._template(workflow, info),
                *layers,
                prompt_text=prompts.get("prompt_text"),
                negative_prompt=prompts.get("negative_prompt"),
                needs_prompt=needs_prompt,
            )

        info = await self._servers.object_info(profile)
        try:
            return prepared(info)
        except ValidationFailed:
            newer = await self._servers.object_info(profile, fresh=True)
            if newer is info:
                raise
            return prepared(newer)

    def _template(self, workflow: WorkflowRow, info: ObjectInfo) -> Template:
        """A workflow as it was read for an earlier run, while neither it nor what its server offers has changed."""
        rev, told, found = self._templates.get(workflow.id, (None, None, None))
        if found is None or rev != workflow.rev or told is not info:
            found = template_of(workflow.workflow_json, info, adapts=self._servers.is_shipped(workflow))
            if len(self._templates) >= TEMPLATES:
                self._templates.clear()
            self._templates[workflow.id] = workflow.rev, info, found
        return found

    async def _older(self, key: str | None, request_hash: str | None) -> Generation | None:
        """What was made with this key before, whatever has become of its workflow and its server since."""
        if key is None:
            return None
        if not 0 < len(key) <= MAX_KEY:
            raise ValidationFailed(f"Idempotency-Key: takes 1 to {MAX_KEY} characters")
        row = await self._rows.with_key(key)
        return None if row is None else _replayed(row, request_hash)


def _replayed(row: GenerationRow, request_hash: str | None) -> Generation:
    if row.request_hash != request_hash:
        raise Conflict(f"The Idempotency-Key was used for generation {row.id} with another body: send a new key")
    return as_generation(row)


def _taken(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Take the prompts out of layers of parameters; the last one of each counts."""
    return {name: layer.pop(name) for layer in layers for name in PROMPTS if name in layer}


def _given(request: Request) -> dict[str, str]:
    """The prompts that were sent as such. "" leaves the workflow's own text for the positive one."""
    given = {"prompt_text": request.prompt_text, "negative_prompt": request.negative_prompt}
    return {name: text for name, text in given.items() if text is not None}


def png_info(row: GenerationRow, ui_workflow: Mapping[str, Any] | None) -> dict[str, Any]:
    """What ComfyUI writes into its own PNGs beside the graph. Only ever our own keys: `extra_data` can carry more."""
    record = {"generation_id": row.id, "session_id": row.session_id, "parameters": row.parameters}
    return {"spoon": record} | ({"workflow": ui_workflow} if ui_workflow else {})


def _hash(request: Request) -> str:
    body = [
        str(request.session.id),
        request.workflow_id,
        request.prompt_text,
        request.negative_prompt,
        dict(request.parameters),
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
