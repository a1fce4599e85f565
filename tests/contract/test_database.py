"""Questions in SQL, embedded and remote: one behaviour, one spelling."""

import json
from typing import Any

import pytest

from spoonkernel.errors import NotFound, QueryStopped, StoreUnavailable, ValidationFailed

KEY = "sk-canary-0123456789abcdef"
EXACT = """
select 18446744073709551615::ubigint as seed, '00000000-0000-7000-8000-000000000001'::uuid as id, true as yes,
  null::integer as nothing, timestamptz '2026-02-03 04:05:06.789+00' as at, '{"a": [1, null]}'::json as document,
  'ünï ✓' as text, 1.5::double as number, sum(1) as total from range(3)
"""


@pytest.fixture
async def profile(workbench):
    return await workbench.profiles.create(
        name="Scripted", type="text", provider="openai", api_key=KEY, url="https://example.invalid/v1"
    )


async def test_a_question_sees_what_was_just_committed(workbench, profile):
    found = await workbench.database.query("SELECT id, name FROM profiles LIMIT 10")
    assert (found.rows, found.row_count) == ([{"id": profile.id, "name": "Scripted"}], 1)
    assert (found.fields, found.types) == (["id", "name"], ["UUID", "VARCHAR"])
    await workbench.profiles.update(profile.id, name="Renamed")
    found = await workbench.database.query("select name from profiles where id = $id", parameters={"id": profile.id})
    assert found.rows == [{"name": "Renamed"}]
    await workbench.profiles.delete(profile.id)
    assert (await workbench.database.query("select * from profiles")).rows == []


async def test_values_are_exact_in_rows(workbench):
    [row] = (await workbench.database.query(EXACT)).rows
    assert row == {
        "seed": 2**64 - 1,
        "id": "00000000-0000-7000-8000-000000000001",
        "yes": True,
        "nothing": None,
        "at": "2026-02-03T04:05:06.789Z",
        "document": {"a": [1, None]},
        "text": "ünï ✓",
        "number": 1.5,
        "total": 3,
    }


async def test_arrow_keeps_types_and_has_every_row(workbench):
    rows = await workbench.database.arrow(EXACT)
    [row] = rows.pl().rows(named=True)
    assert (row["seed"], row["yes"], row["nothing"], row["total"]) == (2**64 - 1, True, None, 3)
    assert row["at"].isoformat() == "2026-02-03T04:05:06.789000+00:00"
    frame = rows.df()
    assert (str(frame.dtypes["seed"]), str(frame.dtypes["yes"]), str(frame.dtypes["total"])) == (
        *("UInt64", "boolean"),
        "Int64",
    )
    assert json.loads(frame["document"][0]) == {"a": [1, None]}
    assert rows.arrow().column("id")[0].as_py() == "00000000-0000-7000-8000-000000000001"
    assert (await workbench.database.arrow("from range(30000)")).pl().height == 30_000
    odd = await workbench.database.arrow("select 1 a, 2 a, interval 1 day i, 'x'::enum('x') e, '101'::bit b")
    assert odd.pl().rows(named=True) == [{"a": 1, "a_1": 2, "i": "1 day", "e": "x", "b": "101"}]


async def test_files_are_guarded_and_lose_nothing(workbench):
    sql = """select '=1+1' as "=name", -5 as n, 18446744073709551615::ubigint as s, ['=x'] as l, '@x' as w,
      '{"a":1}'::json as j, 'a,"b"' || chr(10) || 'c' as q"""
    media = await workbench.database.export(sql)
    assert (media.content_type, media.filename) == ("text/csv", "rows.csv")
    assert media.content.decode() == (
        '\'=name,n,s,l,w,j,q\n\'=1+1,-5,18446744073709551615,[\'=x\'],\'@x,"{""a"":1}","a,""b""\nc"\n'
    )
    media = await workbench.database.export(sql, format="json")
    assert media.content_type == "application/json"
    assert json.loads(media.content) == [
        {
            "=name": "=1+1",
            "n": -5,
            "s": "18446744073709551615",
            "l": ["=x"],
            "w": "@x",
            "j": {"a": 1},
            "q": 'a,"b"\nc',
        }
    ]
    media = await workbench.database.export("select range as n from range(1000)", format="parquet")
    assert media.content_type == "application/vnd.apache.parquet"
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(media.content)["n"].sum() == 499_500
    assert (await workbench.database.export("select 1 as a where false")).content == b"a\n"


async def test_rows_that_are_too_many_are_counted_or_refused_in_words(workbench):
    found = await workbench.database.query("from range(5000)", limit=10)
    assert (found.row_count, len(found.rows), found.truncated) == (10, 10, True)
    assert not (await workbench.database.query("from range(10)", limit=10)).truncated
    with pytest.raises(QueryStopped, match="more than 10 rows"):
        await workbench.database.arrow("from range(11)", limit=10)
    with pytest.raises(ValidationFailed, match="limit"):
        await workbench.database.query("select 1", limit=10_001)
    found = await workbench.database.query("select repeat('x', 1000000) as x from range(100)")
    assert found.truncated
    assert 10 < found.row_count < 20


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", "syntax error at or near"),
        ("select * from nowhere", "nowhere does not exist"),
        ("select api_key from profiles", "api_key"),
        ("drop table profiles", "Only SELECT and EXPLAIN may run here, and this is DROP"),
        ("select 1; select 2", "One statement at a time: these are 2"),
        ("-- nothing", "There is no statement"),
    ],
)
async def test_refusals_say_why(workbench, sql, said):
    with pytest.raises(ValidationFailed, match=said):
        await workbench.database.query(sql)


async def test_tables_and_their_columns(workbench, profile):
    names = await workbench.database.tables()
    assert names[:8] == [
        *("profiles", "profile_models", "provider_settings", "tasks", "results"),
        *("comfyui_workflows", "comfyui_sessions", "comfyui_generations"),
    ]
    assert {"runs", "parameters", "conversations"} < set(names)
    for name in names:
        schema = await workbench.database.schema(name)
        shown = await workbench.database.query(f"select * from {name}")
        assert [column.name for column in schema.columns] == shown.fields
        assert all(column.comment for column in schema.columns), name
        for column in schema.columns:
            await workbench.database.query(f"select cast(null as {column.type})")
    columns = {column.name: column for column in (await workbench.database.schema("profiles")).columns}
    assert (columns["id"].type, columns["id"].nullable, columns["id"].default) == ("uuid", False, "gen_random_uuid()")
    assert (columns["name"].type, columns["provider"].type) == ("varchar(255)", "varchar(50)")
    assert "api_key" not in columns
    with pytest.raises(NotFound, match="Table nowhere not found"):
        await workbench.database.schema("nowhere")


async def test_no_key_is_anywhere(workbench, profile):
    for name in await workbench.database.tables():
        found = await workbench.database.query(f"select * from {name}")
        assert KEY not in found.model_dump_json()


async def test_a_result_shows_itself_without_markup_of_its_own(workbench):
    found = await workbench.database.query("select '<script>x</script>' as \"<b>\", null as n from range(30)")
    shown = found._repr_html_()
    assert "<script>" not in shown
    assert "&lt;b&gt;" in shown
    assert "30 rows, the first 20 shown" in shown


async def test_a_finished_task_is_in_runs_with_its_parameters(workbench):
    options: dict[str, Any] = {"model": "m", "temperature": 0.25, "seed": 2**64 - 1}
    task = await workbench.tasks.create(name="n", type="text", provider="claude", prompt="why?", options=options)
    found = await workbench.database.query("select * from runs where id = $id", parameters={"id": task.id})
    [row] = found.rows
    assert (row["kind"], row["prompt"], row["model"], row["temperature"], row["seed"]) == (
        *("task", "why?", "m", 0.25),
        2**64 - 1,
    )
    found = await workbench.database.query(
        "select name, number from parameters where run_id = $id order by name", parameters={"id": task.id}
    )
    assert {"name": "temperature", "number": 0.25} in found.rows


async def test_a_closed_workbench_says_so(config):
    from spoonkernel.workbench import Workbench

    async with Workbench(config) as workbench:
        await workbench.database.query("select 1")
    with pytest.raises(StoreUnavailable, match="closed"):
        await workbench.database.query("select 1")
