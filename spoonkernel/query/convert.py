"""Rows as a file: CSV, JSON or Parquet, written by DuckDB in a process of its own that knows nothing but these rows.

`python -P -m spoonkernel.query.convert`: one frame on stdin (`format`, `types`; its body is the Arrow IPC stream), the
file on stdout. Nothing here runs anybody's SQL.
"""

import io
import re
import sys
from typing import BinaryIO

import duckdb
import nanoarrow

from spoonkernel.query.catalog import quoted
from spoonkernel.query.frames import Frame, read_frame
from spoonkernel.query.guard import settle

OPTIONS = {"csv": "format csv, header true", "json": "format json, array true", "parquet": "format parquet"}
FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that spreadsheets take for a formula (OWASP, "CSV Injection")."""
NUMBERS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        *("FLOAT", "DOUBLE", "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "UUID"),
    }
)
"""What a spreadsheet may read as it is, though it begins with a minus."""
LARGE = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "DECIMAL(38,0)"})
"""Whole numbers that JavaScript may round, as JSON numbers."""
SAFE_INTEGER = 9_007_199_254_740_991


def main(source: BinaryIO) -> None:
    settle()
    frame = read_frame(source)
    if frame is not None:
        write(frame, "/dev/stdout")


def write(frame: Frame, target: str) -> None:
    """Write the rows of `frame` to a file."""
    database = duckdb.connect()
    database.execute("set global TimeZone = 'UTC'")
    with nanoarrow.ArrayStream.from_readable(io.BytesIO(frame.body)) as stream:
        names = [field.name for field in stream.schema.fields]
        database.register("arrived", stream)
        spell = {"csv": _csv, "json": _json, "parquet": _parquet}[frame.head["format"]]
        guard = "'" if frame.head["format"] == "csv" else ""
        columns = ", ".join(
            f"{spell(quoted(name), kind)} as {quoted(guard + name if re.match(FORMULA, name) else name)}"
            for name, kind in zip(names, frame.head["types"], strict=True)
        )
        options = OPTIONS[frame.head["format"]]
        database.execute(f"copy (select {columns} from arrived) to '{target}' ({options})")  # noqa: S608 - names are quoted


def _csv(column: str, kind: str) -> str:
    if kind.startswith("TIMESTAMP WITH"):
        return _moment(column)
    if kind in NUMBERS or re.fullmatch(r"DECIMAL\(\d+,\d+\)", kind):
        return column
    text = f"cast({column} as varchar)"
    return f"case when regexp_matches({text}, '{FORMULA}') then '''' || {text} else {text} end"


def _json(column: str, kind: str) -> str:
    if kind == "JSON":
        return f"cast({column} as json)"
    if kind.startswith("TIMESTAMP WITH"):
        return _moment(column)
    if kind in LARGE:
        whole = f"cast({column} as hugeint)"
        text = f"to_json(cast({whole} as varchar))"
        return f"case when abs({whole}) > {SAFE_INTEGER} then {text} else to_json(cast({column} as bigint)) end"
    return column


def _parquet(column: str, kind: str) -> str:
    return f"cast({column} as {kind.lower()})" if kind in {"UUID", "JSON"} else column


def _moment(column: str) -> str:
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%gZ')"


if __name__ == "__main__":
    main(sys.stdin.buffer)
