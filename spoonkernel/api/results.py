from typing import Protocol

from spoonkernel.api.marks import http
from spoonkernel.types.base import Media, MediaType, Rows
from spoonkernel.types.results import Result


class ResultsAPI(Protocol):
    """What tasks produced."""

    @http("GET /results")
    async def list(
        self, *, type: MediaType | None = None, task_id: str | None = None, limit: int = 20, offset: int = 0
    ) -> Rows[Result]:
        """Results, newest first; `limit` is capped at 100. `task_id` (ours) narrows them to one task's."""
        ...

    @http("GET /results/{result_id}")
    async def get(self, result_id: str) -> Result: ...

    @http("GET /results/{result_id}/download")
    async def download(self, result_id: str) -> Media:
        """The bytes: text as UTF-8, media as the file, with the type read from the bytes."""
        ...

    @http("DELETE /results/{result_id}")
    async def delete(self, result_id: str) -> None:
        """Delete a result, and its file where it has one."""
        ...
