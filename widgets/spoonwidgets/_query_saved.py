"""The query for a reader without a kernel: the statement with its first rows, or with what its chart shows."""

import html
from datetime import UTC, datetime
from typing import Any

from spoonkernel.types.database import QueryResult
from spoonwidgets._query_rows import count_words, whole
from spoonwidgets._snapshot import KEEP_LINES, QUIET, saved_note, table

ROWS, COLUMNS, CHARS = 20, 12, 80
PLACES = 40
"""So many of a chart's places along x are kept."""
BAR = 24
"""Characters of the longest bar."""


def saved(sql: str, result: QueryResult | None, drawing: dict[str, Any] | None = None) -> tuple[str, str]:
    """Everything escaped; and the same as text. `drawing` is what the chart shows, where it is shown."""
    statement = f"<pre {KEEP_LINES}>{html.escape(sql)}</pre>" if sql.strip() else ""
    if result is None:
        return saved_note("Run the cell to ask it.") + statement, sql
    if drawing and drawing.get("series") and drawing["draw"] != "scatter":
        header, rows, told = _chart(drawing)
    else:
        header, rows, told = _rows(result)
    text = "\n".join([sql, "", " | ".join(header), *(" | ".join(row) for row in rows), told])
    note = saved_note("Run the cell to ask it again.")
    return f"{note}{statement}{table(header, rows)}<p {QUIET}>{html.escape(told)}</p>", text


def _rows(result: QueryResult) -> tuple[list[str], list[list[str]], str]:
    fields = result.fields[:COLUMNS]
    rows = [[_cell(row.get(name)) for name in fields] for row in result.rows[:ROWS]]
    told = count_words(result)
    if len(result.rows) > ROWS:
        told += f", the first {ROWS} kept"
    if len(result.fields) > COLUMNS:
        told += f", {len(result.fields) - COLUMNS} more columns"
    return fields, rows, told


def _chart(drawing: dict[str, Any]) -> tuple[list[str], list[list[str]], str]:
    """A row for each place along x, a column for each series; with one series its bars, too."""
    series = drawing["series"]
    heights = [dict(one["points"]) for one in series]
    places = list(dict.fromkeys(x for one in heights for x in one))
    if drawing["kind"] != "name":
        places.sort()
    lines = [
        [_place(x, drawing["kind"]), *("" if x not in one else f"{one[x]:,.4g}" for one in heights)]
        for x in places[:PLACES]
    ]
    header = [str(drawing["x"]), *(one["name"] or str(drawing["y"]) for one in series)]
    tallest = max(heights[0].values())
    if len(series) == 1 and min(heights[0].values()) >= 0 and tallest > 0:
        header.append("")
        for x, line in zip(places, lines, strict=False):
            line.append("█" * round(BAR * heights[0][x] / tallest))
    told = f"{drawing['y']} by {drawing['x']}"
    return header, lines, told if len(places) <= PLACES else f"{told}, the first {PLACES} of {len(places)} kept"


def _place(x: float | str, kind: str) -> str:
    if kind == "time":
        return datetime.fromtimestamp(float(x) / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{x:g}" if kind == "number" else _cell(x)


def _cell(value: Any) -> str:
    text = " ".join(whole(value).split())
    return text if len(text) <= CHARS else text[: CHARS - 1] + "…"
