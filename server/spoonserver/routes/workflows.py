from typing import Annotated

from fastapi import Query

from spoonkernel.types.generations import Generation
from spoonkernel.types.workflows import (
    Workflow,
    WorkflowCreate,
    WorkflowExecute,
    WorkflowParameters,
    WorkflowSummary,
    WorkflowUpdate,
)
from spoonserver.deps import Limit, Offset, QueryString, WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.rooms import room

router = room("Workflows", "/comfyui/workflows")


class WorkflowQuery(QueryString):
    profile_id: str | None = None


class RunsQuery(QueryString):
    limit: Limit = 20
    offset: Offset = 0


@router.get("")
async def list_workflows(
    query: Annotated[WorkflowQuery, Query()], workbench: WorkbenchDep
) -> Data[list[WorkflowSummary]]:
    """All workflows, newest first, without their graphs; `profileId` (ours) narrows them to one profile's."""
    return Data(data=await workbench.workflows.list(**query.given()))


@router.post("", status_code=201)
async def create_workflow(workflow: WorkflowCreate, workbench: WorkbenchDep) -> Data[Workflow]:
    """Keep a graph, in the API format or as ComfyUI's page saves it, and list what can be set in it."""
    return Data(data=await workbench.workflows.create(**workflow.given()))


@router.get("/{workflow_id}")
async def get_workflow(workflow_id: str, workbench: WorkbenchDep) -> Data[Workflow]:
    """One workflow with its graph and the values in it that can be set."""
    return Data(data=await workbench.workflows.get(workflow_id))


@router.put("/{workflow_id}")
async def update_workflow(workflow_id: str, changes: WorkflowUpdate, workbench: WorkbenchDep) -> Data[Workflow]:
    """Change what is sent. Generations keep the graph that they ran."""
    return Data(data=await workbench.workflows.update(workflow_id, **changes.given()))


@router.patch("/{workflow_id}/parameters")
async def set_workflow_parameters(
    workflow_id: str, changes: WorkflowParameters, workbench: WorkbenchDep
) -> Data[Workflow]:
    """Replace the default parameters, and make it its profile's default workflow (or no longer)."""
    return Data(data=await workbench.workflows.set_parameters(workflow_id, **changes.given()))


@router.delete("/{workflow_id}")
async def delete_workflow(workflow_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Forget a workflow. Its generations stay, each with the graph that it ran."""
    await workbench.workflows.delete(workflow_id)
    return Confirmation(message="Workflow deleted")


@router.post("/{workflow_id}/execute", status_code=201)
async def execute_workflow(
    workflow_id: str, workbench: WorkbenchDep, request: WorkflowExecute | None = None
) -> Data[Generation]:
    """Run a workflow in a session of its own name; `parameters` may hold `prompt` and `negative_prompt`."""
    return Data(data=await workbench.workflows.execute(workflow_id, **request.given() if request else {}))


@router.get("/{workflow_id}/generations")
async def list_workflow_generations(
    workflow_id: str, query: Annotated[RunsQuery, Query()], workbench: WorkbenchDep
) -> Data[list[Generation]]:
    """The runs of a workflow, newest first."""
    return Data(data=await workbench.workflows.generations(workflow_id, **query.given()))
