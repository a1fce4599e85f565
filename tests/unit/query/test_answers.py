"""How values are spelled in JSON."""

import datetime
import decimal
import json
import uuid

import pytest

from spoonkernel.errors import BadRequest
from spoonkernel.query.answers import distinct, objects, plain
from spoonkernel.types.database import QueryResult
from spoonkernel.types.rows import RowsInArrow

UTC = datetime.UTC


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, str(2**53)),
        (-(2**53), str(-(2**53))),
        (True, True),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC), "2026-01-02T03:04:05.678Z"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05.000"),  # noqa: DTZ001 - a time without a zone
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(minutes=1.5), "90 s"),
        (b"\x00\xff", "00ff"),
        ([1, {"a": 2**64}], [1, {"a": str(2**64)}]),
        ({1: None}, {"1": None}),
    ],
)
def test_values(value, spelled):
    assert plain(value) == spelled
    json.dumps(plain(value), allow_nan=False)


def test_names_are_told_apart():
    assert distinct(["a", "a", "a_1", "a", "b"]) == ["a", "a_1", "a_1_1", "a_2", "b"]


def test_documents_are_documents_and_broken_text_is_text():
    [row], whole = objects(
        [
            ('{"a":18446744073709551615}', "{"),
        ],
        ["j", "k"],
        ["JSON", "JSON"],
        1_000,
    )
    assert (json.loads(row), whole) == ({"j": {"a": "18446744073709551615"}, "k": "{"}, True)


def test_rows_end_where_the_size_ends():
    rows, whole = objects([("x" * 100,)] * 10, ["t"], ["VARCHAR"], 350)
    assert (len(rows), whole) == (3, False)


def test_half_a_character_is_replaced():
    [row], _ = objects([('"\\ud800"',)], ["j"], ["JSON"], 100)
    assert json.loads(row) == {"j": "?"}


def test_a_result_has_numbers_in_python_and_digits_over_json():
    text = json.dumps({"rows": [{"s": "18446744073709551615", "t": "5"}], "rowCount": 1, "fields": ["s", "t"]})
    wire = json.loads(text) | {"types": ["UBIGINT", "VARCHAR"]}
    result = QueryResult.model_validate(wire)
    assert result.rows == [{"s": 2**64 - 1, "t": "5"}]
    assert json.loads(result.model_dump_json())["rows"] == [{"s": "18446744073709551615", "t": "5"}]


async def test_a_result_says_where_its_table_is_to_be_had():
    result = QueryResult(rows=[], row_count=0, fields=[])
    with pytest.raises(BadRequest, match=r"database\.arrow"):
        result.df()

    async def fetch() -> RowsInArrow:
        return RowsInArrow(content=b"")

    with pytest.raises(BadRequest, match="Not from here"):
        result.fetching(fetch).pl()


def test_a_missing_library_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(BadRequest, match="pip install polars"):
        RowsInArrow(content=b"").pl()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BadRequest, match="pip install pandas pyarrow"):
        RowsInArrow(content=b"").df()
