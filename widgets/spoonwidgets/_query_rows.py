"""A result's rows as the page gets them: windows of short cells, a whole cell when one is opened, and text to copy."""

import itertools
import json
import math
from typing import Any

from spoonkernel.types.database import QueryResult

WINDOW = 200
"""Rows in one message."""
CUT = 160
"""Characters of a cell in the grid; a longer one ends with an ellipsis."""
EXACT = 2**53 - 1
"""The largest whole number that JavaScript holds exactly."""
CELL_CHARS = 400_000
COPIED_ROWS = 10_000


def window(result: QueryResult, start: int) -> list[list[Any]]:
    """`WINDOW` rows from `start`, cell by cell in the order of the fields."""
    rows = itertools.islice(result.rows, max(0, start), max(0, start) + WINDOW)
    return [[short(row.get(name)) for name in result.fields] for row in rows]


def short(value: Any) -> Any:
    """A value for a cell: null, true, a number that JavaScript keeps, else text of at most `CUT` characters."""
    match value:
        case None | bool():
            return value
        case int() if abs(value) <= EXACT:
            return value
        case float() if math.isfinite(value):
            return value
    text = whole(value)
    return text if len(text) <= CUT else text[:CUT] + "…"


def whole(value: Any, indent: int | None = None) -> str:
    """A value as text. What DuckDB gives as list, struct or JSON is JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | list() | dict():
            return json.dumps(value, ensure_ascii=False, indent=indent)
        case _:
            return str(value)


def cell(result: QueryResult, row: int, column: int) -> str:
    """Everything in one cell, JSON in lines; empty where there is none."""
    if not (0 <= row < len(result.rows) and 0 <= column < len(result.fields)):
        return ""
    return whole(result.rows[row].get(result.fields[column]), indent=2)[:CELL_CHARS]


def copied(result: QueryResult, rows: list[int], form: str) -> str:
    """Rows as text to paste: `tsv` for spreadsheets (tabs and line ends in cells become blanks), or `json`."""
    taken = [result.rows[place] for place in sorted({*rows})[:COPIED_ROWS] if 0 <= place < len(result.rows)]
    if form == "json":
        return json.dumps(taken, ensure_ascii=False, indent=2, default=str)
    lines = [result.fields, *([whole(row.get(name)) for name in result.fields] for row in taken)]
    return "\n".join("\t".join(" ".join(one.split()) for one in line) for line in lines)


def id_column(result: QueryResult) -> int | None:
    """The column of ids, where no picture told which: the one called `id`, else the first of its type."""
    places = [place for place, type_ in enumerate(result.types) if type_ == "UUID"]
    return next((place for place in places if result.fields[place] == "id"), places[0] if places else None)


def count_words(result: QueryResult) -> str:
    more = "more than " if result.truncated else ""
    return "1 row" if result.row_count == 1 and not more else f"{more}{result.row_count:,} rows"
