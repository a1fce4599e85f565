"""What can be asked for: the store's tables without keys and inner columns, a comment on each column, views."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, Integer, String, Text
from sqlalchemy import Column as StoreColumn
from sqlalchemy import Table as StoreTable

from spoonkernel.query.catalog import Catalog, Column, Kind, Table
from spoonkernel.query.views import VIEWS
from spoonkernel.services.column_comments import COLUMNS, TABLES
from spoonkernel.store import tables
from spoonkernel.store.columns import Id, Moment, Seed
from spoonkernel.types.database import ColumnInfo, TableSchema

REFERENCE = (
    "profiles",
    "profile_models",
    "provider_settings",
    "tasks",
    "results",
    "comfyui_workflows",
    "comfyui_sessions",
    "comfyui_generations",
)
"""The tables that the API reference lists, in its order."""

OURS = ("conversations", "conversation_turns", "chat_usage")
VIEW_NAMES = tuple(view.name for view in VIEWS)

HIDDEN_TABLES = {
    "revision": "how the copy is kept fresh",
    "tombstones": "how the copy is kept fresh",
    "task_attempts": "inner state of the engine",
    "watchers": "inner state of the engine",
    "comfyui_files": "where files lie: `outputs` of a generation names those that it made",
    "conversation_files": "where files lie: `attachments` of a turn names its own",
}
"""Tables that are not there, and why."""

HIDDEN = {
    "api_key": "a key, even encrypted, is never copied",
    "rev": "how the copy is kept fresh",
    "idempotency_key": "a client's own token",
    "request_hash": "how a repeated request is told from another",
    "claimed_by": "inner state of the engine",
    "lease_until": "inner state of the engine",
    "not_before": "inner state of the engine",
    "watcher_id": "inner state of the engine",
    "heartbeat_at": "inner state of the engine",
    "submitted_at": "inner state of the engine",
    "ui_workflow": "large: `generations.workflow(id)` has it",
    "ingredients": "large: `generations.workflow(id)` has it",
}
"""Columns that are not there, and why."""

HIDDEN_IN = {"comfyui_generations": {"workflow_json": "large: `generations.workflow(id)` has it"}}

SPELLED: dict[Kind, str] = {
    "id": "uuid",
    "text": "text",
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "moment": "timestamp with time zone",
    "json": "json",
    "seed": "ubigint",
}
"""As the reference spells types, and as a statement may cast to them; the same on both engines."""


def catalog() -> Catalog:
    """The catalog of this version's tables."""
    return Catalog(tuple(_table(tables.metadata.tables[name]) for name in (*REFERENCE, *OURS)), VIEWS)


def hidden(table: str, column: str) -> bool:
    return column in HIDDEN or column in HIDDEN_IN.get(table, {})


def table_schema(name: str) -> TableSchema | None:
    """One table as the reference describes tables; None for what is no table of the catalog."""
    if name not in (*REFERENCE, *OURS):
        return None
    stored = tables.metadata.tables[name]
    by_name = {column.name: column for column in stored.columns}
    columns = [_info(by_name[column.name], column) for column in _table(stored).columns]
    return TableSchema(table=name, columns=columns, comment=TABLES[name])


def _info(stored: "StoreColumn[Any]", column: Column) -> ColumnInfo:
    length = stored.type.length if isinstance(stored.type, String) and not isinstance(stored.type, Text) else None
    return ColumnInfo(
        name=column.name,
        type=f"varchar({length})" if length else SPELLED[column.kind],
        nullable=column.nullable,
        default="gen_random_uuid()" if stored.primary_key else None,
        comment=column.comment,
    )


def _table(table: StoreTable) -> Table:
    columns = tuple(_column(table.name, column) for column in table.columns if not hidden(table.name, column.name))
    return Table(table.name, columns, TABLES[table.name])


def _column(table: str, column: "StoreColumn[Any]") -> Column:
    comment = COLUMNS[table].get(column.name) or COLUMNS["*"][column.name]
    return Column(column.name, _kind(column.type), comment, nullable=bool(column.nullable))


def _kind(kind: Any) -> Kind:
    by_type: list[tuple[type[Any] | tuple[type[Any], ...], Kind]] = [
        (Id, "id"),
        (Moment, "moment"),
        (Seed, "seed"),
        (Boolean, "boolean"),
        ((Integer, BigInteger), "integer"),
        (Float, "number"),
        ((String, Text), "text"),
    ]
    return next((name for types, name in by_type if isinstance(kind, types)), "json")
