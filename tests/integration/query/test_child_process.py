"""The life of the child: it starts when it is needed, ends with its parent, and no question hears another's answer."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time

import psutil
import pytest

from spoonkernel.errors import BadRequest, QueryStopped, StoreUnavailable, ValidationFailed
from spoonkernel.query import process
from spoonkernel.query.child import Limits, QueryChild
from spoonkernel.services.catalog import catalog
from spoonkernel.store.engine import Database

GIB = 1024**3
ENDLESS = "select count(*) from range(1000000000000) t(a) where a % 7 = 3"
DEAF = "select sum(levenshtein(repeat('a', 30000), repeat('b', 30000) || range)) from range(1000)"
"""DuckDB hears no interruption within one value."""
PARENT = """
import asyncio, sys
from spoonkernel.query.child import QueryChild, Limits
from spoonkernel.services.catalog import catalog
from spoonkernel.store.engine import Database
async def main():
    async with Database(sys.argv[1]), QueryChild(sys.argv[1], catalog(), Limits(timeout_s=60)) as child:
        await child.ask("select 1", {}, limit=1)
        print(child.pid, flush=True)
        await child.ask(%r, {}, limit=1)
asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/spoon.db"


@pytest.fixture
async def child(url):
    async with Database(url), QueryChild(url, catalog(), Limits(timeout_s=20)) as opened:
        yield opened


async def number(child: QueryChild, value: int) -> int:
    frame = await child.ask("select $n::integer as n", {"n": value}, limit=1)
    return json.loads(frame.body)[0]["n"]


async def begun(child: QueryChild, sql: str) -> "asyncio.Task[object]":
    """A question that is being worked on."""
    await number(child, 0)
    assert child.pid is not None
    before = sum(psutil.Process(child.pid).cpu_times()[:2])
    asked = asyncio.create_task(child.ask(sql, {}, limit=1))
    async with asyncio.timeout(10):
        while sum(psutil.Process(child.pid).cpu_times()[:2]) < before + 0.1:
            await asyncio.sleep(0.01)
    return asked


async def test_nothing_starts_before_the_first_question(child):
    assert child.pid is None
    assert await number(child, 7) == 7
    assert child.pid is not None


@pytest.mark.parametrize(("sql", "survives"), [(ENDLESS, True), (DEAF, False)])
async def test_a_question_whose_asker_leaves_is_stopped(child, sql, survives):
    asked = await begun(child, sql)
    first = child.pid
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    began = time.monotonic()
    assert [await number(child, n) for n in range(5)] == list(range(5))
    assert time.monotonic() - began < 10
    assert (child.pid == first) is survives


async def test_askers_that_leave_at_any_moment_never_shift_answers(child):
    await number(child, 0)
    for round_number in range(40):
        asked = asyncio.create_task(number(child, -1))
        for _ in range(round_number % 20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.0005 * (round_number % 5))
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        assert await number(child, round_number) == round_number


async def test_an_asker_cancelled_twice_leaves_nothing_behind(child):
    asked = await begun(child, ENDLESS)
    asked.cancel()
    await asyncio.sleep(0)
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked
    assert await number(child, 3) == 3


async def test_questions_take_turns(child):
    answers = await asyncio.gather(*(number(child, n) for n in range(30)))
    assert answers == list(range(30))


async def test_who_waits_too_long_for_a_turn_is_told(url):
    limits = Limits(timeout_s=20, wait_s=0.05)
    async with Database(url), QueryChild(url, catalog(), limits) as child:
        asked = await begun(child, ENDLESS)
        with pytest.raises(QueryStopped, match="Other questions were still running"):
            await number(child, 1)
        asked.cancel()


async def test_a_killed_child_is_told_of_and_replaced(child):
    asked = await begun(child, ENDLESS)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    with pytest.raises(QueryStopped, match=r"SIGKILL.*more than the 1024 MB"):
        await asked
    assert await number(child, 1) == 1
    assert child.pid != first
    os.kill(child.pid, signal.SIGKILL)  # between two questions nobody needs to hear of it
    assert await number(child, 2) == 2


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive t(n, s) as (select 1, 'x' union all select n + 1, s || s from t) select max(length(s)) from t",
        "select string_agg(range::varchar, ',') from range(1000000000)",
        f"select {'(' * 20_000}1{')' * 20_000}",
    ],
    ids=["doubled text", "one long text", "deep brackets"],
)
async def test_what_a_large_statement_took_is_there_again_for_the_next_one(child, sql):
    await number(child, 0)
    lean = psutil.Process(child.pid).memory_info().vms
    with pytest.raises((QueryStopped, ValidationFailed)):
        await child.ask(sql, {}, limit=1)
    assert await number(child, 1) == 1
    assert psutil.Process(child.pid).memory_info().vms < lean + GIB


async def test_closing_stops_what_runs_at_once(url):
    async with Database(url):
        child = QueryChild(url, catalog(), Limits(timeout_s=20))
        async with child:
            asked = await begun(child, DEAF)
            waiting = asyncio.create_task(number(child, 1))
            pid = child.pid
            began = time.monotonic()
        assert time.monotonic() - began < 3
        for task in (asked, waiting):
            with pytest.raises(StoreUnavailable, match="closed"):
                await task
        assert not psutil.pid_exists(pid)


async def test_a_child_that_nobody_asks_is_let_go(url):
    async with Database(url), QueryChild(url, catalog(), Limits(idle_s=0.05)) as child:
        await number(child, 1)
        async with asyncio.timeout(10):
            while child.pid is not None:
                await asyncio.sleep(0.01)
        assert await number(child, 2) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_the_child_dies_with_its_parent(url, how):
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT % DEAF, url, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    parent.send_signal(how)
    await parent.wait()
    async with asyncio.timeout(5):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)


async def test_missing_libraries_are_named_with_their_extra(child, monkeypatch):
    monkeypatch.setattr(process, "NEEDED", ("duckdb", "no_such_library"))
    with pytest.raises(BadRequest, match=r"no_such_library.*pip install 'spoon-workbench\[query\]'"):
        await number(child, 1)


async def test_a_store_larger_than_memory_is_told(url):
    from query_rig import stored

    filling = """
    with recursive s(n) as (select 1 union all select n + 1 from s where n < 3000)
    insert into conversations (id, title, system, options, created_at, updated_at, rev)
    select printf('00000000-0000-4000-8000-%012x', n), 't', hex(randomblob(25000)), '{}',
      '2026-01-01T00\\:00\\:00.000Z',
      '2026-01-01T00\\:00\\:00.000Z', 1 from s
    """
    async with Database(url) as database, QueryChild(url, catalog(), Limits(memory_mb=128)) as child:
        await stored(database, filling)
        with pytest.raises(QueryStopped, match=r"SPOON_DATABASE_MEMORY_MB|needed more than the 128 MB"):
            await number(child, 1)
