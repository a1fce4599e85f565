from typing import Protocol

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import Media, Rows
from spoonkernel.types.database import MAX_ARROW_ROWS, FileFormat, QueryResult, TableSchema
from spoonkernel.types.rows import RowsInArrow


class DatabaseAPI(Protocol):
    """Your own history in SQL: read only, over the live store, in DuckDB's dialect. Needs the `query` extra."""

    @http("POST /database/query")
    async def query(
        self, query: str, *, parameters: dict[str, JsonValue] | None = None, limit: int = 1_000
    ) -> QueryResult:
        """Run one SELECT (or EXPLAIN). It sees every change that was committed before it began.

        Args:
            query: one statement, 100,000 characters at most. `runs` has every reply, task, result and generation.
            parameters: values for `$name` in it.
            limit: rows of the answer, 10,000 at most; `truncated` says whether there were more.

        Raises:
            ValidationFailed: it is no single SELECT, or DuckDB refuses it; the message is DuckDB's, with the place.
            QueryStopped: it ran into the time, memory or size limit.
            Forbidden: questions are switched off here.
            RateLimited: from elsewhere there are 10 a minute.
        """
        ...

    @http("POST /database/arrow", ours=True)
    async def arrow(
        self, query: str, *, parameters: dict[str, JsonValue] | None = None, limit: int = MAX_ARROW_ROWS
    ) -> RowsInArrow:
        """The same with exact types and all rows, as an Arrow IPC stream: `.df()`, `.pl()` and `.arrow()` of it.

        More than `limit` rows (1,000,000 at most) or 64 MB are a `QueryStopped`: a table is never cut short.
        """
        ...

    @http("POST /database/export", ours=True)
    async def export(
        self,
        query: str,
        *,
        format: FileFormat = "csv",
        parameters: dict[str, JsonValue] | None = None,
        limit: int = MAX_ARROW_ROWS,
    ) -> Media:
        """The rows as a file: CSV (formula cells guarded), JSON (an array of objects), Parquet. Limits as `arrow`'s."""
        ...

    @http("GET /database/tables")
    async def tables(self) -> Rows[str]:
        """The names of the tables and views: the reference's eight, ours, and the views `runs` and `parameters`."""
        ...

    @http("GET /database/tables/{name}/schema")
    async def schema(self, name: str) -> TableSchema:
        """The columns of one table or view. Columns with keys do not exist here."""
        ...
