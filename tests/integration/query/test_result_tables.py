"""A notebook's way: `wb.database.query(...)`, its result as a table of pandas, polars or Arrow, embedded and remote."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

import spoonkernel
from serving import served
from spoonkernel.errors import QueryStopped
from spoonkernel.portal import PortalWorkbench
from spoonserver.app import create_app

SEEDS = "select 18446744073709551615::ubigint - range as seed, null::boolean as yes from range($n::integer)"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Iterator[PortalWorkbench]:
    with spoonkernel.open(data=tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(params=["embedded", "remote"])
def wb(request, embedded) -> Iterator[PortalWorkbench]:
    if request.param == "embedded":
        yield embedded
        return
    serving = served(create_app(nullcontext(embedded.inner)))  # on the embedded one's own loop
    url = embedded.start(serving.__aenter__()).result(20)
    try:
        with spoonkernel.open(url) as remote:
            yield remote
    finally:
        embedded.start(serving.__aexit__(None, None, None)).result(20)


def test_a_result_becomes_a_table_with_every_row(wb):
    found = wb.database.query(query=SEEDS, parameters={"n": 2_500}).result()
    assert (found.row_count, found.truncated) == (1_000, True)
    for table in (found.df(), found.pl()):
        assert len(table) == 2_500
        assert int(table["seed"].max()) == 2**64 - 1
    assert (str(found.df().dtypes["seed"]), str(found.df().dtypes["yes"])) == ("UInt64", "boolean")
    assert found.arrow().num_rows == 2_500


def test_one_table_serves_all_three(wb):
    found = wb.database.query("select random() as r").result()
    assert found.df()["r"][0] == found.pl()["r"][0] == found.arrow()["r"][0].as_py()


async def test_it_works_in_a_cell_that_awaits(wb):
    found = await wb.database.query("select 1 as a")
    assert found.df()["a"].tolist() == [1]
    assert (await wb.database.arrow("select 2 as a")).df()["a"].tolist() == [2]
    with pytest.raises(QueryStopped, match="more than 1,000,000 rows"):
        await wb.database.arrow("from range(1000001)")


def test_sums_are_numbers_where_they_fit(wb):
    large = "'100000000000000000000000000'::hugeint"
    found = wb.database.query(f"select sum(range) as small, sum(range) * {large} as large from range(3)").result()
    frame = found.df()
    assert (str(frame.dtypes["small"]), frame["small"][0], int(frame["large"][0])) == ("Int64", 3, 3 * 10**26)
    assert (found.pl()["small"][0], int(found.pl()["large"][0])) == (3, 3 * 10**26)
