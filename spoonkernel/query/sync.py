"""Copies what changed in the store into DuckDB: rows by their `rev`, deletions by their tombstones.

One read transaction covers all tables, so what is copied is one state of the store. All write transactions of all
processes follow one another and each takes the next `rev` (`docs/decisions/0001`), so "above the highest seen" misses
nothing. Arrow streams go from ADBC into DuckDB without a Python value in between.
"""

import contextlib
from typing import Any

import duckdb

from spoonkernel.query.catalog import DUCKDB_TYPES, REPLACED_ROWS, Catalog, Column, Table, literal, quoted
from spoonkernel.query.sources import Source


class Outdated(Exception):
    """The store is not the one that was copied: its tables were changed, or an older state was put back."""


class Copy:
    """The tables in DuckDB, and how far they have come."""

    def __init__(self, database: duckdb.DuckDBPyConnection, source: Source, catalog: Catalog) -> None:
        self._database, self._source, self._catalog = database, source, catalog
        self._revision, self._version = 0, ""
        self._replaced = 0
        for table in catalog.tables:
            database.execute(_create(table))

    def follow(self) -> int:
        """Bring every table to the store's present state; returns the number of rows and deletions copied.

        Raises:
            Outdated: only a new copy can follow.
        """
        with self._source as source:
            revision, version = source.state()
            if self._version and (version != self._version or revision < self._revision):
                raise Outdated
            if self._version and revision == self._revision:
                return 0
            self._database.execute("begin")
            try:
                copied = self._copy(source) if self._version else self._fill(source)
                self._database.execute("commit")
            except BaseException:
                self._database.execute("rollback")
                with contextlib.suppress(duckdb.Error):
                    self._database.unregister("arrived")
                raise
            self._revision, self._version = revision, version
        if self._replaced > REPLACED_ROWS:
            self._database.execute("checkpoint")
            self._replaced = 0
        return copied

    def _fill(self, source: Source) -> int:
        """The first copy: nothing is there yet that could be replaced."""
        return sum(
            self._from(
                source.rows(table, 0),
                f"insert into {quoted(table.name)} select {_columns(table)} from arrived where rev > 0",  # noqa: S608 - names are the catalog's
            )
            for table in self._catalog.tables
        )

    def _copy(self, source: Source) -> int:
        copied = self._forget(source)
        changed = source.changed(self._catalog.tables, self._revision)
        for table in self._catalog.tables:
            if table.name in changed:
                copied += self._replace(table, source.rows(table, self._revision))
        return copied

    def _forget(self, source: Source) -> int:
        gone = 0
        self._from(
            source.deleted(self._revision),
            "create temp table gone as select table_name, cast(row_id as uuid) as id from arrived where rev > 0",
        )
        for (name,) in self._database.execute("select distinct table_name from gone").fetchall():
            if any(table.name == name for table in self._catalog.tables):
                gone += self._count(
                    f"delete from {quoted(name)} where id in (select id from gone where table_name = {literal(name)})"  # noqa: S608 - a name of the catalog
                )
        self._database.execute("drop table gone")
        self._replaced += gone
        return gone

    def _replace(self, table: Table, stream: Any) -> int:
        # materialised first: a stream can be read once, and its rows are needed twice
        self._from(stream, f"create temp table fresh as select {_columns(table)} from arrived where rev > 0")  # noqa: S608 - names are the catalog's
        self._replaced += self._count(f"delete from {quoted(table.name)} where id in (select id from fresh)")  # noqa: S608 - a name of the catalog
        copied = self._count(f"insert into {quoted(table.name)} select * from fresh")  # noqa: S608 - a name of the catalog
        self._database.execute("drop table fresh")
        return copied

    def _from(self, stream: Any, sql: str) -> int:
        """Run a statement that reads `stream` as `arrived`."""
        self._database.register("arrived", stream)
        count = self._count(sql)
        self._database.unregister("arrived")  # after a failure `follow` does it: the transaction takes nothing more
        return count

    def _count(self, sql: str) -> int:
        rows = self._database.execute(sql).fetchall()
        return int(rows[0][0]) if rows else 0


def _create(table: Table) -> str:
    columns = ", ".join(f"{quoted(column.name)} {DUCKDB_TYPES[column.kind]}" for column in table.columns)
    return f"create table {quoted(table.name)} ({columns})"


def _columns(table: Table) -> str:
    return ", ".join(f"{_cast(column)} as {quoted(column.name)}" for column in table.columns)


def _cast(column: Column) -> str:
    return f"cast({quoted(column.name)} as {DUCKDB_TYPES[column.kind]})"
