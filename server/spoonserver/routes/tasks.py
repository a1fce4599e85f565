from typing import Annotated, Literal

from fastapi import Header, Query, Response

from spoonkernel.types.base import MediaType, ProviderName, utc_now
from spoonkernel.types.tasks import Task, TaskCreate, TaskExport, TaskRetry, TaskStatus
from spoonserver.deps import ISODate, Limit, Offset, PageNumber, QueryString, WorkbenchDep
from spoonserver.envelope import Confirmation, Data, PageData, paged
from spoonserver.media import streamed_csv
from spoonserver.rooms import room

router = room("Tasks", "/tasks")


class TaskQuery(QueryString):
    status: TaskStatus | None = None
    provider: ProviderName | None = None
    type: MediaType | None = None
    limit: Limit = 20
    offset: Offset = 0


class HistoryFilter(QueryString):
    date_from: ISODate | None = None
    date_to: ISODate | None = None
    provider: ProviderName | None = None
    type: MediaType | None = None
    status: TaskStatus | None = None
    search: Annotated[str, Query(max_length=1_000)] | None = None


class HistoryQuery(HistoryFilter):
    page: PageNumber = 1
    limit: Limit = 20


class ExportQuery(HistoryFilter):
    format: Literal["csv", "json"] = "json"


@router.get("")
async def list_tasks(query: Annotated[TaskQuery, Query()], workbench: WorkbenchDep) -> Data[list[Task]]:
    """Tasks, newest first."""
    return Data(data=await workbench.tasks.list(**query.given()))


@router.post("", status_code=201)
async def create_task(
    task: TaskCreate,
    workbench: WorkbenchDep,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Data[Task]:
    """Queue a request and answer with its row at once, `pending`.

    A second request with the same `Idempotency-Key` gets the first one's task; with another body it is a conflict.
    """
    return Data(data=await workbench.tasks.create(**task.given(), idempotency_key=idempotency_key))


@router.get("/history")
async def get_task_history(query: Annotated[HistoryQuery, Query()], workbench: WorkbenchDep) -> PageData[Task]:
    """A page of tasks, newest first. `search` looks into name and prompt; a bare `dateTo` is that whole day."""
    return paged(await workbench.tasks.history(**query.given()))


@router.get(
    "/history/export",
    response_model=Data[TaskExport],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_task_history(
    query: Annotated[ExportQuery, Query()], workbench: WorkbenchDep
) -> Data[TaskExport] | Response:
    """Every task that the filters let through, as rows (`json`) or as a file (`csv`, formula cells guarded)."""
    filters = query.given()
    if filters.pop("format", "json") == "csv":
        return await streamed_csv(workbench.tasks.csv(**filters), f"tasks_export_{utc_now().date()}.csv")
    return Data(data=await workbench.tasks.export(**filters))


@router.get("/{task_id}")
async def get_task(task_id: str, workbench: WorkbenchDep) -> Data[Task]:
    """One task as it is now."""
    return Data(data=await workbench.tasks.get(task_id))


@router.delete("/{task_id}")
async def delete_task(task_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Cancel a pending or running task, or delete a finished one with its results."""
    await workbench.tasks.delete(task_id)
    return Confirmation(message="Task deleted")


@router.post("/{task_id}/retry")
async def retry_task(task_id: str, workbench: WorkbenchDep) -> Data[TaskRetry]:
    """Queue a failed task again."""
    return Data(data=await workbench.tasks.retry(task_id))
