"""One task under way."""

import asyncio
import html
from collections.abc import Callable, Coroutine
from typing import Any

from spoonkernel.errors import NotFound, RunFailed
from spoonkernel.handles.handle import CANCELLED, Handle
from spoonkernel.handles.line import Bundle, status_line
from spoonkernel.handles.markdown import harmless
from spoonkernel.handles.opened import LiveWorkbench, OpenWorkbench
from spoonkernel.handles.pictures import picture_tags
from spoonkernel.handles.watching import Watch
from spoonkernel.types.events import AnyEvent, TaskCompleted, TaskCreated, TaskFailed, TaskProgress, TaskStarted
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import Task

Begin = Callable[[OpenWorkbench], Coroutine[Any, Any, Task]]
TaskEvent = TaskCreated | TaskStarted | TaskProgress | TaskCompleted | TaskFailed


class TaskRun(Handle[Task, TaskEvent]):
    """A task: awaiting it gives its row; `results` then has what it made.

    Args:
        workbench: what `spoonkernel.open()` returned.
        begin: creates it on the plain workbench and returns its row; or the row, or the id, of one that was created
            before.
    """

    def __init__(self, workbench: LiveWorkbench, begin: Begin | Task | str) -> None:
        self._follows = not callable(begin)
        self._begin = begin if callable(begin) else _found(begin)
        self._begun: asyncio.Task[Task] | None = None
        self._row: Task | None = None
        self._results: list[Result] = []
        self._last: dict[type, TaskEvent] = {}
        super().__init__(workbench)

    @property
    def id(self) -> str | None:
        return self._row.id if self._row else None

    @property
    def row(self) -> Task | None:
        """The task as last read; None until it was created."""
        return self._row

    @property
    def results(self) -> list[Result]:
        """What it made, once it is complete, the first one first."""
        return list(self._results)

    # -- on the workbench's loop -------------------------------------------------------------------------------------

    async def _work(self) -> Task:
        early: list[AnyEvent] = []  # events between the creation and its answer, when the id is not known yet
        watch = Watch(self._workbench.inner, lambda event: self._heard(event, early))
        async with watch.listening():
            self._begun = asyncio.create_task(self._begin(self._workbench.inner))
            self._read(await asyncio.shield(self._begun))
            self._moved(*self._standing())
            for event in early:
                self._heard(event, early)
            row = await watch.until(self._look, lambda row: row.status in ("complete", "failed"))
        if row.status == "complete":
            newest_first = await self._workbench.inner.results.list(task_id=row.id, limit=100)
            self._results = newest_first[::-1]
        return self._ended(row)

    async def _stop(self) -> Task:
        if self._begun is None:
            if not self._follows:
                raise RunFailed(CANCELLED)
            self._begun = asyncio.create_task(self._begin(self._workbench.inner))
        row = await self._begun  # what was being created must be known before it can be stopped
        inner = self._workbench.inner
        try:
            row = await inner.tasks.get(row.id)
            if row.status == "complete":  # deleting it now would take its results away
                self._results = (await inner.results.list(task_id=row.id, limit=100))[::-1]
                return self._ended(row)
            if row.status != "failed":
                await inner.tasks.delete(row.id)
        except NotFound:  # somebody else cancelled it
            pass
        self._row = row.model_copy(update={"status": "failed", "error": CANCELLED})
        return self._ended(self._row)

    async def _look(self) -> Task:
        assert self._row is not None  # noqa: S101  # it was created: see `_work`
        try:
            row = await self._workbench.inner.tasks.get(self._row.id)
        except NotFound as error:
            raise RunFailed(f"{CANCELLED}: task {self._row.id} was deleted", self._row) from error
        self._read(row)
        return row

    def _read(self, row: Task) -> None:
        self._row = row
        self._moved(status="running" if row.status == "running" else "pending", progress=row.progress)

    def _ended(self, row: Task) -> Task:
        """Tell the end; the row of a good one."""
        self._row = row
        self._moved(self._end_of(row))
        if row.status == "complete":
            return row
        raise RunFailed(row.error or "The task failed", row)

    def _heard(self, event: AnyEvent, early: list[AnyEvent]) -> bool:
        """Pass an event of this task on; whether its row should be read."""
        if not isinstance(event, TaskStarted | TaskProgress):
            return isinstance(event, TaskCompleted | TaskFailed) and event.task_id == self.id
        if self._row is None:
            early.append(event)
        elif event.task_id == self._row.id:
            self._last[type(event)] = event
            progress = event.progress if isinstance(event, TaskProgress) else None
            self._moved(event, status="running", progress=progress)
        return False

    def _standing(self) -> list[TaskEvent]:
        if self._row is None:
            return []
        standing = [self._last[kind] for kind in (TaskStarted, TaskProgress) if kind in self._last]
        end = [self._end_of(self._row)] if self._row.status in ("complete", "failed") else []
        return [TaskCreated(task=self._row), *standing, *end]

    def _end_of(self, row: Task) -> TaskEvent:
        if row.status == "complete":
            first = self._results[0] if self._results else None
            return TaskCompleted(task_id=row.id, result=first, results=self._results)
        return TaskFailed(task_id=row.id, error=row.error or "The task failed")

    def _is_told(self, failure: Exception) -> bool:
        return isinstance(failure, RunFailed) and self._row is not None and self._row.status == "failed"

    # -- how it looks ------------------------------------------------------------------------------------------------

    def _shown(self) -> Bundle:
        name = self._row.name if self._row else "Task"
        last = self._last.get(TaskProgress)
        note = last.message if isinstance(last, TaskProgress) else ""
        if self._status == "pending":
            note = "waits for a worker" if self._row else "is being created"
        return {"text/html": status_line(name, progress=self.progress, note=note), "text/plain": repr(self)}

    async def _kept(self) -> Bundle:
        if self._failure is not None or self._row is None:
            return self._broken()
        texts = [result.content for result in self._results if result.type == "text"]
        if texts and len(texts) == len(self._results):
            return {"text/markdown": harmless("\n\n---\n\n".join(texts)), "text/plain": "\n\n".join(texts)}
        from spoonkernel.media.thumbnails import thumb_of  # the media package is only needed by what made media

        paths = [thumb_of(result.content) for result in self._results if result.type == "image"]
        pictures = await picture_tags(self._workbench.inner, paths, self._row.prompt)
        texts = [f'<pre style="white-space:pre-wrap">{html.escape(text)}</pre>' for text in texts]
        body = "".join([*pictures, *texts]) + status_line("Done", note=self._row.name)
        return {"text/html": body, "text/plain": repr(self)}


def _found(task: Task | str) -> Begin:
    task_id = task if isinstance(task, str) else task.id

    async def begin(inner: OpenWorkbench) -> Task:
        return await inner.tasks.get(task_id)

    return begin
