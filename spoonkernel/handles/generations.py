"""One generation under way."""

import asyncio
import html
from collections.abc import Callable, Coroutine
from typing import Any

from spoonkernel.errors import Conflict, NotFound, RunFailed
from spoonkernel.handles.handle import CANCELLED, Handle
from spoonkernel.handles.line import Bundle, status_line
from spoonkernel.handles.opened import LiveWorkbench, OpenWorkbench
from spoonkernel.handles.pictures import SHOWN, picture_tags
from spoonkernel.handles.watching import Watch
from spoonkernel.types.events import (
    AnyEvent,
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
)
from spoonkernel.types.generations import Generation

Begin = Callable[[OpenWorkbench], Coroutine[Any, Any, Generation]]
GenerationEvent = (
    GenerationCreated
    | GenerationStarted
    | GenerationProgress
    | GenerationPreview
    | GenerationCompleted
    | GenerationFailed
)
LONGEST_TEXT = 2_000
"""Characters of a text output that the final output shows."""


class GenerationRun(Handle[Generation, GenerationEvent]):
    """A generation: awaiting it gives its row, with its outputs.

    Args:
        workbench: what `spoonkernel.open()` returned.
        begin: starts it on the plain workbench and returns its row, as `sessions.generate`, `workflows.execute` and
            `generations.remake` do; or the row, or the id, of one that was started before.
    """

    def __init__(self, workbench: LiveWorkbench, begin: Begin | Generation | str) -> None:
        self._follows = not callable(begin)
        self._begin = begin if callable(begin) else _found(begin)
        self._begun: asyncio.Task[Generation] | None = None
        self._row: Generation | None = None
        self._last: dict[type, GenerationEvent] = {}
        super().__init__(workbench)

    @property
    def id(self) -> str | None:
        return self._row.id if self._row else None

    @property
    def row(self) -> Generation | None:
        """The generation as last read; None until it was submitted."""
        return self._row

    # -- on the workbench's loop -------------------------------------------------------------------------------------

    async def _work(self) -> Generation:
        early: list[AnyEvent] = []  # events between the submission and its answer, when the id is not known yet
        watch = Watch(self._workbench.inner, lambda event: self._heard(event, early))
        async with watch.listening():
            self._begun = asyncio.create_task(self._begin(self._workbench.inner))
            row = await asyncio.shield(self._begun)
            self._read(row)
            self._moved(*self._standing())
            for event in early:
                self._heard(event, early)
            row = await watch.until(self._look, lambda row: row.status in ("complete", "failed"))
        return self._ended(row)

    async def _stop(self) -> Generation:
        if self._begun is None:
            if not self._follows:
                raise RunFailed(CANCELLED)
            self._begun = asyncio.create_task(self._begin(self._workbench.inner))
        row = await self._begun  # what was being submitted must be known before it can be stopped
        try:
            row = await self._workbench.inner.generations.cancel(row.id)
        except Conflict:
            row = await self._workbench.inner.generations.get(row.id)
        except NotFound as error:
            raise RunFailed(f"{CANCELLED}: the generation was deleted", row) from error
        return self._ended(row)

    async def _look(self) -> Generation:
        assert self._row is not None  # noqa: S101  # it was submitted: see `_work`
        try:
            row = await self._workbench.inner.generations.get(self._row.id)
        except NotFound as error:
            raise RunFailed(f"Generation {self._row.id} was deleted", self._row) from error
        self._read(row)
        return row

    def _read(self, row: Generation) -> None:
        self._row = row
        has_started = row.started_at is not None or self._status == "running"  # the row is written later than told
        self._moved(status="running" if has_started else "pending", progress=max(self._progress, row.progress))

    def _ended(self, row: Generation) -> Generation:
        """Tell the end; the row of a good one."""
        self._row = row
        self._moved(self._end_of(row))
        if row.status == "complete":
            return row
        raise RunFailed(row.error or "The generation failed", row)

    def _heard(self, event: AnyEvent, early: list[AnyEvent]) -> bool:
        """Pass an event of this generation on; whether its row should be read."""
        if not isinstance(event, GenerationStarted | GenerationProgress | GenerationPreview):
            return isinstance(event, GenerationCompleted | GenerationFailed) and event.generation_id == self.id
        if self._row is None:
            early.append(event)
        elif event.generation_id == self._row.id:
            self._last[type(event)] = event
            progress = event.progress if isinstance(event, GenerationProgress) else None
            self._moved(event, status="running", progress=progress)
        return False

    def _standing(self) -> list[GenerationEvent]:
        if self._row is None:
            return []
        standing = [self._last[kind] for kind in (GenerationStarted, GenerationProgress) if kind in self._last]
        if self._row.status in ("complete", "failed"):
            return [GenerationCreated(generation=self._row), *standing, self._end_of(self._row)]
        preview = [self._last[GenerationPreview]] if GenerationPreview in self._last else []
        return [GenerationCreated(generation=self._row), *standing, *preview]

    def _end_of(self, row: Generation) -> GenerationEvent:
        ids = {"generation_id": row.id, "session_id": row.session_id}
        if row.status == "complete":
            return GenerationCompleted(**ids, outputs=row.outputs)
        return GenerationFailed(**ids, error=row.error or "The generation failed")

    def _is_told(self, failure: Exception) -> bool:
        return isinstance(failure, RunFailed) and self._row is not None and self._row.status == "failed"

    # -- how it looks ------------------------------------------------------------------------------------------------

    def _shown(self) -> Bundle:
        progress = self._last.get(GenerationProgress)
        note = progress.node if isinstance(progress, GenerationProgress) else ""
        if self._status == "pending":
            note = "waits in ComfyUI's queue" if self._row else "is being submitted"
        line = status_line("Generation", progress=self.progress, note=note)
        return {"text/html": line, "text/plain": repr(self)}

    async def _kept(self) -> Bundle:
        if self._failure is not None or self._row is None:
            return self._broken()
        paths = [output.thumbnail for output in self._row.outputs if output.thumbnail]
        pictures = await picture_tags(self._workbench.inner, paths, self._row.prompt_text)
        texts = [html.escape(output.text[:LONGEST_TEXT]) for output in self._row.outputs if output.text]
        pictures += [f'<pre style="white-space:pre-wrap">{text}</pre>' for text in texts[:SHOWN]]
        facts = [f"{len(self._row.outputs)} outputs" if len(self._row.outputs) != 1 else "1 output"]
        facts += [f"seed {self._row.seed}"] if self._row.seed is not None else []
        facts += ["from ComfyUI's cache"] if self._row.cached else []
        seconds = self._row.generation_time_seconds
        facts += [f"{seconds:.1f} s"] if seconds is not None else []
        note = "".join(f"<div>{html.escape(warning)}</div>" for warning in self._row.warnings)
        body = f"<div>{''.join(pictures)}</div>{status_line('Done', note=' · '.join(facts))}{note}"
        return {"text/html": body, "text/plain": repr(self)}


def _found(generation: Generation | str) -> Begin:
    generation_id = generation if isinstance(generation, str) else generation.id

    async def begin(inner: OpenWorkbench) -> Generation:
        return await inner.generations.get(generation_id)

    return begin
