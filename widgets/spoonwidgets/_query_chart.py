"""What a chart draws: grouped by SQL over all rows of the statement, not over those that the grid happens to have."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import JsonValue

from spoonkernel.errors import BadRequest
from spoonkernel.types.database import QueryResult
from spoonwidgets._query_rows import short
from spoonwidgets._query_sql import View
from spoonwidgets._query_summaries import finite, kind_of

Draw = Literal["bar", "line", "scatter"]
HOW = {
    "count": "count(*)",
    "mean": "avg({})",
    "sum": "sum({})",
    "min": "min({})",
    "max": "max({})",
    "median": "median({})",
}
MOST_POINTS = 2_000
MOST_BARS = 60
MOST_SERIES = 6
"""More lines than that nobody tells apart; the largest are shown."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Which columns, by their places; `how` puts the rows with the same x together."""

    draw: str
    x: int
    y: int | None
    how: str
    by: int | None

    @classmethod
    def wanted(cls, chart: dict[str, JsonValue], fields: list[str], types: list[str]) -> Self:
        """As the trait spells it, with names of columns. Raises `BadRequest` for a column that is not there."""
        draw, how = str(chart.get("draw") or "bar"), str(chart.get("how") or "mean")
        x, y, by = (_place(chart.get(name), fields) for name in ("x", "y", "by"))
        if draw not in ("bar", "line", "scatter") or how not in HOW:
            raise BadRequest(f"A chart is drawn as bar, line or scatter, of {', '.join(HOW)}")
        if x is None:
            raise BadRequest("Choose a column for x")
        if draw == "scatter" or how != "count":
            if y is None:
                raise BadRequest("Choose a column of numbers for y")
            if kind_of(types[y]) != "number":
                raise BadRequest(f"{fields[y]} is no column of numbers; count its rows instead")
        return cls(draw, x, y, how, by)

    def statement(self, view: View, types: list[str]) -> str:
        """The points as rows of x, y and s, which is the series or null."""
        x = self._x(types)
        series = f"CAST(c{self.by} AS VARCHAR)" if self.by is not None else "NULL"
        source = view.named(len(types))
        if self.draw == "scatter":
            points = f"SELECT {x} AS x, CAST(c{self.y} AS DOUBLE) AS y, {series} AS s FROM {source}"  # noqa: S608
            return f"SELECT * FROM ({points}) WHERE x IS NOT NULL AND y IS NOT NULL USING SAMPLE {MOST_POINTS} ROWS"  # noqa: S608
        value = HOW[self.how].format(f"CAST(c{self.y} AS DOUBLE)")
        grouped = f"SELECT {x} AS x, {value} AS y, {series} AS s FROM {source} GROUP BY ALL"  # noqa: S608
        order = "y DESC, x" if self.draw == "bar" and kind_of(types[self.x]) not in ("number", "time") else "x"
        return f"SELECT * FROM ({grouped}) WHERE x IS NOT NULL AND y IS NOT NULL ORDER BY {order} LIMIT {MOST_POINTS}"  # noqa: S608

    def _x(self, types: list[str]) -> str:
        match kind_of(types[self.x]):
            case "number":
                return f"CAST(c{self.x} AS DOUBLE)"
            case "time":
                return f"epoch_ms(CAST(c{self.x} AS TIMESTAMP))"
            case _:
                return f"CAST(c{self.x} AS VARCHAR)"

    def drawing(self, fields: list[str], types: list[str], answer: QueryResult) -> dict[str, Any]:
        """For the page: the points of each series, the largest series first, and what was left out."""
        kind = kind_of(types[self.x])
        lines: dict[str, list[list[Any]]] = {}
        for row in answer.rows:
            x: float | str | None = finite(row["x"]) if kind in ("number", "time") else short(row["x"])
            y = finite(row["y"])
            if x is not None and y is not None:
                lines.setdefault("" if row["s"] is None else str(short(row["s"])), []).append([x, y])
        often = sorted(lines.items(), key=lambda one: -len(one[1]))
        series = [{"name": name, "points": points} for name, points in often[:MOST_SERIES]]
        left_out = len(often) - len(series)
        if self.draw == "bar":
            places = list(dict.fromkeys(point[0] for one in series for point in one["points"]))
            kept = set(places[:MOST_BARS])
            for one in series:
                one["points"] = [point for point in one["points"] if point[0] in kept]
            left_out = max(left_out, len(places) - len(kept))
        name = fields[self.y] if self.y is not None else "rows"
        told = name if self.draw == "scatter" else "rows" if self.how == "count" else f"{self.how} of {name}"
        drawn = {"draw": self.draw, "kind": kind if kind in ("number", "time") else "name", "x": fields[self.x]}
        return drawn | {"y": told, "series": series, "left_out": left_out, "sampled": len(answer.rows) >= MOST_POINTS}


def _place(name: JsonValue, fields: list[str]) -> int | None:
    if name in (None, ""):
        return None
    if name not in fields:
        raise BadRequest(f"The result has no column {name!r}; there are {', '.join(fields)}")
    return fields.index(str(name))
