"""Every column of the store is either there to be asked for, with words about it, or hidden for a reason."""

import pytest

from spoonkernel.services.catalog import (
    HIDDEN,
    HIDDEN_IN,
    HIDDEN_TABLES,
    OURS,
    REFERENCE,
    catalog,
    hidden,
    table_schema,
)
from spoonkernel.services.column_comments import COLUMNS, TABLES
from spoonkernel.store import tables

SHOWN = {table.name: {column.name: column for column in table.columns} for table in catalog().tables}


@pytest.mark.parametrize("name", tables.metadata.tables)
def test_a_table_of_the_store_is_shown_or_hidden_with_a_reason(name):
    assert (name in SHOWN) != (name in HIDDEN_TABLES), "add it to OURS, or to HIDDEN_TABLES with a reason"
    if name in HIDDEN_TABLES:
        assert HIDDEN_TABLES[name]
        assert table_schema(name) is None
        return
    assert TABLES[name]
    for column in tables.metadata.tables[name].columns:
        if column.name in SHOWN[name]:
            assert SHOWN[name][column.name].comment, column.name
        else:
            assert HIDDEN.get(column.name) or HIDDEN_IN[name][column.name]


def test_no_name_is_left_over():
    stored = {(table.name, column.name) for table in tables.metadata.tables.values() for column in table.columns}
    names = {column for _, column in stored}
    assert set(HIDDEN) <= names
    assert HIDDEN_TABLES.keys() <= tables.metadata.tables.keys()
    assert {(table, column) for table, columns in HIDDEN_IN.items() for column in columns} <= stored
    told = {(table, column) for table, columns in COLUMNS.items() if table != "*" for column in columns}
    assert told <= stored
    assert COLUMNS["*"].keys() <= names


def test_what_looks_like_a_key_or_belongs_to_the_engine_is_not_copied():
    for table, columns in SHOWN.items():
        for name in columns:
            assert not hidden(table, name)
            assert not any(word in name for word in ("api_key", "secret", "password", "hash", "rev"))


def test_the_reference_comes_first_and_ids_come_first_in_it():
    assert tuple(SHOWN) == (*REFERENCE, *OURS)
    for name in SHOWN:
        schema = table_schema(name)
        assert schema is not None
        assert schema.columns[0].model_dump(exclude={"comment"}) == {
            "name": "id",
            "type": "uuid",
            "nullable": False,
            "default": "gen_random_uuid()",
        }
        assert all(column.default is None for column in schema.columns[1:])
