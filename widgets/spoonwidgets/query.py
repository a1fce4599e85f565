"""The query pane: questions in SQL about everything that was ever made, with their answers as a table or a chart."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import JsonValue

from spoonkernel.errors import BadRequest
from spoonkernel.portal import Call
from spoonkernel.types.database import QueryResult
from spoonkernel.types.generations import Generation
from spoonwidgets._base import Workbench, esm
from spoonwidgets._query_aside import Beside
from spoonwidgets._query_pane import QueryPane
from spoonwidgets._query_rows import count_words
from spoonwidgets._query_sql import OF_GENERATIONS, View, parameter_names, text_of, value_of

if TYPE_CHECKING:
    from spoonwidgets.gallery import Gallery

OnResult = TypeVar("OnResult", bound=Callable[[QueryResult], object])
ANSWER_S = 120.0


class Query(QueryPane):
    """SQL over the workbench's own history, read only, in DuckDB's dialect. Works without a page, too.

    The page sorts and filters by asking again with the statement inside another one, and `result`, `df()`, `pl()`,
    `arrow()` and exported files are what it shows: with its order and its filter.

    Args:
        workbench: what `spoonkernel.open()` returned.
        sql: the statement to begin with. It does not run by itself.
        height: of the pane, in pixels; the rows scroll inside.
        static: keep the statement and its first rows in the notebook, for readers without a kernel.
        beside: the gallery of a view that this pane is part of; `show_in` is for any other.

    Attributes:
        sql: what stands in the editor, as it is typed.
        history: the statements that ran, the newest last, 50 at most. They are part of this widget, so they outlive a
            reload of the page, and with JupyterLab's "Save Widget State" the notebook; they go nowhere else.
    """

    _esm = esm("query.js")

    def __init__(
        self,
        workbench: Workbench,
        sql: str = "",
        *,
        height: int = 560,
        static: bool = True,
        beside: Beside | None = None,
    ) -> None:
        super().__init__(workbench, beside, height=height, static=static)
        self.sql = sql

    def __repr__(self) -> str:
        result = self._asking.result
        return f"<Query, {count_words(result) if result else 'nothing asked yet'}>"

    # -- from code ---------------------------------------------------------------------------------------------------

    def run(self, sql: str | None = None, **parameters: JsonValue) -> Call[QueryResult]:
        """Ask what stands in the editor, or `sql`, which then stands there. Starts at once; await it or `.result()`.

        Args:
            parameters: values for `$name` in it; for those not given, what stands in their boxes.

        Raises:
            ValidationFailed: DuckDB refuses it; the message has the place.
            QueryStopped: it was stopped, or ran into a limit of time or size.
        """
        if sql is not None:
            self.sql = sql
        statement = self.sql
        if parameters:
            self.values = {**self.values, **{name: text_of(value) for name, value in parameters.items()}}
        boxes = {name: value_of(self.values.get(name, "")) for name in parameter_names(statement)}
        return Call(self._workbench.start(self._run(View(statement, boxes | parameters))), "query.run")

    def stop(self) -> None:
        """Stop the statement that runs, if one does. Its `run` raises `QueryStopped`."""
        self._workbench.start(self.op_stop()).result(ANSWER_S)

    @property
    def result(self) -> QueryResult | None:
        """What was answered last: the first 10,000 rows, `fields`, `types`, `duration_ms`; None at first."""
        return self._asking.result

    @property
    def statement(self) -> str:
        """The statement behind `result`, with the page's order and filter around it."""
        return self._asking.view.statement or self.sql

    @property
    def selected(self) -> list[dict[str, Any]]:
        """The rows selected in the page, as dicts, in the order of their selection."""
        result = self._asking.result
        return [result.rows[place] for place in self._selection if place < len(result.rows)] if result else []

    def df(self) -> Any:
        """All rows as a `pandas.DataFrame` with exact types. Asks the statement first, if nothing was asked yet.

        Needs pandas and pyarrow. More than 1,000,000 rows or 64 MB are a `QueryStopped`.
        """
        return self._answered().df()

    def pl(self) -> Any:
        """All rows as a `polars.DataFrame`, as `df` does. Needs polars."""
        return self._answered().pl()

    def arrow(self) -> Any:
        """All rows as a `pyarrow.Table`, as `df` does. Needs pyarrow."""
        return self._answered().arrow()

    def plot(
        self,
        x: str,
        y: str | None = None,
        *,
        draw: Literal["bar", "line", "scatter"] = "bar",
        how: Literal["count", "mean", "sum", "min", "max", "median"] | None = None,
        by: str | None = None,
    ) -> None:
        """Have the page draw columns of the result. Asks the statement first, if nothing was asked yet.

        Args:
            how: what becomes of the rows with the same `x`: without `y` they are counted, else it is their mean.
            by: a column whose values get a line or colour each.

        Raises:
            BadRequest: the result has no such column, or no numbers in it.
        """
        self._answered()
        self.chart = {"draw": draw, "x": x, "y": y, "how": how or ("mean" if y else "count"), "by": by}
        self.shown = "chart"
        self._workbench.start(self._draw(dict(self.chart))).result(ANSWER_S)
        if self._drawing and self._drawing["error"]:
            raise BadRequest(self._drawing["error"])

    def on_result(self, function: OnResult) -> OnResult:
        """Have a function called with each result, also those that the page asked for (in a thread)."""
        self._on_result.append(function)
        return function

    def about(self, generations: "Iterable[Generation | str] | Gallery") -> Call[QueryResult]:
        """Ask for the rows of these generations, or of what is selected in a gallery."""
        chosen = getattr(generations, "selected", generations)
        ids: list[JsonValue] = [one if isinstance(one, str) else one.id for one in chosen]
        return self.run(OF_GENERATIONS, ids=ids)

    def show_in(self, gallery: "Gallery | None") -> Call[int]:
        """Have a gallery show the generations of the result, of this one and of every later one.

        Of the rows' ids those count that belong to the gallery, and all rows of the statement, not the first 10,000
        alone. None ends it, and the gallery shows everything again.

        Returns:
            A call with how many generations it shows.
        """
        return Call(self._workbench.start(self._link(gallery)), "query.show_in")

    # -- the work ----------------------------------------------------------------------------------------------------

    async def _link(self, gallery: "Gallery | None") -> int:
        before, self._gallery = self._gallery, gallery
        if before is not None and before is not gallery:
            await before.show_ids(None)
        self.mark("run")
        return await self._follow_gallery()

    def _answered(self) -> QueryResult:
        if self._asking.result is None and not self.sql.strip():
            raise BadRequest("Nothing was asked yet: write a statement and run it")
        return self._asking.result or self.run().result(ANSWER_S)
