"""Questions in SQL over the live store, read only."""

import asyncio
import html
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, PrivateAttr, ValidationInfo, field_serializer, field_validator

from spoonkernel.errors import BadRequest
from spoonkernel.types.base import CamelWire, Wire
from spoonkernel.types.generations import exact
from spoonkernel.types.rows import RowsInArrow

MAX_SQL = 100_000
MAX_ROWS = 10_000
"""Rows of one answer in JSON."""
MAX_ARROW_ROWS = 1_000_000
"""Rows of one answer as Arrow or as a file."""
SHOWN_ROWS, SHOWN_CHARS = 20, 80
LARGE_TYPES = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
"""Columns whose values may be strings of digits over JSON; here they are whole numbers."""

FileFormat = Literal["csv", "json", "parquet"]
FetchRows = Callable[[], Coroutine[Any, Any, RowsInArrow]]
SQL = Annotated[str, Field(min_length=1, max_length=MAX_SQL)]


class QueryRequest(Wire):
    """The body of `POST /database/query`."""

    query: SQL
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Values for `$name` in the statement."""
    limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 1_000


class ArrowRequest(Wire):
    """The body of `POST /database/arrow`."""

    query: SQL
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1, le=MAX_ARROW_ROWS)] = MAX_ARROW_ROWS


class ExportRequest(ArrowRequest):
    """The body of `POST /database/export`."""

    format: FileFormat = "csv"


class QueryResult(CamelWire):
    """What a statement gave: its first rows, and on demand all of them as a table of pandas, polars or Arrow.

    A whole number above 2^53-1 is a string of its digits over JSON, a time ISO 8601 in UTC, an id its text.
    """

    rows: list[dict[str, Any]]
    row_count: int
    """Rows in this answer."""
    fields: list[str]
    types: list[str] = Field(default_factory=list)
    """DuckDB's type of each field: `UUID`, `VARCHAR`, `UBIGINT`, `TIMESTAMP WITH TIME ZONE`, `JSON`, ..."""
    truncated: bool = False
    """There were more rows than `limit`."""
    duration_ms: float = 0.0
    """Of the statement itself, without the reading of what changed in the store."""
    sync_ms: float = 0.0
    """Of reading what changed in the store since the last statement."""

    _fetch: FetchRows | None = PrivateAttr(None)
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(None)
    _fetched: RowsInArrow | None = PrivateAttr(None)

    @field_validator("types")
    @classmethod
    def _as_numbers(cls, types: list[str], info: ValidationInfo) -> list[str]:
        large = [name for name, kind in zip(info.data.get("fields", []), types, strict=False) if kind in LARGE_TYPES]
        for row in info.data.get("rows", []) if large else []:
            for name in large:
                if isinstance(row.get(name), str):
                    row[name] = int(row[name])
        return types

    @field_serializer("rows", when_used="json")
    def _as_digits(self, rows: list[dict[str, Any]]) -> Any:
        return exact(rows)

    def fetching(self, fetch: FetchRows) -> Self:
        """The same result, knowing how to ask for its rows as Arrow on the event loop that runs now."""
        self._fetch, self._loop = fetch, asyncio.get_running_loop()
        return self

    def df(self) -> Any:
        """All rows as a `pandas.DataFrame`. Needs pandas and pyarrow.

        The statement is asked again the first time, for exact types and for more rows than `limit`; its answer is that
        moment's. Inside the workbench's own loop use `await workbench.database.arrow(...)` instead.
        """
        return self._rows().df()

    def pl(self) -> Any:
        """All rows as a `polars.DataFrame`, as `df` does. Needs polars."""
        return self._rows().pl()

    def arrow(self) -> Any:
        """All rows as a `pyarrow.Table`, as `df` does. Needs pyarrow."""
        return self._rows().arrow()

    def _rows(self) -> RowsInArrow:
        if self._fetched is None:
            self._fetched = self._ask_again()
        return self._fetched

    def _ask_again(self) -> RowsInArrow:
        if self._fetch is None or self._loop is None:
            raise BadRequest("This result stands alone: ask `workbench.database.arrow(...)` for its rows as a table")
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop or not self._loop.is_running():
            raise BadRequest("Not from here: use `(await workbench.database.arrow(...)).df()`, or `.pl()`, `.arrow()`")
        asked = asyncio.run_coroutine_threadsafe(self._fetch(), self._loop)
        try:
            return asked.result()
        except BaseException:  # Ctrl-C among them: the statement stops too
            asked.cancel()
            raise

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.fields)
        rows = "".join(
            f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in self.fields)}</tr>"
            for row in self.rows[:SHOWN_ROWS]
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p>{html.escape(self._summary())}</p>"
        )

    def _summary(self) -> str:
        more = " or more" if self.truncated else ""
        shown = f", the first {SHOWN_ROWS} shown" if self.row_count > SHOWN_ROWS else ""
        return f"{self.row_count:,}{more} rows{shown}, {self.duration_ms:.0f} ms"


class ColumnInfo(Wire):
    """One column, with its type as the reference spells types; each is a name that a statement may cast to.

    `default` is there where a value is made when none is given: ids are random UUIDs.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    comment: str | None = None
    """What it holds, for people."""


class TableSchema(Wire):
    """The answer of `GET /database/tables/:name/schema`."""

    table: str
    columns: list[ColumnInfo]
    comment: str | None = None


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return html.escape(text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…")
