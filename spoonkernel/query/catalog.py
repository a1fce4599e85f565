"""What the child copies: tables and their columns, in terms that both engines and DuckDB share. Pure data."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Kind = Literal["id", "text", "integer", "number", "boolean", "moment", "json", "seed"]

DUCKDB_TYPES: dict[Kind, str] = {
    "id": "UUID",
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "moment": "TIMESTAMP WITH TIME ZONE",
    "json": "JSON",
    "seed": "UBIGINT",
}

REPLACED_ROWS = 50_000
"""After so many the copy is tidied: DuckDB keeps rows that were deleted until a checkpoint (0.1 s at this size)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `comment` is for people; it becomes DuckDB's comment on the column."""

    name: str
    kind: Kind
    comment: str = ""
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the store with the columns that may be asked for; each has an `id` and a `rev` beside them."""

    name: str
    columns: tuple[Column, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A relation over the tables. `comments` by column."""

    name: str
    sql: str
    comment: str = ""
    comments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be asked for."""

    tables: tuple[Table, ...]
    views: tuple[View, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        tables = [
            Table(table["name"], tuple(Column(**column) for column in table["columns"]), table["comment"])
            for table in data["tables"]
        ]
        return cls(tuple(tables), tuple(View(**view) for view in data["views"]))


def quoted(name: str) -> str:
    """An identifier as SQL takes it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"
