"""The two engines as the child reads them: Arrow streams out of ADBC, one read transaction at a time."""

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote

import nanoarrow

from spoonkernel.query.catalog import Kind, Table, literal, quoted

BATCH_ROWS = 16_384
CONNECT_TIMEOUT_S = 5

# ADBC guesses SQLite's types from the first rows, so a first row of the right types goes ahead of them.
SQLITE_FIRST: dict[Kind, str] = {"integer": "0", "boolean": "0", "number": "0.0"}
POSTGRES_CASTS: dict[Kind, str] = {"id": "text", "json": "text", "seed": "text"}


class Source(Protocol):
    """A store. Between entering and leaving, everything it says is of one moment."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def rows(self, table: Table, after: int) -> Any:
        """An Arrow stream of the rows written after revision `after`: the columns, and `rev`; skip rows of `rev` 0."""
        ...

    def deleted(self, after: int) -> Any:
        """An Arrow stream of what was deleted after revision `after`: `table_name`, `row_id`, `rev`; as `rows`."""
        ...

    def changed(self, tables: Sequence[Table], after: int) -> list[str]:
        """The names of those tables that have rows written after revision `after`."""
        ...

    def state(self) -> tuple[int, str]:
        """The store's revision, and the version of its tables."""
        ...


class _Connected:
    """A connection that is made when it is needed, and made anew after it has failed."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._open: Any = None
        self._read: Any = None

    @property
    def _connection(self) -> Any:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Without a rollback what is read next would be of the same moment, and SQLite's log would grow without end."""
        if self._open is None:
            return
        self._finish()
        if kind is not None:
            self._drop()
            return
        try:
            self._open.rollback()
        except Exception:
            self._drop()
            raise

    def _drop(self) -> None:
        gone, self._open = self._open, None
        with contextlib.suppress(Exception):  # it is given up because it failed; there is nothing to do about it
            gone.close()

    def _stream(self, sql: str, **options: str) -> Any:
        """A statement's rows. One stream at a time: its cursor must outlive it, or the drivers read freed memory."""
        self._finish()
        self._read = cursor = self._connection.cursor()
        if options:
            cursor.adbc_statement.set_options(**options)
        cursor.execute(sql)
        return cursor.fetch_arrow()

    def _finish(self) -> None:
        cursor, self._read = self._read, None
        if cursor is not None:
            with contextlib.suppress(Exception):  # of a connection that is gone
                cursor.close()

    def changed(self, tables: Sequence[Table], after: int) -> list[str]:
        asked = [
            f"select {literal(table.name)} as name where exists "  # noqa: S608 - names are the catalog's
            f"(select 1 from {quoted(table.name)} where rev > {after:d})"
            for table in tables
        ]
        return [str(row["name"]) for row in self._few(" union all ".join(asked))]

    def state(self) -> tuple[int, str]:
        [row] = self._few("select (select max(value) from revision) as value, version_num from alembic_version")
        return int(row["value"] or 0), str(row["version_num"])

    def _few(self, sql: str) -> list[dict[str, Any]]:
        """Rows as Python values; the driver's own `fetchall` would want pyarrow."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            rows: list[dict[str, Any]] = nanoarrow.ArrayStream(cursor.fetch_arrow()).to_pylist()
        return rows


class SQLiteSource(_Connected):
    """The embedded file, opened read only. The workbench has it open: this process may not make the files beside it."""

    def _connect(self) -> Any:
        import adbc_driver_sqlite.dbapi as sqlite

        return sqlite.connect(f"file:{quote(self._address)}?mode=ro")

    def rows(self, table: Table, after: int) -> Any:
        first = ", ".join(
            f"{SQLITE_FIRST.get(column.kind, literal(''))} as {quoted(column.name)}" for column in table.columns
        )
        rest = ", ".join(
            # a column declared JSON would keep the document `5` as a number
            f"cast({quoted(column.name)} as text)" if column.kind == "json" else quoted(column.name)
            for column in table.columns
        )
        return self._typed(first, rest, quoted(table.name), after)

    def deleted(self, after: int) -> Any:
        return self._typed("'' as table_name, '' as row_id", "table_name, row_id", "tombstones", after)

    def _typed(self, first: str, rest: str, table: str, after: int) -> Any:
        rows = f"select {rest}, rev from {table} where rev > {after:d}"  # noqa: S608 - names are the catalog's
        sql = f"select {first}, 0 as rev union all {rows}"
        return self._stream(sql, **{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})


class PostgresSource(_Connected):
    """A server's store, read only; each look is one repeatable-read transaction."""

    def _connect(self) -> Any:
        import adbc_driver_postgresql.dbapi as postgresql

        scheme, _, rest = self._address.partition("://")
        address = f"{scheme.partition('+')[0]}://{rest}"
        if "connect_timeout" not in address:
            address += f"{'&' if '?' in address else '?'}connect_timeout={CONNECT_TIMEOUT_S}"
        return postgresql.connect(address)

    def __enter__(self) -> Self:
        with self._connection.cursor() as cursor:
            try:
                cursor.execute("set transaction isolation level repeatable read read only")
            except Exception:
                self._drop()  # the connection died since the last look: the next one makes another
                raise
        return self

    def rows(self, table: Table, after: int) -> Any:
        columns = ", ".join(
            f"{quoted(column.name)}::{POSTGRES_CASTS[column.kind]} as {quoted(column.name)}"
            if column.kind in POSTGRES_CASTS
            else quoted(column.name)
            for column in table.columns
        )
        return self._stream(f"select {columns}, rev from {quoted(table.name)} where rev > {after:d}")  # noqa: S608 - names are the catalog's

    def deleted(self, after: int) -> Any:
        return self._stream(
            f"select table_name, row_id::text as row_id, rev from tombstones where rev > {after:d}"  # noqa: S608 - a number
        )


def open_source(url: str) -> Source:
    """The store at `url`: `sqlite:///PATH` or `postgresql://...`, as SQLAlchemy writes them."""
    return PostgresSource(url) if url.startswith("postgres") else SQLiteSource(url.removeprefix("sqlite:///"))
