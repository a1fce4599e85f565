"""Generations: reading, cancelling, deleting; running them again is in `reproduction`."""

from typing import Any

from spoonkernel.bus import Bus
from spoonkernel.errors import Conflict, NotFound, ValidationFailed
from spoonkernel.media import MediaFolder
from spoonkernel.services.checks import checked
from spoonkernel.services.reproduction import Reproducer
from spoonkernel.services.submissions import Watches
from spoonkernel.services.tasks import page_size, start_of
from spoonkernel.store.generations import OPEN, GenerationRepo, GenerationRow, as_generation
from spoonkernel.types.base import Rows
from spoonkernel.types.events import rated
from spoonkernel.types.generations import (
    Generation,
    GenerationDiff,
    GenerationFilter,
    GenerationStatus,
    GenerationTile,
    GenerationWorkflow,
    RatingRequest,
    Reproduction,
)

LONGEST_WAIT_S = 60.0
MAX_TILES = 20_000
LONGEST_REPRODUCTION_S = 24 * 3_600.0


class GenerationService:
    def __init__(
        self, rows: GenerationRepo, watch: Watches, reproducer: Reproducer, media: MediaFolder, bus: Bus
    ) -> None:
        self._rows, self._watch, self._reproducer, self._media = rows, watch, reproducer, media
        self._bus = bus

    async def list(
        self,
        *,
        session_id: str | None = None,
        workflow_id: str | None = None,
        status: GenerationStatus | None = None,
        min_rating: int | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> Rows[Generation]:
        wanted = checked(
            GenerationFilter, session_id=session_id, workflow_id=workflow_id, status=status, min_rating=min_rating
        )
        rows = await self._rows.page(wanted, limit=page_size(limit), offset=start_of(offset))
        return [as_generation(row) for row in rows]

    async def index(
        self,
        *,
        session_id: str | None = None,
        workflow_id: str | None = None,
        status: GenerationStatus | None = None,
        min_rating: int | None = None,
        limit: int = MAX_TILES,
        offset: int = 0,
    ) -> Rows[GenerationTile]:
        wanted = checked(
            GenerationFilter, session_id=session_id, workflow_id=workflow_id, status=status, min_rating=min_rating
        )
        return await self._rows.tiles(wanted, limit=page_size(limit, MAX_TILES), offset=start_of(offset))

    async def get(self, generation_id: str, *, wait_s: float = 0) -> Generation:
        if not 0 <= wait_s <= LONGEST_WAIT_S:
            raise ValidationFailed(f"waitS: takes 0 to {LONGEST_WAIT_S:.0f} seconds, not {wait_s:g}")
        row = await self._row(generation_id)
        if wait_s and row.status in OPEN:
            await self._watch.ended(row.id, wait_s)
            row = await self._row(generation_id)
        return as_generation(row)

    async def rate(self, generation_id: str, *, rating: int | None, index: int | None = None) -> Generation:
        wanted = checked(RatingRequest, rating=rating, index=index)
        row = await self._row(generation_id)
        changed = await self._rows.rate(row.id, wanted.rating, wanted.index)
        if changed is None:
            raise _missing(generation_id)
        generation = as_generation(changed)
        await self._bus.publish(rated(generation))
        return generation

    async def workflow(self, generation_id: str) -> GenerationWorkflow:
        row = await self._rows.get(generation_id)
        ingredients: dict[str, Any] = dict(row.ingredients or {})
        return GenerationWorkflow(
            generation_id=row.id,
            workflow_json=row.workflow_json,
            parameters=row.parameters,
            prompt_text=row.prompt_text,
            negative_prompt=row.negative_prompt,
            ui_workflow=row.ui_workflow,
            missing=ingredients.pop("missing", []),
            ingredients=ingredients,
        )

    async def delete(self, generation_id: str) -> None:
        row = await self._row(generation_id)
        if row.status in OPEN:
            await self._watch.cancel(row)
        for path in await self._rows.delete(row.id) or ():
            await self._media.delete(path)

    async def cancel(self, generation_id: str) -> Generation:
        row = await self._row(generation_id)
        if row.status not in OPEN or not await self._watch.cancel(row):
            row = await self._row(generation_id)
            raise Conflict(f"Generation {generation_id} has ended already: it is {row.status}")
        return as_generation(await self._row(generation_id))

    async def reproduce(self, generation_id: str, *, timeout_s: float = 600) -> Reproduction:
        if not 0 < timeout_s <= LONGEST_REPRODUCTION_S:
            raise ValidationFailed(f"timeoutS: takes up to {LONGEST_REPRODUCTION_S:.0f} seconds, not {timeout_s:g}")
        return await self._reproducer.reproduce(await self._rows.get(generation_id), timeout_s)

    async def diff(self, generation_id: str, other_id: str) -> GenerationDiff:
        return await self._reproducer.diff(await self._rows.get(generation_id), await self._rows.get(other_id))

    async def remake(self, generation_id: str, *, index: int) -> Generation:
        return await self._reproducer.remake(await self._rows.get(generation_id), index)

    async def _row(self, generation_id: str) -> GenerationRow:
        row = await self._rows.find(generation_id)
        if row is None:
            raise _missing(generation_id)
        return row


def _missing(generation_id: str) -> NotFound:
    return NotFound(f"Generation {generation_id} not found")
