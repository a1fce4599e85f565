"""What questions in SQL cost against asking the database itself, at a million tasks.

The same statements run in the child process and in the engine that holds the store, in turns and in one run. First
questions start the child and copy the store; later ones follow 100 changed rows. `--minute` asks for a minute while a
writer moves amounts between two tables, 500 rows a second, and counts the answers in which their sum is not the same.
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))
from servers import Postgres, running
from spoonkernel.query.child import Limits, QueryChild
from spoonkernel.services.catalog import catalog
from spoonkernel.store.engine import Database

COLUMNS = (
    "id, name, type, provider, prompt, options, status, error, progress, retry_count, created_at, completed_at, rev"
)
VALUES = """
'Task ' || n, 'text', case n % 5 when 0 then 'ollama' when 1 then 'openai' when 2 then 'gemini' when 3 then 'claude'
else 'local' end, 'Write about ' || (n % 1000) || ' foxes and the brown dog', {options}, case when n % 17 = 0 then
'failed' else 'complete' end, null, 1.0, 0, {at}, {at}, 1
"""
OPTIONS = (
    """'{"model":"model-' || (n % 12) || '","temperature":' || ((n % 10) / 10.0) || """
    """',"max_tokens":' || (n % 4000) || '}'"""
)
SQLITE_ID = "lower(printf('%08x-0000-7000-8000-%012x', n, n))"
POSTGRES_ID = "lpad(to_hex(n), 8, '0')::text || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0')"
SQLITE_AT = "strftime('%Y-%m-%dT%H:%M:%S.000Z', 1700000000 + n, 'unixepoch')"
POSTGRES_AT = "to_timestamp(1700000000 + n)"

QUESTIONS: dict[str, tuple[str, str, str]] = {
    "count by provider": (one := "select provider, status, count(*) from tasks group by 1, 2 order by 1, 2", one, one),
    "rows of a word": (one := "select count(*) from tasks where prompt like '%of 7 %' or prompt like '% 77 foxes%'",)
    * 3,
    "tasks a day": (
        "select date_trunc('day', created_at) d, count(*) from tasks group by 1 order by 1",
        "select substr(created_at, 1, 10) d, count(*) from tasks group by 1 order by 1",
        "select date_trunc('day', created_at) d, count(*) from tasks group by 1 order by 1",
    ),
    "mean of JSON by JSON": (
        "select options->>'model' m, avg((options->>'temperature')::double) from tasks group by 1 order by 1",
        "select options->>'$.model' m, avg(cast(options->>'$.temperature' as real)) from tasks group by 1 order by 1",
        "select options->>'model' m, avg((options->>'temperature')::float8) from tasks group by 1 order by 1",
    ),
}
"""Name -> the statement for DuckDB, SQLite and Postgres."""


async def fill(url: str, rows: int) -> None:
    async with Database(url) as database:
        if database.dialect == "sqlite":
            series = f"with recursive s(n) as (select 1 union all select n + 1 from s where n < {rows}) "
            values = VALUES.format(options=OPTIONS, at=SQLITE_AT)
            sql = f"insert into tasks ({COLUMNS}) {series} select {SQLITE_ID}, {values} from s"
        else:
            values = VALUES.format(options=f"({OPTIONS})::jsonb", at=POSTGRES_AT)
            series = f"generate_series(1, {rows}) n"
            sql = f"insert into tasks ({COLUMNS}) select ({POSTGRES_ID})::uuid, {values} from {series}"
        plain = sql.replace(":", "\\:")
        await database.write(lambda tx: tx.connection.execute(text(plain)))


async def change(url: str, rows: int) -> None:
    async with Database(url) as database:
        chosen = random.sample(range(1, rows), 100)
        ids = [f"{n:08x}-0000-7000-8000-{n:012x}" for n in chosen]
        names = ", ".join(f"'{one}'" for one in ids)
        await database.write(
            lambda tx: tx.connection.execute(
                text(f"update tasks set status = 'failed', rev = {tx.rev} where id in ({names})")
            )
        )


def best(asked: Callable[[], Any], times: int = 3) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        asked()
        took.append((time.perf_counter() - began) * 1e3)
    return min(took)


async def measure(kind: str, url: str, rows: int, memory_mb: int) -> None:
    print(f"\n{kind}, {rows:,} tasks")
    await fill(url, rows)
    ask = direct(kind, url)
    limits = Limits(timeout_s=60, memory_mb=memory_mb)
    async with Database(url), QueryChild(url, catalog(), limits) as child:  # a store is open when it is asked
        began = time.perf_counter()
        frame = await child.ask("select count(*) from tasks", {}, limit=1)
        print(f"  first question, the copy included   {(time.perf_counter() - began) * 1e3:9.1f} ms", end="")
        print(f"   (copying {frame.head['sync_ms']:.0f} ms; {memory(child)})")
        nothing = [await timed(child, "select 1") for _ in range(20)]
        print(f"  nothing changed                     {statistics.median(nothing):9.1f} ms")
        followed = []
        for _ in range(5):
            await change(url, rows)
            frame = await child.ask("select 1", {}, limit=1)
            followed.append(frame.head["sync_ms"])
        print(f"  following 100 changed rows          {statistics.median(followed):9.1f} ms")
        print(f"  {'':36}{'here':>9}    {kind:>9}    ratio")
        for name, (ours, *theirs) in QUESTIONS.items():
            here = min([await timed(child, ours) for _ in range(3)])
            there = best(lambda sql=theirs[kind == "Postgres"]: ask(sql))
            print(f"  {name:34}{here:8.1f} ms {there:9.1f} ms   {there / here:6.1f}")
        await child.ask("select count(*), avg(duration_ms) from runs where status = 'complete'", {}, limit=10)
        views = "select kind, status, count(*), avg(duration_ms) from runs group by all"
        print(f"  `runs` by kind and status         {await timed(child, views):8.1f} ms")
        print(f"  memory at the end: {memory(child)}")


def direct(kind: str, url: str) -> Callable[[str], Any]:
    if kind == "SQLite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        return lambda sql: connection.execute(sql).fetchall()
    session = psycopg.connect(url, autocommit=True)
    session.execute("vacuum analyze tasks")
    return lambda sql: session.execute(sql.encode()).fetchall()


async def timed(child: QueryChild, sql: str) -> float:
    began = time.perf_counter()
    await child.ask(sql, {}, limit=1_000)
    return (time.perf_counter() - began) * 1e3


def memory(child: QueryChild) -> str:
    info = psutil.Process(child.pid).memory_info()
    return f"resident {info.rss >> 20} MB, address space {info.vms >> 20} MB"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory-mb", type=int, default=Limits().memory_mb)
    parser.add_argument("--only", choices=["SQLite", "Postgres"])
    parser.add_argument("--minute", action="store_true", help="look for torn answers for a minute instead")
    asked = parser.parse_args()
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        stores = {"SQLite": f"sqlite:///{folder}/spoon.db"}
        if asked.only != "SQLite":
            server = opened.enter_context(running(Postgres()))
            stores["Postgres"] = server.url(server.create_database())
        for kind, url in stores.items():
            if asked.only in {None, kind}:
                await (torn(kind, url) if asked.minute else measure(kind, url, asked.rows, asked.memory_mb))


async def torn(kind: str, url: str) -> None:
    from query_rig import transfers

    async with Database(url) as database, QueryChild(url, catalog(), Limits()) as child:
        told = await transfers(database, child, seconds=60, per_second=500, questions=200)
        print(f"{kind}: {told}")


if __name__ == "__main__":
    asyncio.run(main())
