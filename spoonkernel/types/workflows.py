"""Workflows: graphs that are kept, with the values that people turn."""

from typing import Annotated, Any, TypedDict

from pydantic import ConfigDict, Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from spoonkernel.types.base import Timestamp, Wire
from spoonkernel.types.generations import Document, Value

Name = Annotated[str, Field(min_length=1, max_length=255)]
JSONObject = dict[str, JsonValue]

PRESETS = "presets"
"""The key of `default_parameters` under which named sets of values lie beside the default ones, `{name: {parameter:
value}}`. Panes offer them; no run takes one over by itself."""


class WorkflowParameter(Wire):
    """One value of a graph that can be set, as the reference prints it, and what ComfyUI says of it."""

    model_config = ConfigDict(serialize_by_alias=True)

    node_id: Annotated[str, Field(serialization_alias="nodeId")]
    field: str
    type: str
    """`seed`, `number`, `string`, `boolean`, `choice` or `image`."""
    value: Value = None
    label: str | None = None
    min: Value = None
    max: Value = None
    step: float | None = None
    options: list[JsonValue] | None = None
    role: str | None = None
    """The name under which `parameters` of a generation set it (`steps`, `cfg_scale`, ...), if it has one."""
    node: str | None = None
    """The title of its node."""
    integer: bool | None = None
    multiline: bool | None = None
    display: str | None = None
    """`slider`, `number`, `color`, ...: how ComfyUI's own page shows it."""
    tooltip: str | None = None
    labels: list[str] | None = None
    """What a boolean's node says of it when it is off, and when it is on."""

    @model_serializer(mode="wrap")
    def _without_unknowns(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is not known is left out: the reference prints four fields."""
        return {name: value for name, value in serialize(self).items() if value is not None or name == "value"}


class WorkflowSummary(Wire):
    """A workflow without its graph."""

    id: str
    name: str
    description: str | None = None
    profile_id: str
    profile_name: str
    is_default: bool = False
    generation_count: int = 0
    default_parameters: Document = Field(default_factory=dict)
    created_at: Timestamp
    updated_at: Timestamp


class Workflow(WorkflowSummary):
    """A workflow whole. `workflow_json` is what was uploaded, in either of ComfyUI's formats."""

    workflow_json: Document
    extracted_parameters: list[WorkflowParameter] = Field(default_factory=list)


class WorkflowCreate(Wire):
    """The body of `POST /comfyui/workflows`."""

    name: Name
    workflow_json: JSONObject
    profile_id: str | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None
    default_parameters: JSONObject = Field(default_factory=dict)


class WorkflowUpdate(Wire):
    """The body of `PUT /comfyui/workflows/:id`: what is sent changes."""

    name: Name = ""
    description: Annotated[str, Field(max_length=10_000)] | None = None
    workflow_json: JSONObject = Field(default_factory=dict)
    default_parameters: JSONObject = Field(default_factory=dict)
    is_default: bool = False


class WorkflowParameters(Wire):
    """The body of `PATCH /comfyui/workflows/:id/parameters`."""

    default_parameters: JSONObject = Field(default_factory=dict)
    is_default: bool = False


class WorkflowExecute(Wire):
    """The body of `POST /comfyui/workflows/:id/execute`: `parameters` may hold `prompt` and `negative_prompt` too."""

    parameters: JSONObject = Field(default_factory=dict)


class WorkflowChanges(TypedDict, total=False):
    """`WorkflowUpdate` as keyword arguments: only the fields that are given change."""

    name: str
    description: str | None
    workflow_json: JSONObject
    default_parameters: JSONObject
    is_default: bool
