"""What a ComfyUI offers, and what goes straight to it."""

from typing import Annotated

from pydantic import Field

from spoonkernel.types.base import Wire
from spoonkernel.types.generations import Document, Folder, Seed

DIMENSIONS = [512, 768, 832, 896, 1024, 1152, 1216, 1344, 1536]
"""Sizes in pixels that the reference offers."""


class ComfyOptions(Wire):
    """The answer of `GET /comfyui/options`."""

    samplers: list[str]
    schedulers: list[str]
    dimensions: list[int] = Field(default_factory=lambda: list(DIMENSIONS))
    checkpoints: list[str]
    loras: list[str]
    vaes: list[str] = Field(default_factory=list)
    upscale_models: list[str] = Field(default_factory=list)


class PromptRequest(Wire):
    """The body of `POST /comfyui/prompt`."""

    prompt: Annotated[str, Field(max_length=1_000_000)]
    negative_prompt: Annotated[str, Field(max_length=1_000_000)] | None = None
    session_id: str | None = None


class Upload(Wire):
    """An input image as ComfyUI keeps it: `name` is the one to use in a workflow, it may differ from the one sent."""

    name: str
    subfolder: str = ""
    type: Folder = "input"
    width: int | None = None
    height: int | None = None


class ImageMetadata(Wire):
    """What a picture's file says of how it was made. `source` is the program that wrote it."""

    source: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    seed: Seed | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler_name: str | None = None
    scheduler: str | None = None
    width: int | None = None
    height: int | None = None
    checkpoint_name: str | None = None
    loras: list[str] = Field(default_factory=list)
    workflow_json: Document | None = None
    """The graph in API format, where the file has one."""
    ui_workflow: Document | None = None
    spoon: Document | None = None
    """Spoon's own record, where Spoon made it."""
    warnings: list[str] = Field(default_factory=list)
