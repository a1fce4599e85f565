"""The tasks pane: a list of tasks with their progress, and their results as they land."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.errors import BadRequest, NotFound, PayloadTooLarge, SpoonError
from spoonkernel.portal import Call
from spoonkernel.types.events import TaskProgress
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import Task
from spoonwidgets._base import Pane, Workbench, esm, log
from spoonwidgets._snapshot import saved_note, table

SHOWN_TEXT = 2_000
"""Characters of a text result that the list shows; the whole is in `workbench.results`."""
SHOWN_BYTES = 9_000_000
"""A message above about 10 MB ends the kernel's websocket, so a larger image is not shown."""
LOOK_S = 2.0
"""Events are hints and can be missed: this often the rows of unfinished tasks are read again."""


@dataclass(slots=True)
class _Watched:
    task: Task
    progress: float = 0.0
    results: list[Result] = field(default_factory=list)
    gone: bool = False

    @property
    def ended(self) -> bool:
        return self.gone or self.task.status in ("complete", "failed")

    def row(self) -> dict[str, Any]:
        return {
            "id": self.task.id,
            "name": self.task.name,
            "status": "gone" if self.gone else self.task.status,
            "progress": max(self.progress, self.task.progress),
            "error": self.task.error,
            "results": [_result_row(result) for result in self.results],
        }


def _result_row(result: Result) -> dict[str, Any]:
    is_text = result.type == "text"
    return {
        "id": result.id,
        "type": result.type,
        "text": result.content[:SHOWN_TEXT] if is_text else "",
        "cut": is_text and len(result.content) > SHOWN_TEXT,
        "seed": None
        if (seed := result.metadata.get("seed")) is None
        else str(seed),  # above 2^53 in JSON it would bend
    }


class Tasks(Pane):
    """Tasks as they run. Shown in a notebook it is a list with progress bars; `await tasks.wait()` needs no page.

    Args:
        workbench: what `spoonkernel.open()` returned.
        tasks: rows from `workbench.tasks.create`, or their ids, in the order to show them.
        height: the list scrolls above this many pixels.
        static: keep a plain table in the notebook, for readers without a kernel.
    """

    _esm = esm("tasks.js")

    def __init__(
        self, workbench: Workbench, tasks: Sequence[Task | str], height: int = 480, *, static: bool = True
    ) -> None:
        self._ids = [task if isinstance(task, str) else task.id for task in tasks]
        self._rows = {task.id: _Watched(task) for task in tasks if isinstance(task, Task)}
        self._news = asyncio.Event()
        super().__init__(workbench, height=height, static=static)
        self._watch = self._start_watching()

    def __repr__(self) -> str:
        ended = sum(watched.ended for watched in self._rows.values())
        return f"<Tasks, {ended} of {len(self._ids)} ended>"

    @property
    def rows(self) -> list[Task]:
        """The tasks as last read, in the order they were given."""
        return [self._rows[id_].task for id_ in self._ids if id_ in self._rows]

    def wait(self) -> Call[list[Task]]:
        """The tasks once every one of them has ended, complete or failed; a deleted one keeps its last row."""
        return Call(self._workbench.start(self._wait()), "tasks.wait")

    async def _wait(self) -> list[Task]:
        await asyncio.shield(asyncio.wrap_future(self._watch))
        return self.rows

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_cancel(self, id: str) -> None:
        """Cancel a waiting or running task."""
        watched = self._known(id)
        if not watched.ended:
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

    async def op_media(self, id: str) -> bytes:
        """The bytes of an image result of one of these tasks."""
        if all(result.id != id for watched in self._rows.values() for result in watched.results):
            raise NotFound(f"Result {id} is not of these tasks")
        media = await self._workbench.inner.results.download(id)
        if len(media.content) > SHOWN_BYTES:
            raise PayloadTooLarge("Too large to show here; `workbench.results.download` fetches it")
        return media.content

    def _known(self, id_: str) -> _Watched:
        if id_ not in self._rows:
            raise BadRequest(f"Task {id_} is not in this list")
        return self._rows[id_]

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        wanted = set(self._ids if parts is None else parts)
        return {"tasks": [self._rows[id_].row() for id_ in self._ids if id_ in wanted and id_ in self._rows]}

    def _start_watching(self) -> Future[None]:
        watch = self._workbench.start(self._follow())
        if snapshot := self._snapshot:
            watch.add_done_callback(lambda _: snapshot.update())
        return watch

    async def _follow(self) -> None:
        """Watch until every task has ended."""
        async with self._workbench.inner.events() as stream:
            for id_ in self._ids:
                await self._read(id_)
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(self._listen(stream))
                while not all(watched.ended for watched in self._rows.values()):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), LOOK_S)
                    self._news.clear()
                    await self._read_open()
                listener.cancel()

    async def _read_open(self) -> None:
        for id_, watched in self._rows.items():
            if not watched.ended:
                try:
                    await self._read(id_)
                except SpoonError as error:  # a store that is away comes back; the next look will do
                    log.warning("Task %s could not be read: %s", id_, error)

    async def _listen(self, stream: Any) -> None:
        async for event in stream:
            id_ = getattr(event, "task_id", None)
            if id_ not in self._ids or id_ not in self._rows:
                continue
            if isinstance(event, TaskProgress):
                self._rows[id_].progress = event.progress
                self.mark(id_)
            else:
                self._news.set()

    async def _read(self, id_: str) -> None:
        """Read one task's row, and its results once it has ended."""
        try:
            task = await self._workbench.inner.tasks.get(id_)
            watched = self._rows.setdefault(id_, _Watched(task))
            watched.task = task
            if task.status == "complete":
                watched.results = await self._workbench.inner.results.list(task_id=id_, limit=100)
        except NotFound:
            if id_ not in self._rows:
                raise
            self._rows[id_].gone = True
        self.mark(id_)

    def saved(self) -> tuple[str, str]:
        if not self._watch.done():
            return "", repr(self)  # the live list has more to say
        rows = [
            [watched.task.name, "deleted" if watched.gone else watched.task.status, _outcome(watched)]
            for watched in (self._rows[id_] for id_ in self._ids if id_ in self._rows)
        ]
        text = "\n".join(" | ".join(row) for row in rows) or repr(self)
        return saved_note("Run the cell to see these tasks live.") + table(["Task", "State", "Result"], rows), text


def _outcome(watched: _Watched) -> str:
    if watched.task.error and watched.task.status == "failed":
        return watched.task.error
    return "\n".join(
        result.content if result.type == "text" else f"{result.type} {result.id}" for result in watched.results
    )
