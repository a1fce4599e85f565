"""What is in each column of a result, in two statements for all of them: extremes and counts, then small histograms."""

import math
from typing import Any

from spoonkernel.types.database import QueryResult
from spoonwidgets._query_sql import View

COLUMNS = 60
"""So many columns are summarised; a table with more is rather looked at in parts."""
BINS = 12
FEW = 24
"""A column of names with so few different ones gets bars, the `SHOWN` most frequent."""
SHOWN = 8
WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NAMES = ("VARCHAR", "BOOLEAN", "ENUM")


def kind_of(type_: str) -> str:
    """`number`, `time`, `name` or `other`, after DuckDB's name of the type."""
    if type_.endswith("]"):
        return "other"
    base = type_.partition("(")[0]
    if base in (*WHOLE_NUMBERS, *(f"U{name}" for name in WHOLE_NUMBERS), "FLOAT", "DOUBLE", "DECIMAL"):
        return "number"
    if base.startswith("TIMESTAMP") or base == "DATE":
        return "time"
    return "name" if base in NAMES else "other"


def number_of(column: str, kind: str) -> str:
    """A column as a number that bins can be made of: times are seconds since 1970."""
    value = f"epoch({column})" if kind == "time" else f"CAST({column} AS DOUBLE)"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def first_statement(view: View, types: list[str]) -> str:
    """How many rows, and of each column how many values, how many different ones, and the extremes."""
    parts = ["count(*) AS n"]
    for place, type_ in enumerate(types[:COLUMNS]):
        name, kind = f"c{place}", kind_of(type_)
        parts.append(f"count({name}) AS n{place}")
        if kind != "other":
            parts.append(f"approx_count_distinct({name}) AS d{place}")
        if kind in ("number", "time"):
            value = number_of(name, kind)
            parts.append(f"min({value}) AS lo{place}, max({value}) AS hi{place}")
            parts.append(f"CAST(min({name}) AS VARCHAR) AS min{place}, CAST(max({name}) AS VARCHAR) AS max{place}")
    return f"SELECT {', '.join(parts)} FROM {view.named(len(types))}"  # noqa: S608 - the asker's own statement


def second_statement(view: View, types: list[str], facts: dict[str, Any]) -> str | None:
    """The histograms, once the extremes are known; None where no column has one."""
    parts = []
    for place, type_ in enumerate(types[:COLUMNS]):
        name, kind = f"c{place}", kind_of(type_)
        low, high = facts.get(f"lo{place}"), facts.get(f"hi{place}")
        if kind in ("number", "time") and low is not None and high is not None and low < high:
            bins, first, width = _bins(type_, low, high)
            which = f"least({bins - 1}, floor(({number_of(name, kind)} - {first!r}) / {width!r}))"
            parts.append(f"histogram(CAST({which} AS INTEGER)) AS h{place}")
        elif kind == "name" and 0 < (facts.get(f"d{place}") or 0) <= FEW:
            parts.append(f"histogram(left(CAST({name} AS VARCHAR), 80)) AS h{place}")
    if not parts:
        return None
    return f"SELECT {', '.join(parts)} FROM {view.named(len(types))}"  # noqa: S608 - as above


def _bins(type_: str, low: float, high: float) -> tuple[int, float, float]:
    """How many bins, where the first begins, how wide each is. Few whole numbers get one each."""
    if type_.removeprefix("U") in WHOLE_NUMBERS and high - low < BINS:
        return int(high - low) + 1, low - 0.5, 1.0
    return BINS, float(low), (high - low) / BINS


def summaries(types: list[str], first: QueryResult, second: QueryResult | None) -> dict[str, Any]:
    """For the page: `total` rows, and each column's facts by its place."""
    facts = first.rows[0] | (second.rows[0] if second else {})
    columns = [_summary(place, type_, facts) for place, type_ in enumerate(types[:COLUMNS])]
    return {"total": facts["n"], "columns": columns}


def _summary(place: int, type_: str, facts: dict[str, Any]) -> dict[str, Any]:
    kind = kind_of(type_)
    told: dict[str, Any] = {"kind": kind, "nulls": facts["n"] - facts[f"n{place}"]}
    if kind == "other":
        return told
    told["distinct"] = facts[f"d{place}"]
    if kind in ("number", "time"):
        told |= {"min": facts[f"min{place}"], "max": facts[f"max{place}"]}
    bars = facts.get(f"h{place}")
    if isinstance(bars, dict) and kind in ("number", "time"):
        bins, _, _ = _bins(type_, facts[f"lo{place}"], facts[f"hi{place}"])
        told["bars"] = [int(bars.get(str(bin_), 0)) for bin_ in range(bins)]
    elif isinstance(bars, dict):
        often = sorted(bars.items(), key=lambda one: (-int(one[1]), one[0]))
        told |= {"distinct": len(often), "often": [[name, int(count)] for name, count in often[:SHOWN]]}
    return told


def finite(value: Any) -> float | None:
    """A number of a result, where it is one that can be drawn."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
