"""Hears what other processes did to the generations of a shared store without Redis (see `watch`).

What this process follows it tells itself, from the socket; of the others it knows what their rows say.
"""

from collections import OrderedDict
from datetime import timedelta

from spoonkernel.bus import Bus
from spoonkernel.store.engine import Database
from spoonkernel.store.generations import GenerationRepo, GenerationRow, as_generation
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import (
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationProgress,
    GenerationStarted,
    rated,
)
from spoonkernel.types.generations import Generation

REMEMBERED = 10_000  # generations whose last state is kept
LONG_PAST = timedelta(minutes=1)  # more than clocks differ, and than files take between an end and its row


class Overheard:
    """Turns changed rows into events. `watcher_id` is the name under which this process follows generations."""

    def __init__(self, database: Database, bus: Bus, watcher_id: str) -> None:
        self._bus, self._watcher_id = bus, watcher_id
        self._rows = GenerationRepo(database)
        self._states: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._ratings: OrderedDict[str, tuple[int | None, ...]] = OrderedDict()
        self._ends: OrderedDict[str, None] = OrderedDict()
        self._rev = 0
        self._since = utc_now()

    def is_news(self, generation_id: str) -> bool:
        """Whether its end has not been told here yet; from now on it has."""
        if generation_id in self._ends:
            return False
        self._ends[generation_id] = None
        if len(self._ends) > REMEMBERED:
            self._ends.popitem(last=False)
        return True

    async def begin(self) -> None:
        """Take the present state as known."""
        self._rev = await self._rows.last_rev()

    async def tell(self) -> None:
        """Publish what happened to rows since the last look."""
        for row in await self._rows.changed_since(self._rev):
            self._rev = row.rev
            await self._tell(row)

    async def _tell(self, row: GenerationRow) -> None:
        generation = as_generation(row)
        is_past = row.completed_at is not None and row.completed_at < self._since - LONG_PAST
        await self._tell_rating(generation, is_past=is_past)
        if is_past:
            return
        if row.watcher_id != self._watcher_id:
            await self._tell_life(generation)
        if row.status == "complete" and self.is_news(row.id):
            await self._bus.publish(
                GenerationCompleted(generation_id=row.id, session_id=row.session_id, outputs=generation.outputs)
            )
        elif row.status == "failed" and self.is_news(row.id):
            error = row.error or "The generation failed"
            await self._bus.publish(GenerationFailed(generation_id=row.id, session_id=row.session_id, error=error))

    async def _tell_rating(self, generation: Generation, *, is_past: bool) -> None:
        """`is_past`: it ended long before this process opened, so nothing else of it can be news."""
        now = rated(generation)
        told, this = self._ratings.get(generation.id), (now.rating, *now.outputs)
        if this == told or (told is None and not is_past and all(one is None for one in this)):
            return
        self._ratings[generation.id] = this
        if len(self._ratings) > REMEMBERED:
            self._ratings.popitem(last=False)
        await self._bus.publish(now)

    async def _tell_life(self, generation: Generation) -> None:
        has_started = generation.started_at is not None
        before = self._states.get(generation.id)
        self._states[generation.id] = has_started, generation.progress
        if before is None:
            if len(self._states) > REMEMBERED:
                self._states.popitem(last=False)
            if generation.created_at >= self._since:
                await self._bus.publish(GenerationCreated(generation=generation))
        ids = {"generation_id": generation.id, "session_id": generation.session_id}
        if has_started and not (before and before[0]):
            await self._bus.publish(GenerationStarted(**ids, prompt_id=generation.prompt_id))
        if generation.status == "running" and generation.progress > (before[1] if before else 0.0):
            await self._bus.publish(GenerationProgress(**ids, node="", progress=generation.progress))
