"""`workbench_ui()`: every pane in one view, for those who want to click.

The shell holds its panes as widgets of their own, each with its comm and its bundle; the page puts their views into the
shell's (`panes` names them). A pane is made when its tab is first opened.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import traitlets
from ipywidgets import widget_serialization  # type: ignore[import-untyped]  # ipywidgets has no types

from spoonkernel.errors import BadRequest, SpoonError
from spoonkernel.types.sessions import Session
from spoonwidgets._base import Pane, Workbench, esm, log
from spoonwidgets._directory import HOSTS, Directory, Entry
from spoonwidgets._ledger import Ledger
from spoonwidgets._offers import Offers

if TYPE_CHECKING:
    from spoonwidgets.gallery import Gallery

Child = TypeVar("Child", bound=Pane)
SESSION = "Workbench"
"""The title of the sessions that the view makes, one a ComfyUI."""
FIRST_PROMPT = "a lighthouse on a basalt cliff above a calm sea, muted palette"
FIRST_COUNT = 4
LOOK_S = 0.05
"""How often the chat is asked whether it has read its models; it gives up by itself."""
TABS = ("images", "chat", "query", "tasks", "profiles")


class WorkbenchUI(Pane):
    """Images, chat, questions in SQL, tasks and profiles in tabs. Made by `workbench_ui(workbench)`.

    Attributes:
        panes: the panes that have been opened, by name: `params`, `gallery`, `running`, `chat`, `query`, `tasks`,
            `profiles`. They are the same as those made one by one: `ui.panes["gallery"].selected`.
        tab: the tab that is shown: `images`, `chat`, `query`, `tasks` or `profiles`.
    """

    _esm = esm("workbench.js")
    panes = traitlets.Dict(help="The panes that have been opened.").tag(sync=True, **widget_serialization)
    tab = traitlets.Enum(TABS, "images", help="The tab that is shown.").tag(sync=True)

    def __init__(self, workbench: Workbench, *, height: int = 760, static: bool = True) -> None:
        self._directory = Directory(workbench)
        self._directory.on_change(self._directory_changed)
        self._offers = Offers(workbench, self._directory, lambda: self.mark("offers"))
        self._ledger = Ledger(workbench, lambda: self.mark("counts"))
        self._profile: str | None = None
        self._benches: dict[str, dict[str, Pane]] = {}
        self._opening = asyncio.Lock()
        self._trouble: dict[str, str] = {}
        self._background: set[asyncio.Task[None]] = set()
        super().__init__(workbench, height=height, static=static)

    def __repr__(self) -> str:
        return f"<WorkbenchUI, {self.tab} shown, {len(self._directory.entries)} profiles>"

    def close(self) -> None:
        """Take the view and its panes off every page, and stop what follows the workbench."""
        self._ledger.close()
        for pane in {*self.panes.values(), *(pane for bench in self._benches.values() for pane in bench.values())}:
            pane.close()
        super().close()

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_hello(self) -> dict[str, Any]:
        self._start(self._look())
        self._ledger.follow()
        return await super().op_hello()

    async def op_open(self, tab: str) -> None:
        """Make the panes of a tab, unless they are there."""
        async with self._opening:
            try:
                await self._open(tab)
                self._trouble.pop(tab, None)
            except SpoonError as error:
                self._trouble[tab] = error.message
            except ImportError as error:  # a bundle that is not built: it says how to
                self._trouble[tab] = str(error)
        self.mark("open")

    async def op_choose(self, id: str) -> None:
        """Work with another profile: a ComfyUI in Images, anybody else in a chat."""
        entry = self._directory.get(id)
        if entry.provider == "comfyui":
            self._profile = entry.id
            self.mark("entries")
            self.tab = "images"
            await self.op_open("images")
        else:
            await self._chat_with(entry)

    async def op_test_all(self) -> None:
        for entry in self._directory.entries:
            self._directory.test(entry)

    async def op_make(self) -> None:
        """The first pictures: start the simulated ComfyUI, open Images and have some made."""
        self._profile = await self._offers.simulate()
        await self.op_open("images")
        if not self._trouble.get("images"):
            await asyncio.to_thread(_make_first, cast(Any, self.panes["params"]))

    async def op_use_comfyui(self) -> None:
        self._profile = await self._offers.use_comfyui()
        await self.op_open("images")

    async def op_simulate(self) -> None:
        """Bring the simulated ComfyUI back that ended with an earlier process."""
        self._profile = await self._offers.simulate()
        await self.op_open("images")

    async def op_pull(self) -> None:
        self._offers.pull()

    async def op_cancel_pull(self) -> None:
        self._offers.cancel_pull()

    async def op_generate(self) -> None:
        """Run what the parameters say; for the narrow layout, which has its own button."""
        if "params" not in self.panes:
            raise BadRequest("There are no parameters yet: choose a ComfyUI first")
        await cast(Any, self.panes["params"]).op_generate()

    async def op_summary(self) -> dict[str, Any]:
        """The parameters in one line, for the narrow layout."""
        params = cast(Any, self.panes.get("params"))
        return {} if params is None else {name: str(value) for name, value in await self._values(params)}

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        whole = parts is None
        asked = set(parts or ())
        state: dict[str, Any] = {}
        if whole or "entries" in asked:
            state["looked"] = self._directory.looked
            state["entries"] = [entry.row() for entry in self._directory.entries]
            state["profile"] = self._profile
        if whole or "offers" in asked:
            state["offers"] = self._offers.row()
        if whole or "open" in asked:
            state["trouble"] = dict(self._trouble)
        if whole or "counts" in asked:
            state["counts"] = self._ledger.row() | self._running()
        return state

    def _running(self) -> dict[str, int]:
        """The counts of whichever list of tasks has been opened."""
        tasks = self.panes.get("running") or self.panes.get("tasks")
        return dict(tasks.counts) if tasks else {"running": 0, "failed": 0}

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _look(self) -> None:
        try:
            await self._directory.look()
            self._trouble.pop("look", None)
        except SpoonError as error:
            self._trouble["look"] = error.message
        except Exception:  # noqa: BLE001 - whatever happened, the page must not go on waiting
            log.exception("The workbench could not be looked at")
            self._trouble["look"] = SpoonError().message
        self.mark("entries", "open")
        await self._offers.look()

    def _directory_changed(self) -> None:
        images = [entry.id for entry in self._directory.of("comfyui")]
        if self._profile not in images:
            self._profile = images[0] if images else None
            self._drop_benches(set(images))
        self.mark("entries", "offers")

    def _drop_benches(self, kept: set[str]) -> None:
        """A profile that is gone takes its panes along."""
        gone = [bench for profile_id, bench in self._benches.items() if profile_id not in kept]
        self._benches = {profile_id: bench for profile_id, bench in self._benches.items() if profile_id in kept}
        closed = [pane for bench in gone for pane in bench.values()]
        self.panes = {name: pane for name, pane in self.panes.items() if pane not in closed}
        for pane in closed:
            pane.close()

    async def _open(self, tab: str) -> None:
        match tab:
            case "images":
                await self._open_images()
            case "chat" if "chat" not in self.panes:
                from spoonwidgets.chat import Chat

                self._show(chat=await self._made(Chat, conversation=SESSION))
            case "query" if "query" not in self.panes:
                from spoonwidgets.query import Query

                self._show(query=await self._made(Query, beside=ImagesBeside(self)))
            case "tasks" if "tasks" not in self.panes:
                from spoonwidgets.tasks import Tasks

                self._show(tasks=await self._made(Tasks, changed=lambda: self.mark("counts")))
            case "profiles" if "profiles" not in self.panes:
                from spoonwidgets.profiles import Profiles

                self._show(profiles=await self._made(Profiles, directory=self._directory))

    async def _open_images(self) -> None:
        if self._profile is None:
            return  # the page offers what can be done about it
        if self._profile not in self._benches:
            from spoonwidgets.gallery import Gallery
            from spoonwidgets.params import Params

            session = await self._session()
            params = await self._made(Params, session=session.id)
            gallery = await self._made(Gallery, session=session.id)
            gallery.on_reuse(params.take)
            self._benches[self._profile] = {"params": params, "gallery": gallery}
        if "running" not in self.panes:
            from spoonwidgets.tasks import Tasks

            self._show(running=await self._made(Tasks, compact=True, changed=lambda: self.mark("counts")))
        self._show(**self._benches[self._profile])
        self._ledger.turn_to(await self._session())

    async def _made(self, kind: type[Child], **arguments: Any) -> Child:
        """A pane to be put into the view. Made in a thread: some read what they need before they are there."""
        pane = await asyncio.to_thread(kind, self._workbench, height=self.height, static=False, **arguments)
        pane.bare = True
        return pane

    def _show(self, **panes: Pane) -> None:
        if any(self.panes.get(name) is not pane for name, pane in panes.items()):
            self.panes = {**self.panes, **panes}

    async def _session(self) -> Session:
        """The view's session with the chosen ComfyUI: the one of last time, or a new one."""
        sessions = self._workbench.inner.sessions
        mine = [one for one in await sessions.list() if (one.profile_id, one.title) == (self._profile, SESSION)]
        return mine[0] if mine else await sessions.create(profile_id=self._profile, title=SESSION)

    async def _chat_with(self, entry: Entry) -> None:
        """Open the chat with this one as who answers."""
        self.tab = "chat"
        await self.op_open("chat")
        if "chat" not in self.panes:
            return
        if entry.kind == "profile" and entry.provider not in HOSTS:  # their models are those of the last sync
            await self._workbench.inner.profiles.sync_models(entry.id)
        chat = cast(Any, self.panes["chat"])
        await _until_looked(chat)  # a look that began before may not have seen the models
        await chat.op_look()
        await _until_looked(chat)
        model = entry.options.get("model") or (entry.models[0] if entry.models else None)
        profile_id = entry.id if entry.kind == "profile" else None
        await chat.op_choose(provider=entry.provider, model=model, profile_id=profile_id)

    async def _values(self, params: Any) -> list[tuple[str, Any]]:
        values: dict[str, Any] = await asyncio.to_thread(lambda: params.values)
        return [(name, values[name]) for name in ("prompt", "steps", "cfg_scale") if values.get(name) not in (None, "")]

    def saved(self) -> tuple[str, str]:
        return "", repr(self)


class ImagesBeside:
    """The gallery of the view's Images, for its query."""

    def __init__(self, view: WorkbenchUI) -> None:
        self._view = view

    async def show(self, ids: list[str]) -> int:
        """Show them in Images, and turn there, unless none of them belongs to its session."""
        await self._view.op_open("images")
        gallery = cast("Gallery | None", self._view.panes.get("gallery"))
        if gallery is None or not await gallery.holds_any(ids):
            return 0
        count = await gallery.show_ids(ids)
        self._view.tab = "images"
        return count

    async def selected(self) -> list[str]:
        gallery = cast("Gallery | None", self._view.panes.get("gallery"))
        return gallery.selected_ids if gallery else []


def _make_first(params: Any) -> None:
    """By way of the parameters, so that they show what was asked for, and the next run draws another seed."""
    params.values = {"prompt": FIRST_PROMPT, "batch_size": FIRST_COUNT}
    params.generate()


async def _until_looked(chat: Any) -> None:
    while chat.describe({"models"})["models"]["looking"]:  # noqa: ASYNC110 - it tells its page when, and nobody else
        await asyncio.sleep(LOOK_S)


def workbench_ui(workbench: Workbench, *, height: int = 760) -> WorkbenchUI:
    """The panes together in one view: parameters and gallery, chat, query, tasks, profiles.

    Show it as a cell's last line. Where nothing is set up yet it offers what needs neither key nor server. `height` is
    in pixels.
    """
    return WorkbenchUI(workbench, height=height)
