"""Where a params pane stands: its workflow, its session, its ComfyUI, and how to come by the first one."""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.api import WorkbenchAPI
from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, SpoonError, ValidationFailed
from spoonkernel.types.profiles import Profile
from spoonkernel.types.sessions import Session
from spoonkernel.types.workflows import Workflow, WorkflowSummary
from spoonwidgets._simulated import NAME

NO_WORKFLOW = "There is no workflow yet: start the simulated ComfyUI, or add a ComfyUI profile"


@dataclass(slots=True)
class Place:
    """What the pane found. `trouble` says why ComfyUI cannot be asked; the stored workflow serves meanwhile."""

    profiles: list[Profile] = field(default_factory=list)
    workflows: list[WorkflowSummary] = field(default_factory=list)
    workflow: Workflow | None = None
    session: Session | None = None
    trouble: str | None = None

    @property
    def profile(self) -> Profile | None:
        wanted = self.workflow.profile_id if self.workflow else None
        return next((one for one in self.profiles if one.id == wanted), None)

    @property
    def is_simulated(self) -> bool:
        return self.profile is not None and self.profile.name == NAME


async def look(workbench: WorkbenchAPI, wanted: str | None, session: str | None) -> Place:
    """Find the workflow and the session that are meant.

    Args:
        wanted: a workflow's id or name; None is the session's current one, else the default of the first profile.
        session: a session's id or title; one of a new title is made. None: the one that last used the workflow.

    Raises:
        NotFound: no such workflow, or no session of that id.
    """
    place = Place(workflows=await workbench.workflows.list())  # with COMFYUI_URL set, this makes the first profile
    place.profiles = [one for one in await workbench.profiles.list() if one.provider == "comfyui"]
    sessions = await workbench.sessions.list()
    named = _named(sessions, session) if session else None
    chosen = _chosen(place, wanted, named)
    if chosen is None:
        return place
    place.workflow, place.trouble = await asyncio.gather(
        workbench.workflows.get(chosen.id), _trouble(workbench, chosen.profile_id)
    )
    if session and named is None:
        named = await workbench.sessions.create(profile_id=chosen.profile_id, title=session)
    place.session = named or next(
        (one for one in sessions if one.current_workflow_id == chosen.id and one.profile_id == chosen.profile_id),
        None,
    )
    return place


async def need_session(workbench: WorkbenchAPI, place: Place) -> Session:
    """The session of the pane; a new one of the workflow's name where there is none yet."""
    if place.session is None:
        if place.workflow is None:
            raise BadRequest(NO_WORKFLOW)
        place.session = await workbench.sessions.create(profile_id=place.workflow.profile_id, title=place.workflow.name)
    return place.session


async def connect(workbench: WorkbenchAPI, url: str) -> Profile:
    """A profile for the ComfyUI at this address. Raises `ValidationFailed` when nothing answers there."""
    outcome = await workbench.profiles.test_connection(provider="comfyui", url=url)
    if not outcome.connected:
        raise ValidationFailed(outcome.error or f"No ComfyUI answers at {url}.")
    return await workbench.profiles.create(name="ComfyUI", type="image", provider="comfyui", url=url)


async def input_picture(workbench: WorkbenchAPI, profile_id: str, value: str) -> bytes:
    """The picture that an input names. Raises `NotFound` for what was never uploaded through Spoon."""
    folder, _, name = value.rpartition("/")
    media = await workbench.comfyui.image(name, subfolder=folder, type="input", profile_id=profile_id)
    return media.content


async def _trouble(workbench: WorkbenchAPI, profile_id: str) -> str | None:
    try:
        await workbench.comfyui.options(profile_id=profile_id)
    except ProviderConnectionError as error:
        return error.message
    except SpoonError:  # it answers, if strangely: its own words come with a run
        return None
    return None


def _named(sessions: list[Session], wanted: str) -> Session | None:
    found = next((one for one in sessions if wanted in {one.id, one.title}), None)
    if found is None and _is_id(wanted):
        raise NotFound(f"Session {wanted} not found")
    return found


def _chosen(place: Place, wanted: str | None, session: Session | None) -> WorkflowSummary | None:
    listed = place.workflows
    if session is not None:  # its server is the one that runs
        listed = [one for one in listed if one.profile_id == session.profile_id]
        wanted = wanted or session.current_workflow_id
    if wanted is not None:
        by_id = [one for one in place.workflows if one.id == wanted]
        found = by_id or [one for one in listed if one.name == wanted]
        if not found:
            names = ", ".join(dict.fromkeys(one.name for one in listed)) or "none yet"
            raise NotFound(f"Workflow {wanted} not found; there are: {names}")
        return found[0]
    first = place.profiles[-1].id if place.profiles else None  # listed newest first; the oldest is the usual one
    mine = [one for one in listed if session or one.profile_id == first]
    return next((one for one in mine if one.is_default), mine[0] if mine else None)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def setup_rows(place: Place) -> dict[str, Any]:
    """The pickers' part of the pane's state."""
    workflow, profile = place.workflow, place.profile
    return {
        "workflow": workflow and {"id": workflow.id, "name": workflow.name, "description": workflow.description},
        "workflows": [
            {"id": one.id, "name": one.name, "profile_id": one.profile_id, "profile": one.profile_name}
            for one in place.workflows
            if place.session is None or one.profile_id == place.session.profile_id or len(place.profiles) > 1
        ],
        "server": profile and {"name": profile.name, "url": profile.url, "simulated": place.is_simulated},
        "trouble": place.trouble,
        "session": place.session and {"id": place.session.id, "title": place.session.title},
    }
