"""Results: what tasks produced. Text is stored as it is; media lies in the media folder and `content` is its path."""

from pydantic import Field, JsonValue

from spoonkernel.types.base import MediaType, Timestamp, Wire


class Result(Wire):
    """One product of a task. `metadata` has the model, tokens, `duration_ms`, `seed`, for images width and height."""

    id: str
    task_id: str
    type: MediaType
    content: str
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    created_at: Timestamp
