"""What a gallery's page asks for: rows, thumbnails, originals, ratings, runs; and what it is told as things change."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

import traitlets

from spoonkernel.errors import Conflict, NotFound, SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.generations import Generation
from spoonwidgets._base import Answer, Pane, Workbench, explain
from spoonwidgets._gallery_actions import checked_rating, read_many, run_again, tell
from spoonwidgets._gallery_feed import FIRST, Feed, Wanted
from spoonwidgets._gallery_files import Files
from spoonwidgets._gallery_rows import Entry
from spoonwidgets._gallery_sheet import Sheet

ROWS = 1_000
"""Rows in one message."""
FACES = 60
"""Thumbnails in one message."""
FIRST_FACES = 32
"""Thumbnails that go along with the first answer, about 10 kB each: a pane of usual size is full of them."""
SORTS = ("newest", "oldest", "rating", "seed", "time")
SHEET_S = 1.0
"""A contact sheet is made so long after something worth keeping: the first thumbnails come first."""


class GalleryPane(Pane):
    """The page's side of `Gallery`. Everything here runs on the workbench's loop."""

    filter = traitlets.Unicode("", help="Which ones are shown.").tag(sync=True)
    sort = traitlets.Enum(SORTS, "newest", help="In which order.").tag(sync=True)
    tile = traitlets.Enum(("S", "M", "L"), "M", help="Size of the tiles.").tag(sync=True)

    _following: Future[None] | None = None  # ipywidgets closes what could not be made, too

    def __init__(self, workbench: Workbench, wanted: Wanted, title: str, *, height: int, static: bool) -> None:
        self._inner: OpenWorkbench = workbench.inner
        self._title = title
        self._feed = Feed(self._inner, wanted, changed=self._on_change, preview=self._on_preview)
        self._files = Files(self._inner)
        self._selection: list[tuple[str, int]] = []
        self._on_select: list[Callable[[list[Generation]], object]] = []
        self._on_reuse: list[Callable[[Generation], object]] = []
        self._telling = asyncio.Lock()
        self._work: set[asyncio.Task[None]] = set()
        self._sheet = Sheet(self._feed.catalogue, self._files)
        self._sheet_due: asyncio.Task[None] | None = None
        super().__init__(workbench, height=height, static=static)
        self._following = workbench.start(self._follow())

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_hello(self) -> Any:  # an `Answer`, where other panes answer with JSON alone
        """The state, and in `faces` whose thumbnails go along: those of the newest, which are seen first."""
        if self._feed.complete:
            self._feed.read_again()
        await self._feed.ready()
        faces = await self._first_faces()
        told = await self.op_sync()
        return Answer(told | {"state": told["state"] | {"faces": list(faces)}}, list(faces.values()))

    async def op_rows(self, created: int, id: str) -> dict[str, Any]:
        """The rows made before that moment, the newest first, and whether there are more."""
        await self._feed.read_all()
        entries = self._feed.catalogue.older_than(created, id, ROWS + 1)
        return {"rows": [entry.row() for entry in entries[:ROWS]], "more": len(entries) > ROWS}

    async def op_faces(self, refs: list[tuple[str, int]]) -> Answer:
        """What tiles show: `thumb` (a place among the buffers), `gone`, `later`, or the `error` of one that failed."""
        paths = [self._thumb_of(id_, index) for id_, index in refs[:FACES]]
        known = [path for path in paths if path]
        thumbs = await self._files.thumbs(known) if known else {}
        data, buffers = list[dict[str, Any]](), list[bytes]()
        for (id_, _), path in zip(refs, paths, strict=False):
            if path is None:
                data.append(await self._failure(id_))
            elif path not in thumbs:
                data.append({"later": True})
            elif (content := thumbs[path]) is None:
                data.append({"gone": True})
            else:
                data.append({"thumb": len(buffers)})
                buffers.append(content)
        return Answer(data, buffers)

    async def op_original(self, id: str, index: int, offset: int) -> Answer:
        """A piece of an output's file from `offset`, with the size, type and name of the whole."""
        outputs = self._entry(id).about.outputs
        path = outputs[index].content if 0 <= index < len(outputs) else None
        if path is None:
            raise NotFound("There is no copy of this file")
        media, piece = await self._files.piece(path, offset)
        facts = {"size": len(media.content), "type": media.content_type, "name": media.filename}
        return Answer(facts, [piece])

    async def op_details(self, id: str) -> dict[str, Any]:
        """Everything about one generation; seeds that JavaScript would round are text."""
        self._entry(id)
        generation = await self._inner.generations.get(id)
        self._feed.put(generation)
        return generation.model_dump(mode="json")

    async def op_workflow(self, id: str) -> dict[str, Any]:
        """The graph as it was submitted, as text: its seeds are exact."""
        self._entry(id)
        workflow = await self._inner.generations.workflow(id)
        return {"json": json.dumps(workflow.workflow_json, indent=2, ensure_ascii=False), "missing": workflow.missing}

    async def op_diff(self, id: str, other_id: str) -> dict[str, Any]:
        self._entry(id), self._entry(other_id)
        return (await self._inner.generations.diff(id, other_id)).model_dump(mode="json")

    async def op_rate(self, refs: list[tuple[str, int]], rating: int | None) -> None:
        await self._rate([(id_, index if self._has(id_, index) else None) for id_, index in refs], rating)

    async def op_cancel(self, ids: list[str]) -> None:
        """Stop those that have not ended."""
        for id_ in ids:
            self._entry(id_)
            with contextlib.suppress(Conflict):  # it ended in this moment
                self._feed.put(await self._inner.generations.cancel(id_))

    async def op_delete(self, ids: list[str]) -> None:
        for id_ in ids:
            self._entry(id_)
            with contextlib.suppress(NotFound):  # somebody else did
                await self._inner.generations.delete(id_)
            await self._feed.read(id_)
        self._selection = [ref for ref in self._selection if ref[0] in self._feed.catalogue]

    async def op_again(self, ids: list[str], vary: bool = False) -> None:
        """Ask for the same once more, as generations of their own; with another seed if they shall `vary`."""
        for id_ in ids:
            self._feed.put(await run_again(self._inner, self._entry(id_).about.id, vary=vary))

    async def op_reuse(self, id: str) -> dict[str, Any]:
        """Hand the generation to whoever waits for one; says to how many."""
        self._entry(id)
        generation = await self._inner.generations.get(id)
        self._background(tell(self._on_reuse, generation))
        return {"takers": len(self._on_reuse)}

    async def op_select(self, refs: list[tuple[str, int]]) -> None:
        self._selection = [(id_, index) for id_, index in refs if id_ in self._feed.catalogue]
        if self._on_select:
            self._background(self._tell_selection())

    async def op_show_all(self) -> None:
        """Show everything again, after `show`."""
        await self.show_ids(None)

    async def op_snapshot(self) -> None:
        await self._make_sheet()

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        catalogue = self._feed.catalogue
        data: dict[str, Any] = {"whole": parts is None, "title": self._title}
        data["trouble"] = explain(self._feed.trouble) if self._feed.trouble else None
        changed = set(parts or ())
        if "only" in changed:  # other rows altogether: the page begins anew
            parts = None
            data |= {"whole": True, "renewed": True}
        if parts is None:
            data["only"] = self.shown_by_sql
        if parts is None or "selection" in changed:
            data["selection"] = self._selection
        if parts is None:
            entries = [entry for entry, _ in zip(catalogue.newest_first(), range(FIRST), strict=False)]
            return data | {"rows": [entry.row() for entry in entries], "gone": []}
        ids = [part for part in changed if part not in ("selection", "trouble")]
        found = {id_: catalogue.find(id_) for id_ in ids if catalogue.shows(id_)}
        data["rows"] = [entry.row() for entry in found.values() if entry]
        return data | {"gone": [id_ for id_, entry in found.items() if entry is None]}

    @property
    def shown_by_sql(self) -> int | None:
        """How many generations `show` left in view; None where it left all."""
        only, catalogue = self._feed.catalogue.only, self._feed.catalogue
        return None if only is None else sum(id_ in catalogue for id_ in only)

    @property
    def selected_ids(self) -> list[str]:
        """The ids of the selected generations, each once."""
        return list(dict.fromkeys(id_ for id_, _ in self._selection))

    async def holds_any(self, ids: Iterable[str]) -> bool:
        """Whether one of these belongs here. On our loop."""
        await self._feed.ready()
        await self._feed.read_all()
        return any(id_ in self._feed.catalogue for id_ in ids)

    async def show_ids(self, ids: Iterable[str] | None) -> int:
        """Show these alone, as far as they belong here, or with None everything; how many that are. On our loop."""
        await self._feed.ready()
        catalogue = self._feed.catalogue
        only = None if ids is None else frozenset(ids)
        if only is not None and not all(id_ in catalogue for id_ in only):
            await self._feed.read_all()
        if only == catalogue.only:
            return len(catalogue) if only is None else self.shown_by_sql or 0
        catalogue.only = only
        self._selection = [ref for ref in self._selection if catalogue.shows(ref[0])]
        self.mark("only")
        return len(catalogue) if only is None else self.shown_by_sql or 0

    async def _follow(self) -> None:
        try:
            await self._feed.follow()
        finally:
            for task in self._work:
                task.cancel()
            self._files.close()

    def _on_change(self, id_: str) -> None:
        if self._feed.is_ready:  # before, nobody has been told of anything: the first answer says it all
            self.mark(id_ or "trouble")
        if self._snapshot and (self._sheet_due is None or self._sheet_due.done()):
            self._sheet_due = self._background(self._sheet_soon())

    def _on_preview(self, id_: str, content_type: str, image: bytes) -> None:
        self.hint({"preview": id_, "type": content_type}, [image])

    def _entry(self, id_: str) -> Entry:
        entry = self._feed.catalogue.find(id_)
        if entry is None:
            raise NotFound(f"Generation {id_} is not in this gallery")
        return entry

    def _has(self, id_: str, index: int) -> bool:
        return 0 <= index < len(self._entry(id_).about.outputs)

    def _thumb_of(self, id_: str, index: int) -> str | None:
        return self._entry(id_).about.outputs[index].thumbnail if self._has(id_, index) else None

    async def _first_faces(self) -> dict[tuple[str, int], bytes]:
        if self.filter or self.sort != "newest":
            return {}
        tiles = ((entry.about.id, index) for entry in self._feed.catalogue.newest_first() for index in entry.shown)
        paths = {ref: path for ref in islice(tiles, FIRST_FACES) if (path := self._thumb_of(*ref))}
        thumbs = await self._files.thumbs(list(paths.values()), one=False) if paths else {}
        return {ref: content for ref, path in paths.items() if (content := thumbs.get(path))}

    async def _failure(self, id_: str) -> dict[str, Any]:
        if self._entry(id_).about.status != "failed":
            return {"gone": True}
        await self._feed.read(id_)
        entry = self._feed.catalogue.find(id_)
        about = entry.about if entry else None
        return {"error": (isinstance(about, Generation) and about.error) or "It failed without a reason"}

    async def _rate(self, refs: Sequence[tuple[str, int | None]], rating: int | None) -> None:
        for id_, index in refs:
            self._feed.put(await self._inner.generations.rate(id_, rating=checked_rating(rating), index=index))

    async def _tell_selection(self) -> None:
        wanted = self._selection
        async with self._telling:
            if wanted is self._selection:  # else a newer one follows
                await tell(self._on_select, await read_many(self._inner, [id_ for id_, _ in wanted]))

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _sheet_soon(self) -> None:
        await asyncio.sleep(SHEET_S)
        with contextlib.suppress(SpoonError):  # a sheet that cannot be made is no reason to disturb anybody
            await self._make_sheet()

    async def _make_sheet(self) -> None:
        await self._feed.ready()
        await self._sheet.make()
        if self._snapshot:
            self._snapshot.update()

    def saved(self) -> tuple[str, str]:
        return self._sheet.saved(repr(self))
