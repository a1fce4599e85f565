from datetime import date, datetime
from typing import Literal, Protocol, overload

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import Media, MediaType, Page, ProviderName, Rows
from spoonkernel.types.tasks import Task, TaskExport, TaskRetry, TaskStatus


class TasksAPI(Protocol):
    """Asynchronous requests: created at once, run by a worker, watched through events or by reading the row."""

    @http("GET /tasks")
    async def list(
        self,
        *,
        status: TaskStatus | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> Rows[Task]:
        """Tasks, newest first; `limit` is capped at 100."""
        ...

    @http("POST /tasks", headers={"idempotency_key": "Idempotency-Key"})
    async def create(
        self,
        *,
        name: str,
        type: MediaType,
        provider: ProviderName,
        prompt: str,
        options: dict[str, JsonValue] | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Queue a request and return its row at once, `pending`.

        Args:
            options: `model`, `profileId`, and whatever the provider takes; `count` makes several results of an image.
            idempotency_key: a second call with the same key returns the first one's task instead of making another;
                with another body it is a `Conflict`.

        Raises:
            BadRequest: the provider cannot make this type; the message names both.
        """
        ...

    @http("GET /tasks/history")
    async def history(
        self,
        *,
        date_from: datetime | date | str | None = None,
        date_to: datetime | date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
        page: int = 1,
        limit: int = 20,
    ) -> Page[Task]:
        """A page of tasks, newest first. `search` looks into name and prompt; `%` and `_` are plain characters.

        A `date_to` that is a date alone takes in that whole day.
        """
        ...

    @overload
    async def export(
        self,
        *,
        format: Literal["json"] = "json",
        date_from: datetime | date | str | None = None,
        date_to: datetime | date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
    ) -> TaskExport: ...
    @overload
    async def export(
        self,
        *,
        format: Literal["csv"],
        date_from: datetime | date | str | None = None,
        date_to: datetime | date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
    ) -> Media: ...
    @http("GET /tasks/history/export")
    async def export(
        self,
        *,
        format: Literal["json", "csv"] = "json",
        date_from: datetime | date | str | None = None,
        date_to: datetime | date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
    ) -> TaskExport | Media:
        """Every task that the filters let through, as rows (`json`) or as a file (`csv`, formula cells guarded)."""
        ...

    @http("GET /tasks/{task_id}")
    async def get(self, task_id: str) -> Task: ...

    @http("DELETE /tasks/{task_id}")
    async def delete(self, task_id: str) -> None:
        """Cancel a pending or running task (its provider request is closed), or delete a finished one.

        Results and files of a finished task go with it.
        """
        ...

    @http("POST /tasks/{task_id}/retry")
    async def retry(self, task_id: str) -> TaskRetry:
        """Queue a failed task again. `Conflict` when it has not failed."""
        ...
