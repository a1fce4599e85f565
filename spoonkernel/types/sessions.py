"""Sessions: the generations that belong together, on one ComfyUI."""

from typing import Annotated, TypedDict

from pydantic import Field

from spoonkernel.types.base import Timestamp, Wire
from spoonkernel.types.generations import Document, Generation

Title = Annotated[str, Field(min_length=1, max_length=255)]


class Session(Wire):
    """A session with its counts."""

    id: str
    profile_id: str
    profile_name: str
    profile_url: str
    title: str
    current_workflow_id: str | None = None
    last_parameters: Document = Field(default_factory=dict)
    generation_count: int = 0
    completed_count: int = 0
    failed_count: int = 0
    created_at: Timestamp
    updated_at: Timestamp


class SessionDetail(Session):
    """A session with its newest generations, the newest first."""

    generations: list[Generation] = Field(default_factory=list)


class SessionCreate(Wire):
    """The body of `POST /comfyui/sessions`."""

    profile_id: str | None = None
    """Without one: the first comfyui profile, which `COMFYUI_URL` makes where there is none."""
    title: Title = "Untitled session"


class SessionUpdate(Wire):
    """The body of `PUT /comfyui/sessions/:id`: what is sent changes."""

    title: Title = ""
    current_workflow_id: str | None = None


class SessionChanges(TypedDict, total=False):
    """`SessionUpdate` as keyword arguments: only the fields that are given change."""

    title: str
    current_workflow_id: str | None
