"""Starting the runs of a params pane: with the values of the moment, one after the other."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.errors import BadRequest, ProviderConnectionError, ProviderRefused, SpoonError, ValidationFailed
from spoonkernel.handles import GenerationRun
from spoonkernel.types.generations import Generation
from spoonkernel.types.workflows import Workflow
from spoonwidgets._base import Workbench, log
from spoonwidgets._params_runs import Runs, reasons
from spoonwidgets._params_setup import NO_WORKFLOW, Place, need_session
from spoonwidgets._params_values import Values

MAX_RUNS = 64
"""Runs that one click or call may queue."""


@dataclass(slots=True)
class Desk:
    """What lies before a pane at this moment: its workflow and session, and the values."""

    place: Place = field(default_factory=Place)
    values: Values = field(default_factory=Values)

    @property
    def workflow(self) -> Workflow:
        """The workflow. Raises `BadRequest` where there is none yet."""
        if self.place.workflow is None:
            raise BadRequest(NO_WORKFLOW)
        return self.place.workflow

    @property
    def remembered(self) -> dict[str, Any]:
        """What the session would carry over to a run of this workflow."""
        session, workflow = self.place.session, self.place.workflow
        if session is None or workflow is None or session.current_workflow_id != workflow.id:
            return {}
        return dict(session.last_parameters)


class Launcher:
    """Starts runs. `ready` waits for the desk, `mark` says which part of the pane's state changed."""

    def __init__(
        self,
        workbench: Workbench,
        desk: Desk,
        runs: Runs,
        *,
        ready: Callable[[], Coroutine[Any, Any, None]],
        mark: Callable[[str], None],
    ) -> None:
        self._workbench, self._desk, self._runs = workbench, desk, runs
        self._ready, self._mark = ready, mark
        self.listeners: list[Callable[[Generation], Any]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._submitting = asyncio.Lock()

    def start(self, count: int) -> list[GenerationRun]:
        """Start runs with the values of this moment, from any thread; they end with what does not fit."""
        if not 1 <= count <= MAX_RUNS:
            raise ValidationFailed(f"count: takes 1 to {MAX_RUNS} runs, not {count}")
        plans = self._workbench.start(self._plan(count))
        runs = [GenerationRun(self._workbench, self._begin(plans, number)) for number in range(count)]
        self._workbench.start(self._add(runs))
        return runs

    async def _plan(self, count: int) -> list[dict[str, Any]]:
        """What each run asks for."""
        await self._ready()
        workflow, values = self._desk.workflow, self._desk.values
        values.check()
        remembered = self._desk.remembered
        plans = [values.request(remembered, number) | {"workflow_id": workflow.id} for number in range(count)]
        values.step(count)
        self._mark("values")
        return plans

    def _begin(
        self, plans: Future[list[dict[str, Any]]], number: int
    ) -> Callable[[object], Coroutine[Any, Any, Generation]]:
        async def begin(_workbench: object) -> Generation:
            plan = (await asyncio.wrap_future(plans))[number]
            async with self._submitting:  # one after the other, as they were asked for
                return await self._submit(plan)

        return begin

    async def _submit(self, plan: dict[str, Any]) -> Generation:
        place = self._desk.place
        session = await need_session(self._workbench.inner, place)
        try:
            row = await self._workbench.inner.sessions.generate(session.id, **plan)
        except (ValidationFailed, ProviderRefused) as error:
            self._blame(error)
            raise
        except ProviderConnectionError as error:
            place.trouble = error.message
            self._mark("setup")
            raise
        carried = self._desk.remembered | plan["parameters"]
        changes = {"current_workflow_id": plan["workflow_id"], "last_parameters": carried}
        place.session, place.trouble = session.model_copy(update=changes), None
        self._mark("setup")
        self._tell(row)
        return row

    def _blame(self, error: SpoonError) -> None:
        """Put the reasons of a refusal at their fields; the rest is the failure of the run."""
        values = self._desk.values
        addresses = {one: key for key, field in values.fields.items() for one in field.addresses}
        found, left = reasons(error.message, addresses)
        who = "ComfyUI refused it: " if isinstance(error, ProviderRefused) else ""
        for key, why in found.items():
            values.blame(key, f"{who}{why}")
        self._runs.failure = left or None
        self._mark("values")
        self._mark("runs")

    async def _add(self, runs: list[GenerationRun]) -> None:
        for run in runs:
            self._runs.add(run)

    def _tell(self, row: Generation) -> None:
        """Let the listeners know of a generation that was taken."""
        for listener in self.listeners:
            work = listener(row) if inspect.iscoroutinefunction(listener) else asyncio.to_thread(listener, row)
            task = asyncio.get_running_loop().create_task(_logged(work))
            self._telling.add(task)  # the loop itself keeps only weak references
            task.add_done_callback(self._telling.discard)


async def _logged(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001  # a listener's fault is its own: the run goes on
        log.exception("A listener of on_generate failed")
