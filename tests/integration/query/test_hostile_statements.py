"""What strangers may try in SQL, one table: each statement is refused, stopped, or harmless, and the next one works.

`security.md` 22 and 23, and what each function and setting of DuckDB 2.0 that touches more than rows does here.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from spoonkernel.errors import QueryStopped, ValidationFailed
from spoonkernel.query.child import Limits, QueryChild
from spoonkernel.services.catalog import catalog
from spoonkernel.store import tables
from spoonkernel.store.engine import Database
from spoonkernel.types.base import utc_now

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "sk-canary-0123456789abcdef"
MEMORY_MB = 384
DEEP = 60_000

REFUSED = {
    "files": """
        select * from read_csv('/etc/passwd')
        select * from read_csv_auto('/etc/passwd')
        select * from '/etc/passwd'
        select * from "/etc/passwd"
        select * from 'file:///etc/passwd'
        select * from read_text('/etc/passwd')
        select * from read_text('/proc/self/environ')
        select * from read_blob('/proc/self/mem')
        select * from read_blob('/proc/self/fd/3')
        select * from read_text(['/etc/hostname', '/etc/passwd'])
        select * from read_json('/etc/passwd')
        select * from read_json_auto('/tmp/x.json')
        select * from read_ndjson('/tmp/x.json')
        select * from read_json_objects('/etc/passwd')
        select * from read_parquet('/tmp/x.parquet')
        select * from parquet_metadata('/tmp/x.parquet')
        select * from parquet_file_metadata('/tmp/x.parquet')
        select * from parquet_schema('/tmp/*.parquet')
        select * from sniff_csv('/etc/passwd')
        select * from glob('/*')
        select * from glob('/root/**')
        select * from read_duckdb('/tmp/x.duckdb')
        select * from '~/.ssh/id_rsa'
        select * from 'spoon.db'
        explain select * from read_text('/etc/passwd')
        explain analyze select * from read_text('/etc/passwd')
        select (select content from read_text('/etc/passwd'))
        select * from query('select * from read_text(''/etc/passwd'')')
        select * from query_table('/etc/passwd')
        select * from json_execute_serialized_sql(json_serialize_sql('select * from glob(''/*'')'))
        with x as (from read_text('/etc/passwd')) select * from x
        select * from (values ('/etc/passwd')) t(f), lateral (select * from read_text(f))
    """,
    "network": """
        select * from 'http://169.254.169.254/latest/meta-data'
        select * from read_csv('https://example.com/x.csv')
        select * from read_parquet('s3://bucket/x.parquet')
        select * from read_text('http://127.0.0.1:3001/api/settings')
        select * from postgres_scan('host=127.0.0.1', 'public', 'tasks')
        select * from sqlite_scan('spoon.db', 'profiles')
        select * from mysql_query('db', 'select 1')
        select * from iceberg_scan('s3://x')
    """,
    "writes": """
        insert into profiles (name) values ('x')
        update profiles set name = 'x'
        delete from profiles
        truncate profiles
        merge into profiles using tasks on false when not matched then insert values (1)
        with x as (insert into profiles (name) values ('x') returning *) select * from x
        with x as (delete from profiles returning *) select * from x
        explain analyze insert into profiles (name) values ('x')
        explain analyze delete from profiles
        explain analyze create table x (a int)
        create table x (a int)
        create temp table x as select 1
        create or replace view runs as select 1
        create macro f(a) as a
        create schema s
        create type t as enum ('a')
        create sequence s
        create index i on profiles (name)
        create secret s (type s3)
        create persistent secret s (type s3)
        create trigger t after insert on profiles for each row select 1
        alter table profiles add column x int
        alter table profiles rename to p
        drop table profiles
        drop view runs
        comment on table profiles is 'x'
        select nextval('s')
        select * into x from profiles
    """,
    "way out": """
        copy profiles to '/tmp/x.csv'
        copy profiles to '/dev/stdout'
        copy (select 1) to 'x.parquet'
        copy profiles from '/etc/passwd'
        copy from database memory to x
        attach '/tmp/x.duckdb' as x
        attach ':memory:' as x
        attach 'spoon.db' (type sqlite)
        attach 'postgresql://127.0.0.1/spoon' as pg (type postgres)
        detach memory
        use memory
        export database '/tmp/x'
        import database '/tmp/x'
        install httpfs
        install 'x' from 'http://example.com'
        force install sqlite
        load sqlite
        load '/tmp/evil.duckdb_extension'
        update extensions
    """,
    "settings": """
        set enable_external_access = true
        set global enable_external_access = true
        set lock_configuration = false
        reset lock_configuration
        set memory_limit = '100GB'
        set threads = 64
        set disabled_filesystems = ''
        set python_enable_replacements = true
        set allowed_paths = ['/']
        set temp_directory = '/tmp'
        set variable x = 1
        set schema 'information_schema'
        set search_path = 'x'
        pragma memory_limit = '100GB'
        pragma enable_profiling = 'json'
        pragma database_list
        pragma add_parquet_key('k', '0123456789112345')
        call pragma_version()
        call enable_logging()
        call force_checkpoint()
        select * from enable_logging()
        select * from enable_logging(storage = 'file', storage_path = '/tmp/x')
        select * from disable_logging()
        select * from enable_profiling(format = 'json', save_location = '/tmp/x')
        select * from disable_profiling()
        select * from force_checkpoint()
        checkpoint
        vacuum
        analyze
        begin
        commit
        rollback
        begin; drop table profiles; commit
    """,
    "inside": """
        select getenv('HOME')
        select * from os
        select * from worker
        select * from duckdb
        select * from arrived
        select * from fresh
        select api_key from profiles
        select p.api_key from profiles p
        select profiles.api_key from profiles
        select api_key from provider_settings
        select * from tombstones
        select * from revision
        select * from alembic_version
        select * from duckdb_extensions()
        select * from arrow_scan(1, 2, 3)
        select * from arrow_scan(null, null, null)
        select * from pandas_scan(1)
        select * from python_arrow_scan(1)
        select * from python_map_function((select 1))
        select 1::pointer
        select * from create_external_resource('a', 'b')
        select * from register_external_resource('a', 'b', map {'a': 'b'}, 'c', 'd', 'e')
        prepare p as select 1
        execute p
        deallocate p
    """,
    "several": """
        select 1; select 2
        select 1; drop table profiles
        select 1 /* ; */; /* */ drop table profiles --
        select 1;;; select 2
        select ';'; select 1
        -- nothing
        /* nothing */
        ;
        (
        select
        \\x00
    """,
}

STOPPED = """
    select count(*) from range(1000000000000) t(a) where a % 7 = 3
    select count(*) from tasks a, range(100000000) b, range(100000000) c
    select sum(a.range * b.range) from range(10000000) a, range(10000000) b
    with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t
    with recursive t(n) as (select 1 union select n + 1 from t) select max(n) from t
    with recursive t(n, s) as (select 1, 'x' union all select n + 1, s || s from t) select max(length(s)) from t
    select repeat('x', 4000000000)
    select length(repeat('x', 400000000) || repeat('y', 400000000))
    select list(range) from range(3000000000)
    select list(r) from (select repeat('x', 1000) r from range(3000000000))
    select string_agg(range::varchar, ',') from range(3000000000)
    select len(range(3000000000))
    select range(300000000)
    select map_from_entries(list((range, range))) from range(1000000000)
    select histogram(range) from range(1000000000)
    select count(distinct range) from range(1000000000)
    select array_agg(a.range order by b.range) from range(100000) a, range(100000) b
    select count(*) from (select * from range(1000000000) order by random())
    select median(a.range * b.range) from range(100000) a, range(100000) b
    select sleep_ms(60000)
    select sum(length(regexp_replace(repeat('ab', 100000) || range, '(a|b)*?c', 'x', 'g'))) from range(1000000)
    select sum(levenshtein(repeat('a', 30000), repeat('b', 30000) || range)) from range(1000)
    select sum(list_sum(list_transform(range(10000), lambda x: x + t.range))) from range(1000000000) t
    select count(*) from generate_series(timestamp '1900-01-01', timestamp '2900-01-01', interval 1 microsecond)
    select sum(u) from (select unnest(range(4000000000)) u)
    select sum(hash(a)) from (select unnest(generate_series(1, 1000000000)) a)
    select * from (select repeat('x', 1000000) from range(100000))
    select json_group_array(range) from range(1000000000)
    explain analyze select count(*) from range(1000000000000) t(a) where a % 7 = 3
"""

HARMLESS = """
    select 1
    select 1;
    select 1 -- drop table profiles
    select ';drop table profiles;'
    select 'a' as "drop table", $$ ; $$ as b
    from profiles
    values (1), (2)
    table profiles
    describe profiles
    show tables
    summarize profiles
    pivot (select 1 a, 'x' b) on b using sum(a)
    unpivot (select 1 a, 2 b) on a, b
    explain select * from runs
    select * from range(1000000000000)
    select * from profiles, lateral (select profiles.name)
    select * from query('select 1')
    select * from query_table('profiles')
    select * from duckdb_secrets()
    select * from duckdb_settings()
    select * from duckdb_databases()
    select * from sqlite_schema
    select * from duckdb_logs()
    select * from duckdb_variables()
    select * from duckdb_temporary_files()
    select * from duckdb_external_file_cache()
    select * from truncate_duckdb_logs()
    select * from pragma_database_size()
    select * from pragma_storage_info('profiles')
    select * from information_schema.columns
    select * from pg_catalog.pg_tables
    select * from which_secret('s3://x', 's3')
    select * from checkpoint()
    select * from test_all_types()
    select * from columns_of_nothing() t(a) where false or true limit 0
    select write_log('x')
    select setseed(0.5)
    select getvariable('x')
    select current_setting('memory_limit'), current_setting('secret_directory')
    select current_user, current_database(), version()
    select columns(*) from profiles
    select * from profiles where name like '%' || chr(0) || '%'
    select '\\ud800'
    select 'x' as a, 'y' as a, 'z' as a
    select 'NaN'::double, 'inf'::double, -0.0
    select date '290000-01-01', timestamp 'infinity', timestamp '-infinity'
    select interval 1 month, '101'::bit, uuid(), 340282366920938463463374607431768211455::uhugeint
    select union_value(a := 1), row(1, 2), map {'a': [1, 2]}, 'x'::enum('x')
    select json('{"a": {"b": [1, 2, null]}}'), '"\\u00fc"'::json
    select 1 as "x'y""z", 2 as ""
"""
MAY_BE_REFUSED = ("columns_of_nothing", 'as ""')


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


CASES = [
    *((sql, ValidationFailed) for statements in REFUSED.values() for sql in lines(statements)),
    *((sql, QueryStopped) for sql in lines(STOPPED)),
    *((sql, None) for sql in lines(HARMLESS)),
    (f"select {'(' * DEEP}1{')' * DEEP}", (ValidationFailed, QueryStopped)),
    (f"select {'not ' * 20_000}true", (ValidationFailed, QueryStopped)),
    (f"select 1 {'+ 1' * 20_000}", (ValidationFailed, QueryStopped)),
    (f"select {'[' * 5_000}1{']' * 5_000}", (ValidationFailed, QueryStopped)),
    (f"select '{'[' * 40_000}{']' * 40_000}'::json", (ValidationFailed, QueryStopped)),
    (f"select * from ({'select * from (' * 3_000}select 1{')' * 3_000})", (ValidationFailed, QueryStopped)),
    (f"select '{'x' * 99_000}'", None),
    (f"select {','.join(f'{n} as c{n}' for n in range(5_000))}", None),
    (f"select * from profiles where name in ({','.join(repr(str(n)) for n in range(10_000))})", None),
    ("select " + " || ".join(["repeat('x', 1000000)"] * 900), ValidationFailed),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def child(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QueryChild]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/spoon.db"
    limits = Limits(timeout_s=0.8, memory_mb=MEMORY_MB)
    async with Database(url) as database, QueryChild(url, catalog(), limits) as opened:
        now = utc_now()
        await database.write(
            lambda tx: tx.insert(
                tables.profiles,
                id="00000000-0000-4000-8000-000000000001",
                name="p",
                type="text",
                provider="openai",
                api_key=CANARY.encode(),
                options={},
                input_modalities=[],
                output_modalities=[],
                created_at=now,
                updated_at=now,
            )
        )
        yield opened


@pytest.mark.parametrize(("sql", "outcome"), CASES, ids=[sql[:60] for sql, _ in CASES])
async def test_a_statement_is_refused_stopped_or_harmless_and_the_next_one_works(child, sql, outcome):
    if sql == "\\x00":
        sql = "select 1 \0; drop table profiles"
    peak = asyncio.create_task(peak_memory(child))
    try:
        if outcome is None:
            try:
                frame = await child.ask(sql, {}, limit=100)
            except ValidationFailed:
                assert any(part in sql for part in MAY_BE_REFUSED), "it should have been answered"
            else:
                assert CANARY.encode() not in frame.body
                assert CANARY.encode().hex().encode() not in frame.body
        else:
            with pytest.raises(outcome) as told:
                await child.ask(sql, {}, limit=100)
            assert "Traceback" not in str(told.value)
            assert CANARY not in str(told.value)
    finally:
        peak.cancel()
    frame = await child.ask("select count(*) as n, max(name) as name from profiles", {}, limit=5)
    assert frame.body == b'[{"n":1,"name":"p"}]'


async def peak_memory(child: QueryChild) -> None:
    """Fails the test when the child takes more than it may."""
    while True:
        if (pid := child.pid) is not None and psutil.pid_exists(pid):
            resident = psutil.Process(pid).memory_info().rss >> 20
            if resident > 2 * MEMORY_MB + 2_048:
                os.kill(pid, 9)
                raise AssertionError(f"{resident} MB")
        await asyncio.sleep(0.05)


async def test_arrow_answers_obey_the_same_rules(child):
    for sql in ("drop table profiles", "select * from read_text('/etc/passwd')", "select api_key from profiles"):
        with pytest.raises(ValidationFailed):
            await child.ask(sql, {}, limit=100, op="arrow")
    for sql in ("select count(*) from range(1000000000000) t(a) where a % 7 = 3", "from range(1000)"):
        with pytest.raises(QueryStopped):
            await child.ask(sql, {}, limit=100, op="arrow")
    assert (await child.ask("from range(100)", {}, limit=100, op="arrow")).head["rows"] == 100


async def test_the_child_knows_nothing_that_is_worth_reading(child):
    await child.ask("select 1", {}, limit=1)
    process = psutil.Process(child.pid)
    assert process.environ() == {}
    assert "spoon.db" not in " ".join(process.cmdline())
    assert process.nice() == 10
    maps = Path(f"/proc/{child.pid}/maps")
    if maps.exists():
        assert "pyarrow" not in maps.read_text()


async def test_parameters_are_values_and_never_sql(child):
    frame = await child.ask("select $a as a, $b as b", {"a": "'; drop table profiles; --", "b": 2**64 - 1}, limit=1)
    assert frame.body == b'[{"a":"\'; drop table profiles; --","b":"18446744073709551615"}]'
    for parameters in ({}, {"a": 1, "b": 2, "c": 3}):
        with pytest.raises(ValidationFailed):
            await child.ask("select $a, $b", parameters, limit=1)
