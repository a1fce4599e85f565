"""Tasks: asynchronous requests and their life, `pending` -> `running` -> `complete` | `failed`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue

from spoonkernel.types.base import CamelWire, MediaType, ProviderName, Timestamp, Wire

TaskStatus = Literal["pending", "running", "complete", "failed"]
Limit = Annotated[int, Field(ge=1, le=100)]


class Task(Wire):
    """One asynchronous request. `error` says why it failed, or why its last attempt did."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: str
    name: str
    type: MediaType
    provider: ProviderName
    prompt: str
    options: dict[str, JsonValue] = Field(default_factory=dict)
    status: TaskStatus
    error: str | None = None
    progress: float = 0.0
    """0 to 1, as last written; the events are finer."""
    retry_count: Annotated[int, Field(serialization_alias="retryCount")] = 0
    created_at: Timestamp
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None


class TaskCreate(Wire):
    """The body of `POST /tasks`."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    type: MediaType
    provider: ProviderName
    prompt: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    options: dict[str, JsonValue] = Field(default_factory=dict)


class TaskRetry(CamelWire):
    """The answer of `POST /tasks/:id/retry`."""

    id: str
    status: TaskStatus
    retry_count: int


class TaskFilter(Wire):
    """What `GET /tasks`, `/tasks/history` and its export may be narrowed by; filters combine with AND."""

    status: TaskStatus | None = None
    provider: ProviderName | None = None
    type: MediaType | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    search: str | None = None


class TaskExport(Wire):
    """A JSON export: the file's suggested name and its rows."""

    filename: str
    content: list[Task]
