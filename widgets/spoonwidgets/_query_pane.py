"""What a query's page asks for: statements, windows of rows, charts, thumbnails, files; and what it is told."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import traitlets
from pydantic import JsonValue

from spoonkernel.errors import BadRequest, SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.base import Media
from spoonkernel.types.database import FileFormat, QueryResult
from spoonwidgets import _query_rows
from spoonwidgets._base import Answer, Pane, Workbench, explain, log
from spoonwidgets._gallery_actions import tell
from spoonwidgets._gallery_files import PIECE_BYTES
from spoonwidgets._query_aside import Aside, Beside
from spoonwidgets._query_chart import Chart
from spoonwidgets._query_faces import Faces, id_of
from spoonwidgets._query_run import Asking
from spoonwidgets._query_saved import saved
from spoonwidgets._query_schema import read_schema
from spoonwidgets._query_sql import (
    OF_GENERATIONS,
    View,
    checked_sort,
    ids_in,
    parameter_names,
    split_ids,
    text_of,
    value_of,
)
from spoonwidgets._query_summaries import first_statement, second_statement, summaries

if TYPE_CHECKING:
    from spoonwidgets.gallery import Gallery

HISTORY = 50
HISTORY_CHARS = 4_000
"""A longer statement is not kept in the history: it travels with the notebook."""


class QueryPane(Pane):
    """The page's side of `Query`. Everything here runs on the workbench's loop."""

    sql = traitlets.Unicode("", help="The statement in the editor.").tag(sync=True)
    history = traitlets.List(traitlets.Unicode(), help="The statements that ran, the newest last.").tag(sync=True)
    values = traitlets.Dict(help="What stands in the boxes of $parameters, as typed.").tag(sync=True)
    chart = traitlets.Dict(help="What the chart draws: draw, x, y, how, by.").tag(sync=True)
    shown = traitlets.Enum(("table", "chart"), "table", help="How the result is shown.").tag(sync=True)

    _faces: Faces | None = None  # ipywidgets closes what could not be made, too

    def __init__(self, workbench: Workbench, beside: Beside | None, *, height: int, static: bool) -> None:
        self._inner: OpenWorkbench = workbench.inner
        self._asking = Asking(self._inner, lambda: self.mark("run"))
        self._aside, self._beside = Aside(self._inner), beside
        self._faces = Faces(self._inner, self._aside)
        self._schema: dict[str, Any] = {"tables": None, "error": None}
        self._summary: dict[str, Any] | None = None
        self._pictures: list[int] = []
        self._drawing: dict[str, Any] | None = None
        self._file: tuple[dict[str, Any], Media | None] = ({}, None)
        self._selection: list[int] = []
        self._gallery: Gallery | None = None
        self._on_result: list[Callable[[QueryResult], object]] = []
        self._work: dict[str, asyncio.Task[None]] = {}
        super().__init__(workbench, height=height, static=static)

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_hello(self) -> dict[str, Any]:
        """The state; the tables are read meanwhile, which starts the process for questions."""
        if self._schema["tables"] is None:
            await self.op_schema()
        return await super().op_hello()

    async def op_schema(self) -> None:
        """Read the tables, columns and counts again."""
        self._background("schema", self._read_schema())

    async def op_run(self, sql: str, values: dict[str, str] | None = None) -> None:
        """Begin to run; the outcome comes as `run`."""
        given = values or {}
        parameters = {name: value_of(given.get(name, "")) for name in parameter_names(sql)}
        self._background("run", self._quietly(View(sql, parameters)))

    async def op_view(self, sort: list[tuple[int, bool]], where: str) -> None:
        """Begin to ask the same statement with this order and this filter around it."""
        view, result = self._asking.view, self._asking.result
        if result is None:
            raise BadRequest("Run a statement first")
        order = checked_sort(sort, len(result.fields))
        self._background("run", self._quietly(replace(view, sort=order, where=where.strip())))

    async def op_stop(self) -> None:
        self._asking.stop()

    async def op_rows(self, number: int, start: int) -> list[list[Any]]:
        """A window of the rows of that answer; none when there is a newer one."""
        result = self._result(number)
        return _query_rows.window(result, start) if result else []

    async def op_cell(self, number: int, row: int, column: int) -> str:
        """All of a cell."""
        result = self._result(number)
        return _query_rows.cell(result, row, column) if result else ""

    async def op_copy(self, number: int, rows: list[int], form: Literal["tsv", "json"] = "tsv") -> str:
        result = self._result(number)
        return _query_rows.copied(result, rows, form) if result else ""

    async def op_select(self, number: int, rows: list[int]) -> None:
        result = self._result(number)
        self._selection = [place for place in rows if 0 <= place < len(result.rows)] if result else []

    async def op_faces(self, ids: list[str]) -> Answer:
        return await self._faces.read(ids) if self._faces else Answer([])

    async def op_summaries(self) -> None:
        """Read the summaries of a result for which they were spared."""
        self._background("after", self._summarise(self._inner.database.query))

    async def op_to_gallery(self) -> int:
        """Show the generations of the result in the gallery beside; how many are there."""
        if self._beside is None:
            raise BadRequest("There is no gallery beside this pane")
        return await self._beside.show(await self._ids())

    async def op_about(self) -> None:
        """Ask about what is selected in the gallery beside."""
        ids: list[JsonValue] = [*(await self._beside.selected() if self._beside else [])]
        if not ids:
            raise BadRequest("Nothing is selected in the gallery")
        self.sql, self.values = OF_GENERATIONS, {**self.values, "ids": text_of(ids)}
        self._background("run", self._quietly(View(OF_GENERATIONS, {"ids": ids})))

    async def op_chart(self, chart: dict[str, JsonValue]) -> None:
        """Begin to compute a chart; it comes as `chart`."""
        self._background("chart", self._draw(chart))

    async def op_export(self, format: FileFormat) -> None:
        """Begin to make a file of all rows; when `file` says it is there, it is fetched with `op_piece`."""
        self._background("file", self._make_file(format))

    async def op_piece(self, offset: int) -> Answer:
        facts, media = self._file
        if media is None:
            raise BadRequest("This file is no longer kept; export it again")
        piece = media.content[offset : offset + PIECE_BYTES]
        if offset + len(piece) >= len(media.content):
            self._file = (facts, None)
        return Answer(facts, [piece])

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        wanted = {"run", "schema", "summary", "chart", "file"} if parts is None else set(parts)
        told: dict[str, Any] = {}
        if "run" in wanted:
            linked = None if self._gallery is None else {"shown": self._gallery.shown_by_sql}
            told["run"] = self._asking.describe() | {"pictures": self._pictures, "gallery": linked}
            told["run"] |= {"beside": self._beside is not None, "spared": self._aside.sparing}
        known = {"schema": self._schema, "summary": self._summary, "chart": self._drawing}
        told |= {name: value for name, value in known.items() if name in wanted}
        if "file" in wanted:
            told["file"] = self._file[0]
        return told

    def _result(self, number: int) -> QueryResult | None:
        return self._asking.result if number == self._asking.number else None

    async def _quietly(self, view: View) -> None:
        await self._run(view)

    async def _run(self, view: View) -> QueryResult:
        """Ask, then everything that follows from an answer."""
        for name in ("after", "chart"):
            if name in self._work:
                self._work[name].cancel()
        self._remember(view.sql)
        result = await self._asking.ask(view)
        self._selection, self._summary, self._drawing = [], None, None
        self._pictures = []
        self.mark("run", "summary", "chart")
        self._background("after", self._after(result))
        if self._on_result:
            self._background("told", tell(self._on_result, result))
        if self._snapshot:
            self._snapshot.update()
        return result

    async def _after(self, result: QueryResult) -> None:
        """What comes after the rows, the quick things first; none of it may fail loudly."""
        if self._faces:
            self._faces.forget()
            self._pictures = await self._faces.columns(result)
            if self._pictures:
                self.mark("run")
        await self._follow_gallery()
        if self.shown == "chart" and self.chart:
            await self._draw(dict(self.chart))
        if result.row_count:
            await self._summarise(self._aside.ask)

    async def _summarise(self, ask: Callable[..., Coroutine[Any, Any, QueryResult | None]]) -> None:
        view, result = self._asking.view, self._asking.result
        if result is None:
            return
        first = await ask(first_statement(view, result.types), parameters=view.parameters)
        if first is None:
            self.mark("run")  # which says that it was spared
            return
        self._summary = summaries(result.types, first, None) | {"number": self._asking.number}
        self.mark("summary")
        second_sql = second_statement(view, result.types, first.rows[0])
        second = await ask(second_sql, parameters=view.parameters) if second_sql else None
        self._summary = summaries(result.types, first, second) | {"number": self._asking.number}
        self.mark("summary")

    async def _draw(self, wanted: dict[str, JsonValue]) -> None:
        result, view = self._asking.result, self._asking.view
        if result is None:
            return
        try:
            chart = Chart.wanted(wanted, result.fields, result.types)
            statement = chart.statement(view, result.types)
            answer = await self._inner.database.query(statement, parameters=view.parameters, limit=10_000)
            self._drawing = chart.drawing(result.fields, result.types, answer) | {"error": ""}
        except SpoonError as error:
            self._drawing = {"error": error.message}
        self.mark("chart")
        if self._snapshot:
            self._snapshot.update()

    async def _make_file(self, format: FileFormat) -> None:
        view, number = self._asking.view, self._file[0].get("number", 0) + 1
        try:
            media = await self._inner.database.export(view.statement, format=format, parameters=view.parameters)
            name = f"query_{time.strftime('%Y-%m-%d_%H%M%S')}.{format}"
            self._file = (
                {"number": number, "name": name, "type": media.content_type, "size": len(media.content)},
                media,
            )
        except SpoonError as error:
            self._file = ({"number": number, "error": explain(error)}, None)
        self.mark("file")

    async def _read_schema(self) -> None:
        try:
            self._schema = {"tables": await read_schema(self._inner, self._aside), "error": None}
        except SpoonError as error:
            self._schema = {"tables": self._schema["tables"], "error": explain(error)}
        self.mark("schema")

    async def _follow_gallery(self) -> int:
        """Show the generations of the result in the gallery that follows it: all of them, however many rows."""
        if self._gallery is None or self._asking.result is None:
            return 0
        count = await self._gallery.show_ids(await self._ids())
        self.mark("run")
        return count

    async def _ids(self) -> list[str]:
        """The ids in the result that may be generations: of all its rows, for which a cut answer is asked again."""
        view, result = self._asking.view, self._asking.result
        column = None if result is None else self._pictures[0] if self._pictures else _query_rows.id_column(result)
        if result is None or column is None:
            return []
        if not result.truncated:
            found = (id_of(row.get(result.fields[column])) for row in result.rows)
            return [one for one in dict.fromkeys(found) if one]
        statement = ids_in(view, len(result.fields), column)
        answer = await self._inner.database.query(statement, parameters=view.parameters)
        return split_ids(answer.rows[0]["ids"])

    def _remember(self, sql: str) -> None:
        if sql.strip() and len(sql) <= HISTORY_CHARS:
            self.history = [*(one for one in self.history if one != sql), sql][-HISTORY:]

    def _background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start work of which there is one of its kind: an older one ends."""
        if name in self._work:
            self._work[name].cancel()
        self._work[name] = asyncio.get_running_loop().create_task(self._guarded(work), name=f"query {name}")

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SpoonError as error:  # the page has it with the state; a summary that is missing is no trouble
            log.debug("%s", error)
        except Exception:  # noqa: BLE001  # whatever it is, the page must not go on waiting for it
            log.exception("The query pane's work failed")

    def saved(self) -> tuple[str, str]:
        drawing = self._drawing if self.shown == "chart" else None
        return saved(self._asking.view.sql or self.sql, self._asking.result, drawing)

    def close(self) -> None:
        """Take the pane away; what runs is stopped."""
        with contextlib.suppress(SpoonError):  # a closed workbench has ended its work by itself
            if self._faces:
                self._workbench.start(self._end())
        super().close()

    async def _end(self) -> None:
        self._asking.stop()
        for task in self._work.values():
            task.cancel()
        if self._faces:
            self._faces.close()
