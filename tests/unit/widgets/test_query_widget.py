"""The query pane's Python half, on a real embedded workbench: without a page, and with one that the test plays."""

import csv
import io
import threading

import pytest

import spoonkernel
from browser.shelf import TITLE, fill
from spoonkernel.errors import BadRequest, QueryStopped, ValidationFailed
from spoonwidgets import Gallery, Query
from spoonwidgets._query_rows import CUT, copied, short
from spoonwidgets._query_sql import View, parameter_names, place_of, text_of, trimmed, value_of
from spoonwidgets._query_summaries import kind_of

COUNT = 9
DEADLINE_S = 20
SLOW = "SELECT count(*) AS n FROM range(300000) AS a(x), range(300000) AS b(y) WHERE (a.x * b.y) % 7 = 3"


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    data = tmp_path_factory.mktemp("query") / "data"
    fill(data, COUNT, side_px=64)
    with spoonkernel.open(data=data) as opened:
        yield opened


@pytest.fixture
def query(workbench):
    made = Query(workbench)
    yield made
    made.close()


def told(view, part, condition=lambda value: True):
    """The newest event about this part that holds, waiting for it."""

    def fitting():
        return [
            event["data"][part] for event in view.events if part in event["data"] and condition(event["data"][part])
        ]

    view.until(fitting)
    return fitting()[-1]


def run(view, sql, **values):
    view.call("run", sql=sql, values=values)
    return told(
        view,
        "run",
        lambda now: now["state"] in ("done", "failed") and sql in (now.get("sql"), (now["error"] or {}).get("sql")),
    )


# -- the text of statements --------------------------------------------------------------------------------------------


def test_semicolons_and_comments_at_the_end_are_cut_off_but_not_those_in_texts():
    assert trimmed("select 1 ; -- done; really") == "select 1"
    assert trimmed("select ';' ") == "select ';'"
    assert trimmed("select '--' /* a ; */ ;;\n") == "select '--'"
    assert trimmed("select $$ ; $$") == "select $$ ; $$"


def test_parameters_are_found_outside_of_texts_and_comments():
    assert parameter_names("select $a, '$b', \"$c\", $a, $d -- $e\n/* $f */") == ["a", "d"]


@pytest.mark.parametrize("value", [3, -2.5, True, None, "text", "7", "it's", "true", [1, "b"], 2**64 - 1])
def test_what_a_box_shows_is_read_as_the_same_value(value):
    assert value_of(text_of(value)) == value
    assert type(value_of(text_of(value))) is type(value)


def test_place_of_an_error_is_found_also_in_a_long_line():
    message = 'Binder Error: Referenced column "foo" not found!\n\nLINE 2:  foo from runs\n         ^^^'
    words, place = place_of(message, "select\n foo from runs")
    assert (words, place.line, place.column, place.length) == (
        'Binder Error: Referenced column "foo" not found!',
        2,
        2,
        3,
    )
    line = "select " + "a, " * 60 + "foo, " + "a, " * 60
    excerpt = "..." + line[150:220] + "..."
    at = len("LINE 1: ") + excerpt.index("foo")
    _, place = place_of(f"Oh\n\nLINE 1: {excerpt}\n{' ' * at}^^^", line)
    assert line[place.column - 1 :][: place.length] == "foo"
    assert place_of("No place", "select 1") == ("No place", None)


def test_kinds_of_types():
    kinds = {"UBIGINT": "number", "DECIMAL(10,2)": "number", "TIMESTAMP WITH TIME ZONE": "time", "VARCHAR": "name"}
    assert {name: kind_of(name) for name in kinds} == kinds
    assert {kind_of(name) for name in ("INTEGER[]", "STRUCT(a INTEGER)", "JSON", "UUID", "BLOB", "INTERVAL")} == {
        "other"
    }


def test_cells_are_exact_and_short():
    assert [short(one) for one in (None, True, 3, 2**53 - 1, 1.5)] == [None, True, 3, 2**53 - 1, 1.5]
    assert short(2**64 - 1) == "18446744073709551615"
    assert short("x" * 500) == "x" * CUT + "…"
    assert short({"a": [1]}) == '{"a": [1]}'


# -- from code ---------------------------------------------------------------------------------------------------------


def test_run_gives_the_result_and_keeps_it(query):
    heard = threading.Event()
    query.on_result(lambda result: heard.set() if result.rows == [{"n": COUNT}] else None)
    result = query.run("SELECT count(*) AS n FROM runs WHERE steps >= $least", least=3).result(DEADLINE_S)
    assert result.rows == [{"n": COUNT}]
    assert query.result is result
    assert heard.wait(DEADLINE_S)
    assert query.values == {"least": "3"}
    assert query.history == ["SELECT count(*) AS n FROM runs WHERE steps >= $least"]
    query.values = {"least": "26"}
    assert query.run().result(DEADLINE_S).rows == [{"n": 0}]


def test_tables_of_other_libraries_have_exact_seeds(query):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    query.sql = "SELECT seed FROM runs ORDER BY seed"
    assert list(query.df()["seed"]) == [4100 + number for number in range(COUNT)]
    assert query.arrow().num_rows == COUNT


def test_nothing_asked_is_said(query):
    with pytest.raises(BadRequest, match="Nothing was asked yet"):
        query.df()
    assert query.selected == []
    assert query.result is None


def test_stop_ends_the_statement_and_keeps_the_result_before(query):
    kept = query.run("SELECT 1 AS one").result(DEADLINE_S)
    started = query.run(SLOW)
    query.stop()
    with pytest.raises(QueryStopped):
        started.result(DEADLINE_S)
    assert query.result is kept
    assert query.run("SELECT 2 AS two").result(DEADLINE_S).rows == [{"two": 2}]


def test_newer_statement_takes_the_place_of_one_that_runs(query):
    slow, quick = query.run(SLOW), query.run("SELECT 2 AS two")
    assert quick.result(DEADLINE_S).rows == [{"two": 2}]
    with pytest.raises(QueryStopped):
        slow.result(DEADLINE_S)


def test_refused_statement_is_raised(query):
    with pytest.raises(ValidationFailed, match='Did you mean "runs"'):
        query.run("select * from run").result(DEADLINE_S)


# -- with galleries ----------------------------------------------------------------------------------------------------


def test_gallery_shows_what_sql_chooses_and_all_again(workbench, page):
    gallery = Gallery(workbench, session=TITLE)
    view = page(gallery)
    view.call("hello")
    assert len(view.call("sync")["state"]["rows"]) == COUNT
    assert gallery.show(sql="SELECT id FROM runs WHERE seed < $most;", most=4103).result(DEADLINE_S) == 3
    view.until(lambda: any(event["data"].get("renewed") for event in view.events))
    rows = [event["data"] for event in view.events if event["data"].get("renewed")][-1]
    assert sorted(row["seed"] for row in rows["rows"]) == ["4100", "4101", "4102"]
    assert rows["only"] == 3
    oldest = rows["rows"][-1]
    assert view.call("rows", created=oldest["created"], id=oldest["id"]) == {"rows": [], "more": False}
    chosen = workbench.generations.list(limit=4).result(DEADLINE_S)[3]
    assert gallery.show([chosen]).result(DEADLINE_S) == 1
    view.call("show_all")
    assert view.call("sync")["state"]["only"] is None
    assert len(view.call("sync")["state"]["rows"]) == COUNT
    with pytest.raises(ValidationFailed, match="id"):
        gallery.show(sql="SELECT seed FROM runs").result(DEADLINE_S)


def test_gallery_follows_the_query_and_the_query_asks_about_the_gallerys_selection(workbench, query, page):
    gallery = Gallery(workbench, session=TITLE)
    query.run("SELECT seed, id AS image FROM runs WHERE seed >= 4105").result(DEADLINE_S)
    assert query.show_in(gallery).result(DEADLINE_S) == 4
    view = page(query)
    view.call("hello")
    now = run(view, "SELECT id FROM runs WHERE seed = 4100")
    assert now["count"] == 1
    assert told(view, "run", lambda now: (now["gallery"] or {}).get("shown") == 1)
    query.show_in(None).result(DEADLINE_S)
    gallery.select(workbench.generations.list(limit=2).result(DEADLINE_S))
    about = query.about(gallery).result(DEADLINE_S)
    assert [row["seed"] for row in about.rows] == [4100, 4101]


# -- with a page -------------------------------------------------------------------------------------------------------


def test_page_gets_windows_of_rows_cells_and_selections(query, page):
    view = page(query)
    view.call("hello")
    now = run(view, "SELECT i, repeat('x', 500) AS long, {'a': i} AS j FROM range(1000) AS _(i)")
    assert (now["count"], now["fields"], now["truncated"]) == (1000, ["i", "long", "j"], False)
    number = now["number"]
    rows = view.call("rows", number=number, start=400)
    assert [row[0] for row in rows] == list(range(400, 600))
    assert rows[0][1] == "x" * CUT + "…"
    assert view.call("cell", number=number, row=3, column=1) == "x" * 500
    assert view.call("cell", number=number, row=3, column=2) == '{\n  "a": 3\n}'
    assert view.call("cell", number=number, row=3000, column=2) == ""
    view.call("select", number=number, rows=[7, 2, 99999])
    assert [row["i"] for row in query.selected] == [7, 2]
    assert view.call("copy", number=number, rows=[2, 7]).splitlines()[1].startswith("2\txxx")
    assert view.call("rows", number=number - 1, start=0) == []


def test_order_and_filter_are_asked_of_the_database(query, page):
    view = page(query)
    view.call("hello")
    run(view, 'SELECT i, i % 3 AS "odd ""name", i AS i FROM range(20000) AS _(i) -- all; of them')
    view.call("view", sort=[[1, True], [0, True]], where="i < 15000 -- not the last")
    now = told(view, "run", lambda now: now["state"] == "done" and now.get("where"))
    assert [row[0] for row in view.call("rows", number=now["number"], start=0)[:3]] == [14999, 14996, 14993]
    assert now["truncated"]
    assert told(view, "summary", lambda told: told and told["number"] == now["number"])["total"] == 15000
    view.call("view", sort=[], where="nothing = 1")
    wrong = told(view, "run", lambda now: now["state"] == "failed")
    assert wrong["error"]["at"] == "filter"
    assert "nothing" in wrong["error"]["message"]
    assert wrong["number"] == now["number"]  # the rows stay


def test_error_has_its_place(query, page):
    view = page(query)
    view.call("hello")
    wrong = run(view, "select *\nfrom run")
    error = wrong["error"]
    assert (error["at"], error["line"], error["column"], error["length"]) == ("editor", 2, 6, 3)
    assert error["message"].endswith('Did you mean "runs"?')


def test_columns_are_summarised(query, page):
    view = page(query)
    view.call("hello")
    sql = (
        "SELECT i, (i % 5 + 1)::INT AS rating, 'v' || (i % 2) AS name, NULL::INT AS nothing, [i] AS list, "
        "TIMESTAMPTZ '2026-01-01' + INTERVAL (i) HOUR AS at, 'nan'::DOUBLE AS odd, i > 3 AS flag "
        "FROM range(100) AS _(i)"
    )
    run(view, sql)
    i, rating, name, nothing, list_, at, odd, flag = told(
        view, "summary", lambda told: told and "bars" in told["columns"][0]
    )["columns"]
    assert (i["min"], i["max"], sum(i["bars"]), i["nulls"]) == ("0", "99", 100, 0)
    assert rating["bars"] == [20] * 5
    assert name["often"] == [["v0", 50], ["v1", 50]]
    assert nothing["nulls"] == 100
    assert "bars" not in nothing
    assert list_ == {"kind": "other", "nulls": 0}
    assert at["min"].startswith("2026-01-01")
    assert sum(at["bars"]) == 100
    assert "bars" not in odd
    assert dict(flag["often"]) == {"true": 96, "false": 4}


def test_thumbnails_are_found_in_columns_of_generation_ids(query, page):
    view = page(query)
    view.call("hello")
    run(view, "SELECT profile_id, id AS image, id::varchar AS text FROM runs ORDER BY seed")
    now = told(view, "run", lambda now: now["pictures"])
    assert now["pictures"] == [1, 2]
    rows = view.call("rows", number=now["number"], start=0)
    data, buffers = view.ask("faces", {"ids": [rows[0][1], rows[0][0], "nonsense"]})
    while data[0].get("later"):
        data, buffers = view.ask("faces", {"ids": [rows[0][1], rows[0][0], "nonsense"]})
    assert data == [{"thumb": 0}, {}, {}]
    assert buffers[0][:4] == b"RIFF"


def test_chart_is_grouped_by_the_database(query, page):
    view = page(query)
    view.call("hello")
    run(view, "SELECT i % 4 AS x, i AS y, 'a' || (i % 2) AS kind FROM range(40000) AS _(i)")
    view.call("chart", chart={"draw": "line", "x": "x", "y": "y", "how": "mean", "by": "kind"})
    drawn = told(view, "chart", bool)
    assert {one["name"]: one["points"] for one in drawn["series"]} == {
        "a0": [[0.0, 19998.0], [2.0, 20000.0]],
        "a1": [[1.0, 19999.0], [3.0, 20001.0]],
    }
    view.call("chart", chart={"draw": "bar", "x": "kind", "how": "count"})
    bars = told(view, "chart", lambda drawn: drawn and drawn.get("draw") == "bar")
    assert sorted(bars["series"][0]["points"]) == [["a0", 20000.0], ["a1", 20000.0]]
    view.call("chart", chart={"draw": "scatter", "x": "x", "y": "kind"})
    assert "no column of numbers" in told(view, "chart", lambda drawn: drawn and drawn["error"])["error"]


def test_export_has_all_rows_with_the_filter(query, page):
    view = page(query)
    view.call("hello")
    run(view, "SELECT i FROM range(30000) AS _(i)")
    view.call("view", sort=[[0, True]], where="i >= 10000")
    told(view, "run", lambda now: now["state"] == "done" and now.get("where"))
    view.call("export", format="csv")
    facts = told(view, "file", lambda file: file.get("name"))
    data, [content] = view.ask("piece", {"offset": 0})
    assert data["size"] == facts["size"] == len(content)
    rows = list(csv.reader(io.StringIO(content.decode())))
    assert (len(rows), rows[1]) == (20001, ["29999"])
    assert "no longer kept" in view.refused("piece", offset=0)


def test_schema_has_tables_columns_and_counts(query, page):
    view = page(query)
    view.call("hello")
    tables = {table["name"]: table for table in told(view, "schema", lambda schema: schema["tables"])["tables"]}
    assert next(iter(tables)) == "runs"
    assert tables["runs"]["rows"] == COUNT
    assert {"name": "seed", "type": "ubigint", "comment": "0 to 2^64-1, the one that ran"} in tables["runs"]["columns"]
    assert tables["parameters"]["rows"] is None


def test_snapshot_has_the_first_rows_escaped(query):
    query.run("SELECT '<img src=x onerror=alert(1)>' AS \"<b>\", i FROM range(50) AS _(i)").result(DEADLINE_S)
    html, text = query.saved()
    assert "<img" not in html
    assert "<b>" not in html
    assert html.count("<tr>") == 21
    assert "50 rows, the first 20 kept" in html
    assert "range(50)" in text


def test_plot_draws_what_the_saved_copy_keeps(query):
    query.sql = "SELECT i % 3 AS cfg, i AS rating FROM range(9) AS _(i)"
    query.plot(x="cfg", y="rating", draw="line")
    assert (query.shown, query.result.row_count) == ("chart", 9)
    html, text = query.saved()
    assert "mean of rating by cfg" in text
    assert [line.split(" | ")[:2] for line in text.splitlines()[3:6]] == [["0", "3"], ["1", "4"], ["2", "5"]]
    assert html.count("█") == 14 + 19 + 24
    query.plot(x="cfg", y="rating", by="cfg")
    assert "cfg | 0 | 1 | 2" in query.saved()[1]
    with pytest.raises(BadRequest, match="no column 'nothing'"):
        query.plot(x="nothing")
    query.shown = "table"
    assert "9 rows" in query.saved()[1]


def test_statement_that_cannot_be_wrapped_still_runs(query, page):
    view = page(query)
    view.call("hello")
    now = run(view, "EXPLAIN SELECT 1")
    assert now["fields"] == ["explain_key", "explain_value"]
    view.call("view", sort=[[0, True]], where="")
    assert told(view, "run", lambda now: now["state"] == "failed")["error"]["at"] == "filter"


def test_copied_rows_have_no_tabs_or_lines_of_their_own(query):
    result = query.run("SELECT 'a\tb\nc' AS x, 2 AS y").result(DEADLINE_S)
    assert copied(result, [0], "tsv") == "x\ty\na b c\t2"
    assert View("select 1", sort=((0, True),)).statement.endswith("ORDER BY 1 DESC NULLS LAST")
