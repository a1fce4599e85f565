"""Rows as Arrow, and as the tables of the libraries that people use; those are loaded when they are asked for."""

import contextlib
import importlib
import io
from typing import Any

from spoonkernel.errors import BadRequest
from spoonkernel.types.base import Media

ARROW_TYPE = "application/vnd.apache.arrow.stream"


class RowsInArrow(Media):
    """All rows of an answer as an Arrow IPC stream (`content`).

    Seeds are unsigned 64-bit, times have their zone (UTC), booleans and nulls are themselves; ids and JSON are text,
    sums of whole numbers are decimals without places.
    """

    content_type: str = ARROW_TYPE
    filename: str = "rows.arrow"

    def arrow(self) -> Any:
        """A `pyarrow.Table`. Needs pyarrow."""
        return _library("pyarrow.ipc", "pyarrow").open_stream(self.content).read_all()

    def pl(self) -> Any:
        """A `polars.DataFrame`. Needs polars."""
        polars = _library("polars", "polars")
        table = polars.read_ipc_stream(io.BytesIO(self.content))
        sums = [name for name, kind in table.schema.items() if kind == polars.Decimal(38, 0)]
        for name in sums:
            for kind in (polars.Int64, polars.UInt64):
                with contextlib.suppress(polars.exceptions.PolarsError):  # beyond 64 bits it stays a decimal
                    table = table.with_columns(table[name].cast(kind, strict=True))
                    break
        return table

    def df(self) -> Any:
        """A `pandas.DataFrame`: whole numbers and booleans keep their type beside nulls. Needs pandas and pyarrow."""
        pandas, pyarrow = _library("pandas", "pandas pyarrow"), _library("pyarrow", "pandas pyarrow")
        table = _whole_sums(self.arrow(), pyarrow)
        kinds = {
            **{getattr(pyarrow, name.lower())(): getattr(pandas, f"{name}Dtype")() for name in _whole_types()},
            pyarrow.bool_(): pandas.BooleanDtype(),
        }
        return table.to_pandas(types_mapper=kinds.get)

    def __str__(self) -> str:
        return f"Rows in Arrow ({len(self.content):,} bytes): .df(), .pl() or .arrow()"


def _whole_types() -> list[str]:
    return [f"{sign}nt{bits}" for sign in ("I", "UI") for bits in (8, 16, 32, 64)]


def _whole_sums(table: Any, pyarrow: Any) -> Any:
    """DuckDB's sums are 128 bits wide; where they fit they are 64-bit numbers here."""
    for place, field in enumerate(table.schema):
        if field.type == pyarrow.decimal128(38, 0):
            for kind in (pyarrow.int64(), pyarrow.uint64()):
                with contextlib.suppress(pyarrow.ArrowInvalid):  # beyond 64 bits it stays a decimal
                    table = table.set_column(place, field.name, table.column(place).cast(kind))
                    break
    return table


def _library(module: str, packages: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BadRequest(f"This needs {packages.replace(' ', ' and ')}: pip install {packages}") from error
