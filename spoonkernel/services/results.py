"""Results: what tasks produced."""

from spoonkernel.media import MediaFolder
from spoonkernel.services.checks import checked
from spoonkernel.services.tasks import page_size, start_of
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.results import ResultRepo, as_result
from spoonkernel.types.base import Media, MediaType, Rows
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import TaskFilter


class ResultService:
    def __init__(self, rows: ResultRepo, media: MediaFolder) -> None:
        self._rows, self._media = rows, media

    async def list(
        self,
        *,
        type: MediaType | None = None,
        task_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> Rows[Result]:
        kind = checked(TaskFilter, type=type).type
        size, start = page_size(limit), start_of(offset)
        owner = None if task_id is None else canonical_id(task_id)
        if task_id is not None and owner is None:  # no UUID: no task can have it
            return []
        return [as_result(row) for row in await self._rows.page(kind=kind, task_id=owner, limit=size, offset=start)]

    async def get(self, result_id: str) -> Result:
        return await self._rows.get(result_id)

    async def download(self, result_id: str) -> Media:
        result = await self._rows.get(result_id)
        if result.type != "text":
            return await self._media.open(result.content)
        content = result.content.encode()
        return Media(content=content, content_type="text/plain; charset=utf-8", filename=f"result_{result.id}.txt")

    async def delete(self, result_id: str) -> None:
        result = await self._rows.get(result_id)
        await self._rows.delete(result.id)
        if result.type != "text":
            await self._media.delete(result.content)
