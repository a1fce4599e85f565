"""What routes take: the workbench, and query strings as both spellings write them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from pydantic import AfterValidator, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from spoonkernel.api import DatabaseAPI, TasksAPI, WorkbenchAPI
from spoonkernel.api.media import MediaAPI
from spoonkernel.services.database import HERE, Asker
from spoonkernel.types.base import Media, Wire
from spoonkernel.types.database import MAX_ARROW_ROWS, FileFormat, TableSchema
from spoonkernel.types.events import AnyEvent
from spoonkernel.types.rows import RowsInArrow

MAX_LIMIT = 100
MAX_OFFSET = 2**31 - 1  # times MAX_LIMIT still a BIGINT


class ServedTasks(TasksAPI, Protocol):
    def csv(self, **filters: Any) -> AsyncIterator[bytes]:
        """The CSV export piece by piece, UTF-8; takes the filters of `history`."""
        ...


class ServedDatabase(DatabaseAPI, Protocol):
    """`asked_by` is who asks, for the rules and the record."""

    async def answer(
        self, query: str, *, parameters: dict[str, Any] | None = None, limit: int = 1_000, asked_by: Asker = HERE
    ) -> bytes:
        """A `QueryResult` as its JSON text."""
        ...

    async def arrow(
        self,
        query: str,
        *,
        parameters: dict[str, Any] | None = None,
        limit: int = MAX_ARROW_ROWS,
        asked_by: Asker = HERE,
    ) -> RowsInArrow: ...

    async def export(
        self,
        query: str,
        *,
        format: FileFormat = "csv",
        parameters: dict[str, Any] | None = None,
        limit: int = MAX_ARROW_ROWS,
        asked_by: Asker = HERE,
    ) -> Media: ...

    async def tables(self, *, asked_by: Asker = HERE) -> list[str]: ...

    async def schema(self, name: str, *, asked_by: Asker = HERE) -> TableSchema: ...


class ServedWorkbench(WorkbenchAPI, Protocol):
    """What a server needs beside the rooms: the events to pass on, the files that results point to, CSV in pieces."""

    @property
    def tasks(self) -> ServedTasks: ...

    @property
    def database(self) -> ServedDatabase: ...

    @property
    def media(self) -> MediaAPI: ...
    def events(self) -> AbstractAsyncContextManager[AsyncIterator[AnyEvent]]: ...


async def _workbench(request: Request) -> ServedWorkbench:
    workbench: ServedWorkbench = request.app.state.workbench
    return workbench


WorkbenchDep = Annotated[ServedWorkbench, Depends(_workbench)]


async def _content(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_content)]
"""The body as it is, whatever its content type: a file."""


def content_docs() -> dict[str, Any]:
    """The OpenAPI words for a body that is a file."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"content": {"application/octet-stream": schema}, "required": True}}


Limit = Annotated[int, Field(ge=1), AfterValidator(lambda limit: min(limit, MAX_LIMIT))]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
PageNumber = Annotated[int, Field(ge=1, le=MAX_OFFSET)]


class QueryString(Wire):
    """Query parameters in camelCase or snake_case; an empty one (`?status=`) is one that was not given.

    A NUL character is refused as in a body: Postgres takes none.
    """

    model_config = ConfigDict(defer_build=False)  # FastAPI wants parameters complete when a route is made

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if wrong := next((name for name, value in data.items() if "\0" in str(value)), None):
            raise HTTPException(400, f"{wrong} has a NUL character")
        return {name: value for name, value in data.items() if value != ""}


ISODate = Annotated[str, Field(max_length=40, description="A date or a time: `2024-12-14`, `2024-12-14T10:30:00Z`")]
"""Passed on as written: a date alone means its first or its last moment, which only the service can tell apart."""
