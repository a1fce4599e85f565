"""Hears what other processes did to the tasks of a shared store without Redis, by reading the rows that changed.

A notebook and `spoon serve` on one data folder are two processes; only one runs tasks, and both have listeners.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from spoonkernel.bus import Bus
from spoonkernel.store.engine import Database
from spoonkernel.store.results import ResultRepo, as_result
from spoonkernel.store.tasks import TaskRepo, TaskRow, as_task
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import TaskCompleted, TaskCreated, TaskFailed, TaskProgress, TaskStarted

REMEMBERED = 10_000  # tasks whose last state is kept


class Tells(Protocol):
    """Somebody who does the same for rows of another kind (`overheard.Overheard`)."""

    async def begin(self) -> None: ...

    async def tell(self) -> None: ...


class Watch:
    """Turns changed rows into events, leaving out what this process does itself and has told already."""

    def __init__(self, database: Database, bus: Bus, *others: Tells) -> None:
        self._database, self._bus, self._others = database, bus, others
        self._tasks, self._results = TaskRepo(database), ResultRepo(database)
        self._states: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._created_here: OrderedDict[str, None] = OrderedDict()
        self._run_here: OrderedDict[str, None] = OrderedDict()
        self._rev = 0
        self._since = utc_now()

    async def begin(self) -> None:
        """Take the present state as known."""
        self._rev = await self._tasks.last_rev()
        for other in self._others:
            await other.begin()
        await self._database.changed_elsewhere()

    def created_here(self, task_id: str) -> None:
        _remember(self._created_here, task_id)

    def run_here(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            _remember(self._run_here, task_id)

    async def changed(self) -> bool:
        """Whether another process wrote since the last look."""
        return await self._database.changed_elsewhere()

    async def tell(self) -> None:
        """Publish what happened to rows since the last look."""
        for row in await self._tasks.changed_since(self._rev):
            self._rev = row.rev
            await self._tell(row)
        for other in self._others:
            await other.tell()

    async def _tell(self, row: TaskRow) -> None:
        task = as_task(row)
        before = self._states.get(task.id)
        _remember(self._states, task.id, (task.status, task.progress))
        if before is None and task.created_at >= self._since and task.id not in self._created_here:
            await self._bus.publish(TaskCreated(task=task))
        if before == (task.status, task.progress) or task.id in self._run_here:
            return
        if task.status == "running" and task.started_at is not None:
            if before is None or before[0] != "running":
                await self._bus.publish(TaskStarted(task_id=task.id, started_at=task.started_at))
            if task.progress > 0:
                await self._bus.publish(TaskProgress(task_id=task.id, progress=task.progress, message="Processing..."))
        elif task.status == "complete" and (before is None or before[0] != "complete"):
            rows = await self._results.page(kind=None, task_id=task.id, limit=None)
            results = [as_result(result) for result in reversed(rows)]
            await self._bus.publish(
                TaskCompleted(task_id=task.id, result=results[0] if results else None, results=results)
            )
        elif task.status == "failed" and (before is None or before[0] != "failed"):
            await self._bus.publish(TaskFailed(task_id=task.id, error=task.error or "The task failed"))


def _remember(memory: OrderedDict, key: str, value: object = None) -> None:  # type: ignore[type-arg]  # any of the three
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
