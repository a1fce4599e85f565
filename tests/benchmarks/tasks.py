"""Tasks per second, from the first `create` to the last `complete`, each with its chat, result and usage row.

Embedded (SQLite, in this process), and on Valkey and Postgres with one and two `spoon worker` processes. The baseline
in the same run is Docket alone on the same queue with as many tasks that do nothing: no rows, no chat, no results.
The provider is the fake of this folder, which answers at once.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

from docket import Docket, Worker
from processes import app
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).parents[1]))

from servers import Postgres, Valkey
from spoonkernel.config import read_config
from spoonkernel.store.engine import Database
from spoonkernel.store.tables import tasks
from spoonkernel.workbench import Workbench

DEADLINE_S = 300.0


async def nothing() -> None:
    """What a task of the baseline does."""


async def docket_alone(url: str, count: int) -> float:
    """Tasks per second of Docket with one worker in this process, set as ours: 8 at once, a look every 10 ms."""
    async with Docket(name=f"bench-{uuid.uuid4().hex[:8]}", url=url) as docket:
        docket.register(nothing)
        async with Worker(docket, concurrency=8, minimum_check_interval=timedelta(milliseconds=10)) as worker:
            began = time.perf_counter()
            for _ in range(count):
                await docket.add(nothing)()
            await worker.run_until_finished()
            return count / (time.perf_counter() - began)


async def spoon(workbench: Workbench, database: Database, upstream: str, count: int) -> tuple[float, float]:
    """Tasks created per second by 8 callers, and tasks per second up to the last one's completion."""
    profile = await workbench.profiles.create(
        name="bench", type="text", provider="openai", api_key="sk-bench-0123456789", url=f"{upstream}/v1"
    )
    options = {"model": "m", "profileId": profile.id}
    done = select(func.count()).where(tasks.c.status == "complete")
    left = iter(range(count))

    async def creator() -> None:
        for number in left:
            await workbench.tasks.create(
                name=f"task {number}", type="text", provider="openai", prompt="A word", options=options
            )

    began = time.perf_counter()
    await asyncio.gather(*(creator() for _ in range(8)))
    created = count / (time.perf_counter() - began)
    while (await database.read(lambda connection: connection.scalar(done))) < count:
        if time.perf_counter() - began > DEADLINE_S:
            raise TimeoutError("the tasks did not end")
        await asyncio.sleep(0.02)
    return created, count / (time.perf_counter() - began)


@contextlib.contextmanager
def workers(number: int, env: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "spoonkernel.cli", "worker"]
    started = [
        subprocess.Popen(command, env=os.environ | env, stdout=subprocess.PIPE, text=True) for _ in range(number)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()  # its ready line
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


@contextlib.asynccontextmanager
async def opened(env: dict[str, str], role: str) -> AsyncIterator[tuple[Workbench, Database]]:
    config = read_config(env)
    async with Workbench(config, role=role) as workbench, Database(config.store_url) as database:
        yield workbench, database


async def measure(upstream: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as data:
        baseline = await docket_alone("memory://bench", count)
        async with opened({"SPOON_DATA": data}, "auto") as (workbench, database):
            report("embedded, SQLite", baseline, await spoon(workbench, database, upstream, count))
    postgres, valkey = Postgres(), Valkey()
    try:
        baseline = await docket_alone(valkey.url, count)
        for number in (1, 2):
            with tempfile.TemporaryDirectory() as data:
                env = {
                    "SPOON_DATA": data,
                    "DATABASE_URL": postgres.url(postgres.create_database()),
                    "REDIS_URL": valkey.url,
                }
                async with opened(env, "submit-only") as (workbench, database):
                    with workers(number, env):
                        figures = await spoon(workbench, database, upstream, count)
                report(f"Valkey, Postgres, {number} worker{'s' * (number > 1)}", baseline, figures)
    finally:
        postgres.stop()
        valkey.stop()


def report(name: str, baseline: float, figures: tuple[float, float]) -> None:
    created, completed = figures
    print(
        f"{name:28} created {created:6.0f}/s  completed {completed:5.0f}/s"
        f"  {completed / baseline:5.0%} of Docket alone ({baseline:.0f}/s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    options = parser.parse_args()
    with app("fakes:upstream") as upstream:
        asyncio.run(measure(upstream, options.count))


if __name__ == "__main__":
    main()
