from typing import Protocol, Unpack

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import Rows
from spoonkernel.types.generations import Generation
from spoonkernel.types.workflows import Workflow, WorkflowChanges, WorkflowSummary


class WorkflowsAPI(Protocol):
    """Graphs that are kept. Each comfyui profile begins with the ones that Spoon brings."""

    @http("GET /comfyui/workflows")
    async def list(self, *, profile_id: str | None = None) -> Rows[WorkflowSummary]:
        """All workflows, the newest first, without their graphs."""
        ...

    @http("POST /comfyui/workflows")
    async def create(
        self,
        *,
        name: str,
        workflow_json: dict[str, JsonValue],
        profile_id: str | None = None,
        description: str | None = None,
        default_parameters: dict[str, JsonValue] | None = None,
    ) -> Workflow:
        """Keep a graph, in the API format or as ComfyUI's page saves it, and list what can be set in it.

        Raises:
            ValidationFailed: it is neither; the message says what was expected and which node is wrong.
        """
        ...

    @http("GET /comfyui/workflows/{workflow_id}")
    async def get(self, workflow_id: str) -> Workflow: ...

    @http("PUT /comfyui/workflows/{workflow_id}")
    async def update(self, workflow_id: str, **changes: Unpack[WorkflowChanges]) -> Workflow:
        """Change what is given. Generations keep the graph that they ran."""
        ...

    @http("PATCH /comfyui/workflows/{workflow_id}/parameters")
    async def set_parameters(
        self,
        workflow_id: str,
        *,
        default_parameters: dict[str, JsonValue] | None = None,
        is_default: bool | None = None,
    ) -> Workflow:
        """Replace the default parameters, and make it its profile's default workflow (or no longer)."""
        ...

    @http("DELETE /comfyui/workflows/{workflow_id}")
    async def delete(self, workflow_id: str) -> None:
        """Forget a workflow. Its generations stay, each with the graph that it ran."""
        ...

    @http("POST /comfyui/workflows/{workflow_id}/execute")
    async def execute(self, workflow_id: str, *, parameters: dict[str, JsonValue] | None = None) -> Generation:
        """Run a workflow in a session of its own name; `parameters` may hold `prompt` and `negative_prompt`."""
        ...

    @http("GET /comfyui/workflows/{workflow_id}/generations")
    async def generations(self, workflow_id: str, *, limit: int = 20, offset: int = 0) -> Rows[Generation]:
        """The runs of a workflow, the newest first."""
        ...
