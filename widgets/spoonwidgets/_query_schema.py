"""The tables and columns for the schema tree and for completion, read from the live database."""

import asyncio
from typing import Any

from spoonkernel.errors import SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.database import QueryResult, TableSchema
from spoonwidgets._query_aside import Aside

COLUMNS = """
SELECT table_name, column_name, lower(data_type) AS type, comment FROM duckdb_columns()
WHERE NOT internal ORDER BY table_name, column_index
"""
FIRST = ("runs", "comfyui_generations", "parameters", "conversation_turns", "tasks")
"""What people ask about most; the rest follows as the database lists it."""
UNCOUNTED = ("parameters",)
"""Counting it would unfold every row of all the others."""


async def read_schema(inner: OpenWorkbench, aside: Aside) -> list[dict[str, Any]]:
    """Every table and view with its columns and its number of rows (None where that takes too long, or is spared)."""
    names = list(await inner.database.tables())
    answer = await aside.ask(COLUMNS, limit=10_000)
    columns = _listed(answer) if answer else await _described(inner, names)
    known = [name for name in names if name in columns]
    ordered = [*(name for name in FIRST if name in known), *(name for name in known if name not in FIRST)]
    counts = await _counts(aside, ordered)
    return [{"name": name, "rows": counts.get(name), "columns": columns[name]} for name in ordered]


def _listed(answer: QueryResult) -> dict[str, list[dict[str, Any]]]:
    columns: dict[str, list[dict[str, Any]]] = {}
    for row in answer.rows:
        column = {"name": row["column_name"], "type": row["type"], "comment": row["comment"] or ""}
        columns.setdefault(row["table_name"], []).append(column)
    return columns


async def _described(inner: OpenWorkbench, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The same by a request for each table, which no server counts."""
    schemas: list[TableSchema] = await asyncio.gather(*(inner.database.schema(name) for name in names))
    return {
        schema.table: [{"name": one.name, "type": one.type, "comment": one.comment or ""} for one in schema.columns]
        for schema in schemas
    }


async def _counts(aside: Aside, names: list[str]) -> dict[str, int]:
    each = [f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in names if name not in UNCOUNTED]  # noqa: S608
    try:
        answer = await aside.ask(" UNION ALL ".join(each))
    except SpoonError:
        return {}
    return {row["name"]: row["n"] for row in answer.rows} if answer else {}
