"""The params pane: controls for the values of a workflow, and its runs, in a notebook or from code."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from spoonkernel.errors import (
    BadRequest,
    NotFound,
    SpoonError,
)
from spoonkernel.handles import GenerationRun
from spoonkernel.types.generations import Generation
from spoonkernel.types.sessions import Session
from spoonwidgets._base import Pane, Workbench, esm, explain
from spoonwidgets._params_fields import fields_of
from spoonwidgets._params_launch import Desk, Launcher
from spoonwidgets._params_presets import Presets
from spoonwidgets._params_runs import Runs
from spoonwidgets._params_setup import connect, input_picture, look, setup_rows
from spoonwidgets._params_show import as_python, field_rows, snapshot, value_rows
from spoonwidgets._params_values import Values
from spoonwidgets._simulated import simulated_profile

T = TypeVar("T")
SAVE_S = 2.0
"""The copy in the notebook follows the values after this pause."""


class Params(Pane):
    """Controls for any workflow. Shown in a notebook it is a pane; `.values` and `.generate()` do the same from code.

    Args:
        workbench: what `spoonkernel.open()` returned.
        workflow: its id or name; None is the session's current one, else the default of the first ComfyUI profile.
        session: where the pictures are kept, an id or a title; one of a new title is made, and with one that has used
            the workflow its last values come back. None: the session that used the workflow last, else a new one of
            the workflow's name at the first run.
        height: of the pane, in pixels.
        static: keep a plain table of the changed values and the last picture in the notebook.
    """

    _esm = esm("params.js")

    def __init__(
        self,
        workbench: Workbench,
        workflow: str | None = None,
        *,
        session: str | None = None,
        height: int = 560,
        static: bool = True,
    ) -> None:
        self._wanted, self._wanted_session = workflow, session
        self._desk = Desk()
        self._runs = Runs(workbench.inner, lambda: self.mark("runs"), self.hint, lambda _: self._save())
        self._phase, self._failure = "loading", SpoonError()
        self._busy, self._refused = "", ""
        self._saving: asyncio.TimerHandle | None = None
        self._doing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._launcher = Launcher(workbench, self._desk, self._runs, ready=self._ready, mark=self.mark)
        super().__init__(workbench, height=height, static=static)
        self._loaded = workbench.start(self._load())

    def __repr__(self) -> str:
        workflow = self._desk.place.workflow
        return f"<Params of {workflow.name}, {len(self._desk.values.changed())} changed>" if workflow else "<Params>"

    # -- from code ---------------------------------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """The value of every field by its name: a role (`steps`, `cfg_scale`, ...), or `node.field`. A seed of -1 is
        random. Assigning sets those that are given, all or none, and raises `ValidationFailed` for what does not fit.
        """
        return self._there(self._read_values())

    @values.setter
    def values(self, given: Mapping[str, Any]) -> None:
        self._there(self._set_values(given))

    @property
    def prompt(self) -> str:
        """The prompt, "" for a workflow that shows none."""
        return str(self.values.get("prompt") or "")

    @prompt.setter
    def prompt(self, text: str) -> None:
        self.values = {"prompt": text}

    @property
    def session(self) -> Session | None:
        """Where the pictures go; None while no run has needed one."""
        self._there(self._ready())
        return self._desk.place.session

    def generate(self, count: int = 1) -> GenerationRun:
        """Start `count` runs with the values as they are now, and return the last of them at once.

        A fixed seed goes on by one from run to run; with Random the kernel draws one for each. What does not fit is
        raised where the run is awaited, and nothing is sent.
        """
        return self._launcher.start(count)[-1]

    def take(self, generation: Generation) -> None:
        """Reuse a generation: its prompt, its seed and every value that this workflow has too. A generation of another
        workflow brings that one along."""
        self._there(self._take(generation))

    def reset(self, name: str | None = None) -> None:
        """The workflow's defaults again, of one value or of all of them."""
        self._there(self._reset(name))

    def on_generate(self, listener: Callable[[Generation], Any]) -> Callable[[Generation], Any]:
        """A decorator: `listener` is called with each generation that ComfyUI has taken, in a thread of its own or, if
        it is a coroutine function, on the workbench's loop."""
        self._launcher.listeners.append(listener)
        return listener

    def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something short on the workbench's loop, and wait for it."""
        if self._loop is not None and asyncio._get_running_loop() is self._loop:
            work.close()
            raise BadRequest("Here, on the workbench's own loop, this would wait for itself: use a plain function")
        return self._workbench.start(work).result()

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_set(self, values: dict[str, Any], mode: str | None = None) -> None:
        """Values as they were typed, by key, and how the seed goes on."""
        await self._ready()
        for key, value in values.items():
            if key not in self._desk.values.fields:
                raise NotFound(f"{key} is not a value of this workflow any more; reload the page")
            self._desk.values.typed(key, value)
        if mode is not None:
            self._desk.values.use_mode(mode)
        self.mark("values")

    async def op_reset(self, key: str | None = None) -> None:
        await self._reset(key)

    async def op_generate(self, count: int = 1) -> None:
        """Start runs. What ComfyUI says of them comes as a change: it may take its time."""
        await self._ready()
        self._desk.values.check()
        self._launcher.start(count)

    async def op_stop(self) -> None:
        """Stop every run of the pane that has not ended."""
        self._runs.stop()

    async def op_choose(self, workflow: str) -> None:
        """Another workflow, its values at their defaults."""
        self._job("choose", self._switch(workflow))

    async def op_take(self, id: str) -> None:
        await self._take(self._runs.known(id))

    async def op_preset(self, action: str, name: str = "") -> None:
        """`apply`, `save` or `delete` a preset, or make the present values the workflow's `default`."""
        await self._ready()
        presets = Presets(self._workbench.inner, self._desk.workflow)
        if action == "apply":
            self._desk.values.reset()
            self._desk.values.take(presets.values(name))
        else:
            self._desk.values.check()
            self._desk.place.workflow = await presets.change(action, name, self._desk.values)
            self._desk.values.use_defaults(self._desk.place.workflow.default_parameters)
        self.mark("setup", "values")

    async def op_picture(self, id: str, index: int = 0, size: str = "full") -> bytes:
        return await self._runs.picture(id, index, size)

    async def op_image(self, key: str, upload: str, filename: str) -> None:
        """Give ComfyUI an input image, and take it as the value of this field."""
        content = self.take_upload(upload)
        profile_id = self._desk.workflow.profile_id
        kept = await self._workbench.inner.comfyui.upload(content, filename=filename, profile_id=profile_id)
        self._desk.values.put(key, kept.name)
        self.mark("values")

    async def op_input(self, key: str) -> bytes:
        """The picture that an image field names; only those that were uploaded through Spoon are known."""
        value, workflow = str(self._desk.values.now[key]), self._desk.workflow
        return await input_picture(self._workbench.inner, workflow.profile_id, value)

    async def op_simulate(self) -> None:
        """Start the simulated ComfyUI in this process."""
        self._job("simulate", self._equip(simulated_profile(self._workbench.inner)))

    async def op_connect(self, url: str) -> None:
        """Make a profile for the ComfyUI at this address, if one answers there."""
        self._job("connect", self._equip(connect(self._workbench.inner, url)))

    async def op_look(self) -> None:
        """Look again: for profiles and workflows, and what ComfyUI offers now."""
        self._job("look", self._load(keep=True))

    async def op_python(self) -> str:
        """The cell that does the same as Generate."""
        await self._ready()
        return as_python(self._desk.workflow, self._desk.place.session, self._desk.values)

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        wanted = {"setup", "values", "runs"} if parts is None else set(parts)
        state: dict[str, Any] = {}
        if "setup" in wanted:
            error = explain(self._failure) if self._phase == "failed" else None
            state["setup"] = {"phase": self._phase, "error": error, "busy": self._busy, "refused": self._refused}
            state["setup"] |= setup_rows(self._desk.place)
            state["setup"] |= field_rows(self._desk.place.workflow, self._desk.values)
        if "values" in wanted:
            state["values"] = value_rows(self._desk.place.workflow, self._desk.values)
        if "runs" in wanted:
            state["runs"] = self._runs.rows()
        return state

    def saved(self) -> tuple[str, str]:
        return snapshot(self._desk.place, self._desk.values, self._runs, repr(self))

    async def _ready(self) -> None:
        """Until the workflow was read. Raises why there is none."""
        if self._phase == "loading":
            await asyncio.wait([asyncio.wrap_future(self._loaded)])
        if self._phase == "failed":
            raise self._failure

    async def _load(self, *, keep: bool = False) -> None:
        """Find the workflow and read it; `keep` the values that were set, as far as it still has them."""
        self._loop = asyncio.get_running_loop()
        try:
            self._desk.place = place = await look(self._workbench.inner, self._wanted, self._wanted_session)
        except SpoonError as error:
            self._phase, self._failure = "failed", error
            self.mark("setup")
            return
        before, mode = self._desk.values, self._desk.values.seed_mode
        kept = {key: before.now[key] for key in before.changed() if key not in before.drafts} if keep else {}
        workflow = place.workflow
        fields = fields_of(workflow.extracted_parameters) if workflow else []
        self._desk.values = values = Values(fields, workflow.default_parameters if workflow else {})
        if not keep and self._wanted_session and workflow and self._desk.remembered:
            values.take(self._desk.remembered)
        values.take(kept)
        if keep and values.has_seed:
            values.seed_mode = mode
        self._phase = "ready" if workflow else "empty"
        await self._runs.read(place.session.id if place.session else None)
        self.mark("setup", "values", "runs")

    def _job(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do what may take longer than a page waits for an answer. How it ends comes as a change."""
        if self._busy:
            work.close()
            raise BadRequest("Something else is under way here; wait for it")
        self._busy, self._refused = name, ""
        self._doing = asyncio.get_running_loop().create_task(self._do(work))
        self.mark("setup")

    async def _do(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SpoonError as error:
            self._refused = error.message
        finally:
            self._busy = ""
            self.mark("setup")

    async def _equip(self, making: Coroutine[Any, Any, object]) -> None:
        await making
        await self._load(keep=True)

    async def _switch(self, workflow: str) -> None:
        before, self._wanted = self._wanted, workflow
        await self._load()
        if self._phase == "failed":
            self._wanted, self._phase = before, "ready"
            raise self._failure

    async def _read_values(self) -> dict[str, Any]:
        await self._ready()
        return self._desk.values.plain()

    async def _set_values(self, given: Mapping[str, Any]) -> None:
        await self._ready()
        self._desk.values.put_all(given)
        self.mark("values")

    async def _reset(self, name: str | None) -> None:
        await self._ready()
        self._desk.values.reset(name)
        self.mark("values")

    async def _take(self, generation: Generation) -> None:
        await self._ready()
        there = any(one.id == generation.workflow_id for one in self._desk.place.workflows)
        if there and generation.workflow_id != self._desk.workflow.id:
            await self._switch(str(generation.workflow_id))
        texts = {"prompt": generation.prompt_text, "negative_prompt": generation.negative_prompt or ""}
        self._desk.values.reset()
        self._desk.values.take(texts | generation.parameters | {"seed": generation.seed})
        self.mark("values")

    def mark(self, *parts: str) -> None:
        super().mark(*parts)
        if self._snapshot and self._saving is None and {"setup", "values"} & set(parts):
            self._saving = asyncio.get_running_loop().call_later(SAVE_S, self._save)

    def _save(self) -> None:
        """Rewrite the copy in the notebook."""
        if self._saving:
            self._saving.cancel()
        self._saving = None
        if self._snapshot:
            self._snapshot.update()
