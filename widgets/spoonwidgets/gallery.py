"""The gallery pane: what a session generated, as it is made, to look at, rate, compare, select and run again."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue

from spoonkernel.portal import Call
from spoonkernel.types.generations import Generation
from spoonwidgets._base import Workbench, esm
from spoonwidgets._gallery_actions import find_session, read_many
from spoonwidgets._gallery_feed import Wanted
from spoonwidgets._gallery_pane import GalleryPane
from spoonwidgets._gallery_rows import records
from spoonwidgets._gallery_sheet import count_of
from spoonwidgets._query_sql import ids_named, split_ids

if TYPE_CHECKING:
    from spoonkernel.media.sheets import Picture

T = TypeVar("T")
OnSelect = TypeVar("OnSelect", bound=Callable[[list[Generation]], object])
OnReuse = TypeVar("OnReuse", bound=Callable[[Generation], object])

START_S = 30.0
ANSWER_S = 120.0


class Gallery(GalleryPane):
    """The pictures of a session, the newest first; new ones appear by themselves. Works without a page, too.

    Args:
        workbench: what `spoonkernel.open()` returned.
        session: id or title of a session; without one, the generations of all sessions.
        workflow: id of a workflow: only what it made.
        generations: these alone, as rows or ids.
        height: of the pane, in pixels; it scrolls inside.
        static: keep a contact sheet in the notebook, for readers without a kernel.

    Attributes:
        filter: what the pane shows, as typed into its filter: `cfg_scale >= 5 and rating >= 4`.
        sort: `newest`, `oldest`, `rating`, `seed` or `time` (the longest first).

    Raises:
        NotFound: there is no such session.
    """

    _esm = esm("gallery.js")

    def __init__(
        self,
        workbench: Workbench,
        *,
        session: str | None = None,
        workflow: str | None = None,
        generations: Iterable[Generation | str] | None = None,
        height: int = 480,
        static: bool = True,
    ) -> None:
        ids = None if generations is None else tuple(one if isinstance(one, str) else one.id for one in generations)
        session_id, title = None, ""
        if session is not None:
            session_id, title = workbench.start(find_session(workbench.inner, session)).result(START_S)
        super().__init__(workbench, Wanted(session_id, workflow, ids), title, height=height, static=static)

    def __repr__(self) -> str:
        of = f' of "{self._title}"' if self._title else ""
        return f"<Gallery{of}, {count_of(self._feed.catalogue)}>"

    def close(self) -> None:
        """Take the pane away and stop following."""
        if self._following:
            self._following.cancel()
        super().close()

    # -- from code ---------------------------------------------------------------------------------------------------

    @property
    def selected(self) -> list[Generation]:
        """The generations of the selected tiles, in the order of their selection, as they are now."""
        return self._wait(read_many(self._inner, [id_ for id_, _ in self._selection]))

    def select(self, generations: Iterable[Generation | str]) -> None:
        """Select every picture of these generations, in the page too."""
        ids = [one if isinstance(one, str) else one.id for one in generations]
        self._wait(self._select_ids(ids))

    def show(
        self,
        generations: Iterable[Generation | str] | None = None,
        *,
        sql: str | None = None,
        **parameters: JsonValue,
    ) -> Call[int]:
        """Show some of this gallery's generations alone; without arguments all of them again.

        Args:
            generations: these, as rows or ids.
            sql: those that a statement has in its column `id`: `SELECT id FROM runs WHERE rating >= 4`. It is asked
                once; what is made later is shown when it is asked again.
            parameters: values for `$name` in it.

        Returns:
            A call with how many are shown.
        """
        return Call(self._workbench.start(self._show(generations, sql, parameters)), "gallery.show")

    def images(self) -> list["Picture"]:
        """The selected pictures, decoded, in the order of their selection. Sound and video are left out."""
        return self._wait(self._read_images())

    def to_pandas(self) -> Any:
        """One row a picture with its parameters and rating: of the selection, or of everything where it is empty.

        Needs pandas, which Spoon does not bring.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_pandas needs pandas: pip install pandas", name="pandas") from error
        return pandas.DataFrame.from_records(self._wait(self._read_records()))

    def rate(self, rating: int | None, generations: Iterable[Generation | str] | None = None) -> Call[None]:
        """Rate the selected pictures, or all of these generations: 1 to 5, 0 rejects, None takes the rating away.

        It is under way when this returns; `.result()` or `await` waits for it and raises what went wrong.
        """
        if generations is None:
            refs: list[tuple[str, int | None]] = [*self._selection]
        else:
            refs = [(one if isinstance(one, str) else one.id, None) for one in generations]
        return Call(self._workbench.start(self._rate(refs, rating)), "gallery.rate")

    def snapshot(self) -> Call[None]:
        """Write the contact sheet that the saved notebook keeps, now. It is also done a second after a change."""
        return Call(self._workbench.start(self._make_sheet()), "gallery.snapshot")

    def on_select(self, function: OnSelect) -> OnSelect:
        """Have a function called with the selected generations whenever the selection changes (in a thread)."""
        self._on_select.append(function)
        return function

    def on_reuse(self, function: OnReuse) -> OnReuse:
        """Have a function called with a generation whose parameters shall be used again (in a thread)."""
        self._on_reuse.append(function)
        return function

    # -- the work ----------------------------------------------------------------------------------------------------

    async def _show(
        self, generations: Iterable[Generation | str] | None, sql: str | None, parameters: dict[str, JsonValue]
    ) -> int:
        ids = None if generations is None else [one if isinstance(one, str) else one.id for one in generations]
        if sql is not None:
            answer = await self._inner.database.query(ids_named(sql), parameters=parameters or None)
            found = split_ids(answer.rows[0]["ids"])
            ids = found if ids is None else [id_ for id_ in found if id_ in set(ids)]
        return await self.show_ids(ids)

    async def _select_ids(self, ids: list[str]) -> None:
        await self._feed.ready()
        for id_ in ids:
            if id_ not in self._feed.catalogue:
                await self._feed.read_all()
        entries = [(id_, self._entry(id_)) for id_ in ids]
        self._selection = [(id_, index) for id_, entry in entries for index in entry.shown]
        self.mark("selection")
        if self._on_select:
            self._background(self._tell_selection())

    async def _read_images(self) -> list["Picture"]:
        from spoonkernel.media.sheets import decoded

        entries = [(self._entry(id_), index) for id_, index in self._selection]
        outputs = [entry.about.outputs[index] for entry, index in entries if index in entry.shown]
        paths = [output.content for output in outputs if output.kind == "image" and output.content]
        return [await asyncio.to_thread(decoded, (await self._files.open(path)).content) for path in paths]

    async def _read_records(self) -> list[dict[str, Any]]:
        if self._selection:
            return records((self._entry(id_), index) for id_, index in self._selection)
        await self._feed.ready()
        await self._feed.read_all()
        return records((entry, index) for entry in self._feed.catalogue.newest_first() for index in entry.shown)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return Call(self._workbench.start(work), "gallery").result(ANSWER_S)
