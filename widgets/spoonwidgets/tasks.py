"""The tasks pane: tasks with their progress, and their results as they land. Given ones, or the workbench's newest."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

import traitlets

from spoonkernel.errors import BadRequest, NotFound, PayloadTooLarge, SpoonError
from spoonkernel.portal import Call
from spoonkernel.types.events import GenerationCreated, GenerationPreview, GenerationProgress, TaskCreated, TaskProgress
from spoonkernel.types.generations import Generation
from spoonkernel.types.tasks import Task
from spoonwidgets._base import Pane, Workbench, esm, log
from spoonwidgets._snapshot import saved_note, table
from spoonwidgets._task_names import Names
from spoonwidgets._task_rows import GenerationRow, Row, TaskRow

SHOWN_BYTES = 9_000_000
"""A message above about 10 MB ends the kernel's websocket, so a larger image is not shown."""
LOOK_S = 2.0
"""Events are hints and can be missed: this often the rows of unfinished tasks are read again."""
NEWEST = 50
"""How many tasks a live list shows."""


class Tasks(Pane):
    """Tasks as they run. Shown in a notebook it is a list with progress bars; `await tasks.wait()` needs no page.

    Args:
        workbench: what `spoonkernel.open()` returned.
        tasks: rows from `workbench.tasks.create`, or their ids, in the order to show them. Left out, the pane shows the
            workbench's newest tasks and the generations that run, and goes on following both.
        height: the list scrolls above this many pixels.
        compact: of a live list only what runs, waits or has just failed, as a table.
        static: keep a plain table in the notebook, for readers without a kernel.
        changed: called on the workbench's loop when `counts` says something new.
    """

    _esm = esm("tasks.js")
    compact = traitlets.Bool(False, help="One line each, what runs and waits alone.").tag(sync=True)

    def __init__(
        self,
        workbench: Workbench,
        tasks: Sequence[Task | str] | None = None,
        height: int = 480,
        *,
        compact: bool = False,
        static: bool = True,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._on_change = changed
        self._live = tasks is None
        self._ids = [task if isinstance(task, str) else task.id for task in tasks or ()]
        self._rows: dict[str, Row] = {task.id: TaskRow(task) for task in tasks or () if isinstance(task, Task)}
        self._names = Names(workbench)
        self._news = asyncio.Event()
        self._stale = True
        self._read_once = False
        self._trouble = ""
        super().__init__(workbench, height=height, static=static)
        self.compact = compact
        self._watch = self._start_watching()

    def __repr__(self) -> str:
        ended = sum(row.ended for row in self._rows.values())
        return f"<Tasks, {ended} of {len(self._ids)} ended>"

    @property
    def rows(self) -> list[Task]:
        """The tasks as last read, in the order they were given; of a live list the newest first."""
        return [row.task for id_ in self._ids if isinstance(row := self._rows.get(id_), TaskRow)]

    @property
    def counts(self) -> dict[str, int]:
        """How many of the rows run or wait, and how many have failed."""
        rows = [row.row()["status"] for row in self._rows.values()]
        return {"running": rows.count("running") + rows.count("pending"), "failed": rows.count("failed")}

    def wait(self) -> Call[list[Task]]:
        """The tasks once every one of them has ended, complete or failed; a deleted one keeps its last row."""
        if self._live:
            raise BadRequest("This list goes on as long as the workbench: name the tasks to wait for, Tasks(wb, [...])")
        return Call(self._workbench.start(self._wait()), "tasks.wait")

    async def _wait(self) -> list[Task]:
        await asyncio.shield(asyncio.wrap_future(self._watch))
        return self.rows

    def close(self) -> None:
        """Stop following, and take the pane off every page."""
        self._watch.cancel()
        super().close()

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_cancel(self, id: str) -> None:
        """Cancel a waiting or running task or generation."""
        row = self._known(id)
        if row.ended:
            return
        if isinstance(row, GenerationRow):
            await self._workbench.inner.generations.cancel(id)
        else:
            await self._workbench.inner.tasks.delete(id)
        await self._read(id)

    async def op_retry(self, id: str) -> None:
        """Queue a failed task again."""
        self._known(id)
        await self._workbench.inner.tasks.retry(id)
        self._rows[id].progress = 0.0
        await self._read(id)
        if self._watch.done():
            self._watch = self._start_watching()
        self._news.set()

    async def op_media(self, id: str) -> bytes:
        """The bytes of an image result of one of these tasks."""
        if all(result.id != id for row in self._rows.values() if isinstance(row, TaskRow) for result in row.results):
            raise NotFound(f"Result {id} is not of these tasks")
        media = await self._workbench.inner.results.download(id)
        if len(media.content) > SHOWN_BYTES:
            raise PayloadTooLarge("Too large to show here; `workbench.results.download` fetches it")
        return media.content

    async def op_alive(self) -> dict[str, Any]:
        """Whoever turns to a live list gets it read again: an event may have been missed."""
        if self._live:
            self._stale = True
            self._news.set()
        return await super().op_alive()

    def _known(self, id_: str) -> Row:
        if id_ not in self._rows:
            raise BadRequest(f"Task {id_} is not in this list")
        return self._rows[id_]

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        wanted = set(self._ids if parts is None else parts)
        shown = [id_ for id_ in self._ids if id_ in self._rows]
        state: dict[str, Any] = {"tasks": [self._rows[id_].row() for id_ in shown if id_ in wanted]}
        if parts is None or "order" in wanted:
            state |= {"order": shown, "ready": self._read_once or not self._live, "trouble": self._trouble}
        return state

    def _start_watching(self) -> Future[None]:
        watch = self._workbench.start(self._follow_live() if self._live else self._follow())
        if snapshot := self._snapshot:
            watch.add_done_callback(lambda _: snapshot.update())
        return watch

    async def _follow_live(self) -> None:
        """Follow until the pane or the workbench is closed, whatever becomes of a server in between."""
        while True:
            try:
                await self._follow()
            except* SpoonError as errors:
                self._trouble = str(errors.exceptions[0])
            except* Exception:  # noqa: BLE001 - the edge of a background loop: it logs and goes on
                log.exception("The tasks cannot be followed")
                self._trouble = SpoonError().message
            self._stale = True
            self.mark("order")
            await asyncio.sleep(LOOK_S)

    async def _follow(self) -> None:
        """Watch until every task has ended; a live list goes on for more."""
        async with self._workbench.inner.events() as stream:
            for id_ in [] if self._live else self._ids:
                await self._read(id_)
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(self._listen(stream))
                while self._live or not self._idle():
                    if self._live and self._stale:
                        await self._read_newest()
                    with contextlib.suppress(TimeoutError):  # a live list at rest waits for news, however long
                        async with asyncio.timeout(None if self._idle() else LOOK_S):
                            await self._news.wait()
                    self._news.clear()
                    await self._read_open()
                listener.cancel()

    def _idle(self) -> bool:
        return all(row.ended for row in self._rows.values())

    async def _read_newest(self) -> None:
        """The newest tasks, and the generations that wait or run."""
        inner = self._workbench.inner
        self._stale = False
        tasks = await inner.tasks.list(limit=NEWEST)
        runs = [*await inner.generations.list(status="running"), *await inner.generations.list(status="pending")]
        for task in tasks:
            await self._take(task)
        for run in runs:
            await self._take(run)
        self._read_once, self._trouble = True, ""
        self._in_order()

    def _in_order(self) -> None:
        """The newest first. Generations that went well go: their pictures are elsewhere."""
        for id_ in [id_ for id_, row in self._rows.items() if row.ended and row.passing]:
            del self._rows[id_]
        self._ids = sorted(self._rows, key=lambda id_: self._rows[id_].created_at, reverse=True)
        self.mark("order")
        if self._on_change:
            self._on_change()

    async def _read_open(self) -> None:
        for id_, row in [*self._rows.items()]:
            if not row.ended:
                try:
                    await self._read(id_)
                except SpoonError as error:  # a store that is away comes back; the next look will do
                    log.warning("Task %s could not be read: %s", id_, error)

    async def _listen(self, stream: Any) -> None:
        async for event in stream:
            if self._live and isinstance(event, TaskCreated):
                await self._take(event.task)
                self._in_order()
            elif self._live and isinstance(event, GenerationCreated):
                await self._take(event.generation)
                self._in_order()
            row = self._rows.get(getattr(event, "task_id", "") or getattr(event, "generation_id", ""))
            if row is None or isinstance(event, GenerationPreview):
                continue
            if isinstance(event, TaskProgress | GenerationProgress):
                row.progress = event.progress
                self.mark(row.id)
            else:
                self._news.set()

    async def _read(self, id_: str) -> None:
        """Read one row as it is now."""
        row = self._rows.get(id_)
        if row is None and self._live:
            return  # it has left the list in the meantime
        inner = self._workbench.inner
        try:
            if isinstance(row, GenerationRow):
                await self._take(await inner.generations.get(id_))
            else:
                await self._take(await inner.tasks.get(id_))
        except NotFound:
            if row is None:
                raise
            row.gone = True
            self.mark(id_)

    async def _take(self, found: Task | Generation) -> None:
        """What was read of a task or a generation; of a task that has ended also its results."""
        row = self._rows.get(found.id)
        if isinstance(found, Generation):
            if not isinstance(row, GenerationRow):
                row = GenerationRow(found, where=await self._names.of_generation(found))
            row.generation = found
        else:
            if not isinstance(row, TaskRow):
                row = TaskRow(found, where=await self._names.of_task(found) if self._live else "")
            row.task = found
            if found.status == "complete" and not row.results:
                row.results = await self._workbench.inner.results.list(task_id=found.id, limit=100)
        self._rows[found.id] = row
        self.mark(found.id)
        if self._live and row.ended:
            self._in_order()
            if self._snapshot:
                self._snapshot.update()

    def saved(self) -> tuple[str, str]:
        if not self._live and not self._watch.done():
            return "", repr(self)  # the live list has more to say
        shown = [row for id_ in self._ids if isinstance(row := self._rows.get(id_), TaskRow)]
        rows = [[row.task.name, "deleted" if row.gone else row.task.status, _outcome(row)] for row in shown]
        text = "\n".join(" | ".join(row) for row in rows) or repr(self)
        if not rows:
            return "", text
        return saved_note("Run the cell to see these tasks live.") + table(["Task", "State", "Result"], rows), text


def _outcome(row: TaskRow) -> str:
    if row.task.error and row.task.status == "failed":
        return row.task.error
    return "\n".join(
        result.content if result.type == "text" else f"{result.type} {result.id}" for result in row.results
    )
