"""Generations: runs of a ComfyUI graph and what came out of them, with what it takes to run them again."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer, WithJsonSchema

from spoonkernel.types.base import Timestamp, Wire

GenerationStatus = Literal["pending", "running", "complete", "failed"]
Folder = Literal["output", "input", "temp"]
OutputKind = Literal["image", "video", "audio", "text", "file"]
Verdict = Literal["IDENTICAL", "CLOSE", "DIFFERENT"]

SAFE_INTEGER = 2**53 - 1
"""The largest whole number that JavaScript holds exactly (ECMA-262, Number.MAX_SAFE_INTEGER)."""
SEED_MAX = 2**64 - 1


def exact(value: Any) -> Any:
    """The same JSON value with every whole number that JavaScript would round as a string of its digits."""
    if isinstance(value, bool) or not isinstance(value, int | dict | list | tuple):
        return value
    if isinstance(value, int):
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
    if isinstance(value, dict):
        return {name: exact(one) for name, one in value.items()}
    return [exact(one) for one in value]


def _from_digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Seed = Annotated[
    int,
    BeforeValidator(_from_digits),
    Field(ge=0, le=SEED_MAX),
    PlainSerializer(exact, when_used="json"),
    WithJsonSchema({"type": ["integer", "string"]}, mode="serialization"),
]
"""0 to 2^64-1; over JSON a string of digits from 2^53 on."""

Document = Annotated[
    dict[str, JsonValue],
    PlainSerializer(exact, when_used="json"),
    WithJsonSchema({"type": "object", "additionalProperties": True}, mode="serialization"),
]
"""A JSON object whose large whole numbers go over the wire as strings (ComfyUI takes both)."""

Value = Annotated[JsonValue, PlainSerializer(exact, when_used="json")]


Rating = Annotated[int, Field(ge=0, le=5)]
"""1 to 5 stars, or 0: rejected."""


class Output(Wire):
    """One thing that a run made. `filename`, `subfolder` and `type` are its place in ComfyUI's folders."""

    filename: str
    subfolder: str = ""
    type: Folder = "output"
    kind: OutputKind = "image"
    node_id: str = ""
    index: int = 0
    """Its place among the outputs of its node: the place in the batch where the node saved one."""
    content: str | None = None
    """Our copy, `/storage/media/NAME`; None where there is none (text, files of other kinds, a file already gone)."""
    thumbnail: str | None = None
    """A WebP of 256 px at most, in the media folder."""
    text: str | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None
    file_sha256: str | None = None
    pixel_sha256: str | None = None
    """Of the decoded pixels: equal for files that differ in their metadata only."""
    rating: Rating | None = None


class Generation(Wire):
    """One run. The columns beside `parameters` are read from the graph that was submitted: what ran, not what was
    asked for."""

    id: str
    session_id: str
    workflow_id: str | None = None
    prompt_id: str
    prompt_text: str
    negative_prompt: str | None = None
    parameters: Document = Field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    seed: Seed | None = None
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int | None = None
    checkpoint_name: str | None = None
    loras_used: list[JsonValue] = Field(default_factory=list)
    status: GenerationStatus
    """`running` from the moment ComfyUI has taken it; `started_at` is None while it waits in ComfyUI's own queue."""
    progress: float = 0.0
    """0 to 1, as last written; the events are finer."""
    cached: bool = False
    """ComfyUI ran nothing: the outputs are files of an earlier, identical run."""
    error: str | None = None
    warnings: list[str] = Field(default_factory=list)
    """What was left out or is doubtful: a parameter that the workflow does not have, an output that is invalid."""
    outputs: list[Output] = Field(default_factory=list)
    rating: Rating | None = None
    """What the generation was rated as a whole; once its outputs are rated one by one, the best of them."""
    generation_time_seconds: float | None = None
    """From the start of its execution to its end, as ComfyUI took the times; without the wait in its queue."""
    reproduces: str | None = None
    """The generation that this one was run to compare with."""
    batch_index: int | None = None
    """Set where one image of `reproduces` was made alone."""
    task_id: str | None = None
    created_at: Timestamp
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None


class TileOutput(Wire):
    """An output as a tile shows it; its place in the list is the `index` of `rate`."""

    kind: OutputKind = "image"
    content: str | None = None
    thumbnail: str | None = None
    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None
    rating: Rating | None = None


class GenerationTile(Wire):
    """A generation as a gallery needs it for tiles, sorting and filtering; the rest is in `Generation`."""

    id: str
    session_id: str
    workflow_id: str | None = None
    status: GenerationStatus
    prompt_text: str
    """Its first 1,000 characters."""
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    seed: Seed | None = None
    sampler_name: str | None = None
    scheduler: str | None = None
    checkpoint_name: str | None = None
    rating: Rating | None = None
    outputs: list[TileOutput] = Field(default_factory=list)
    generation_time_seconds: float | None = None
    created_at: Timestamp


class GenerateRequest(Wire):
    """The body of `POST /comfyui/sessions/:id/generate`."""

    prompt_text: Annotated[str, Field(max_length=1_000_000)]
    negative_prompt: Annotated[str, Field(max_length=1_000_000)] | None = None
    workflow_id: str | None = None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class GenerationWorkflow(Wire):
    """The answer of `GET /comfyui/generations/:id/workflow`: the graph exactly as it was submitted."""

    generation_id: str
    workflow_json: Document
    parameters: Document
    prompt_text: str
    negative_prompt: str | None = None
    ui_workflow: Document | None = None
    """The same workflow as ComfyUI's page saves it, where it was uploaded so."""
    ingredients: Document = Field(default_factory=dict)
    """What else the picture depends on: seeds, server, node packages, model files, input images."""
    missing: list[str] = Field(default_factory=list)
    """Ingredients that the server did not tell, in words."""


class ReproduceRequest(Wire):
    """The body of `POST /comfyui/generations/:id/reproduce`, which may be left away."""

    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 600
    """Seconds to wait for the new run's end."""


class RemakeRequest(Wire):
    """The body of `POST /comfyui/generations/:id/remake`."""

    index: Annotated[int, Field(ge=0)]
    """Which image of the batch, from 0."""


class GenerationFilter(Wire):
    """What a list of generations may be narrowed by."""

    session_id: str | None = None
    workflow_id: str | None = None
    status: GenerationStatus | None = None
    min_rating: Rating | None = None


class RatingRequest(Wire):
    """The body of `PATCH /comfyui/generations/:id`."""

    rating: Rating | None
    """None takes the rating away."""
    index: Annotated[int, Field(ge=0)] | None = None
    """Which of its outputs, from 0; without it the generation and all of them."""


class Difference(Wire):
    """One thing in which two generations differ. `before` and `after` are None where there is nothing."""

    what: Literal["parameter", "prompt", "seed", "node", "link", "model", "input", "server", "package", "workflow"]
    name: str
    before: Value = None
    after: Value = None
    text: str
    """The same for people: `cfg_scale 7 -> 8`."""


class ImageComparison(Wire):
    """Two pictures, pixel by pixel."""

    index: int
    verdict: Verdict
    max_difference: int | None = None
    """The largest difference of any channel of any pixel, 0 to 255; None for pictures of other sizes."""
    psnr_db: float | None = None
    """Peak signal-to-noise ratio; None for equal pictures, where it is infinite, and for other sizes."""
    same_file: bool = False
    reason: str = ""


class GenerationDiff(Wire):
    """Two generations explained. `verdict` is None while one of them has no pictures to compare."""

    generation_id: str
    other_id: str
    verdict: Verdict | None = None
    summary: str
    changes: list[Difference] = Field(default_factory=list)
    images: list[ImageComparison] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)
    """Ingredients that could not be compared, because one of the servers did not tell them."""


class Reproduction(Wire):
    """A generation that was run again, and how it came out."""

    generation: Generation
    verdict: Verdict
    summary: str
    diff: GenerationDiff
