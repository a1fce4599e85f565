"""Engines for tests: a whole one in this process (`rig`), and worker processes (run this file as a program).

What a task does is written in its prompt as JSON: `sleep_s`, `fail` (a list of errors, one an attempt), `image`.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from spoonkernel.bus.memory import MemoryBus
from spoonkernel.bus.redis import RedisBus
from spoonkernel.config import Config, read_config
from spoonkernel.engine.engine import Engine
from spoonkernel.errors import ProviderConnectionError, ProviderRefused, RateLimited
from spoonkernel.media import MediaFolder
from spoonkernel.providers.base import Made
from spoonkernel.services.results import ResultService
from spoonkernel.services.tasks import TaskService
from spoonkernel.store.engine import Database
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.results import ResultRepo
from spoonkernel.store.tables import results, tasks
from spoonkernel.store.tasks import TaskRepo, new_id
from spoonkernel.types.base import utc_now

ERRORS = {
    "away": lambda: ProviderConnectionError("Cannot connect to Scripted. Is it running?"),
    "busy": lambda: RateLimited("Slow down").after(0.2),
    "refused": lambda: ProviderRefused("No such model"),
    "bug": lambda: ZeroDivisionError("a bug"),
}
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000002000000030806000000")


class Scripted:
    """Does what prompts say, and writes down when it starts, ends and is stopped."""

    def __init__(self, log: Path | None = None) -> None:
        self.starts: Counter[str] = Counter()
        self.stopped: list[str] = []
        self.started = asyncio.Event()
        self._log = log

    async def run(self, task, profile_id, report):
        script = json.loads(task.prompt)
        self.starts[task.id] += 1
        self.started.set()
        self._note("start", task.id, profile_id)
        try:
            for quarter in range(4):
                await asyncio.sleep(script.get("sleep_s", 0) / 4)
                report((quarter + 1) / 5)
        except asyncio.CancelledError:
            self.stopped.append(task.id)
            raise
        finally:
            self._note("end", task.id, profile_id)
        failures = script.get("fail", [])
        if self.starts[task.id] <= len(failures):
            raise ERRORS[failures[self.starts[task.id] - 1]]()  # noqa: RSE102  # a call that makes the error
        if script.get("image"):
            return [Made("image", PNG, "image/png", {"model": "scripted"})]
        return [Made("text", b"done", "text/plain", {"model": "scripted", "tokens": 1})]

    def _note(self, what, task_id, profile_id):
        if self._log is not None:
            line = json.dumps([what, task_id, profile_id, time.monotonic_ns(), os.getpid()])
            with self._log.open("a") as file:  # one write of one line: safe between processes
                file.write(line + "\n")


@dataclass
class Rig:
    config: Config
    database: Database
    bus: MemoryBus | RedisBus
    runs: Scripted
    engine: Engine
    tasks: TaskService
    results: ResultService

    async def submit(self, *, profile_id=None, kind="text", **script):
        options = {"profileId": profile_id} if profile_id else {}
        return await self.tasks.create(
            name="t", type=kind, provider="openai", prompt=json.dumps(script), options=options
        )

    async def profile(self, **options):
        row = {"id": new_id(), "name": "p", "type": "text", "provider": "openai", "options": options}
        lists = {"input_modalities": ["text"], "output_modalities": ["text"]}
        await ProfileRepo(self.database).insert(row | lists | {"created_at": utc_now(), "updated_at": utc_now()})
        return row["id"]

    async def until(self, status, *ids, timeout_s=20):
        """The tasks, once all of them have this status."""

        async def there():
            found = [await self.tasks.get(task_id) for task_id in ids]
            return found if all(task.status == status for task in found) else None

        return await until(there, timeout_s)

    async def counts(self):
        query = select(tasks.c.status, func.count()).group_by(tasks.c.status)
        return dict(await self.database.read(lambda c: c.execute(query).all()))

    async def results_per_task(self):
        query = select(func.count()).select_from(results).group_by(results.c.task_id)
        return Counter(await self.database.read(lambda c: c.scalars(query).all()))


@asynccontextmanager
async def rig(config, *, role="auto", backoff_s=0.05, runs=None):
    runs = runs or Scripted()
    media = MediaFolder(config.media_dir)
    url = config.database_url or f"sqlite:///{config.data_dir / 'spoon.db'}"
    bus = RedisBus(config.redis_url) if config.redis_url else MemoryBus()
    async with (
        Database(url) as database,
        bus,
        Engine(config, database, bus, media, runs, role=role, backoff_s=backoff_s) as engine,
    ):
        service = TaskService(TaskRepo(database), ProfileRepo(database), media, bus, engine)
        yield Rig(config, database, bus, runs, engine, service, ResultService(ResultRepo(database), media))


async def until(condition, timeout_s=20):
    """What `condition` returns, once it is true; fails at the deadline."""
    async with asyncio.timeout(timeout_s):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


@contextlib.contextmanager
def worker(config, log, *, role="worker"):
    """A process with an engine on the same store; killed at the end if it still runs."""
    settings = {"SPOON_DATA": str(config.data_dir), "SPOON_CONCURRENCY": str(config.concurrency), "RIG_ROLE": role}
    urls = {"DATABASE_URL": config.database_url or "", "REDIS_URL": config.redis_url or "", "RIG_LOG": str(log)}
    path = os.pathsep.join([str(Path(__file__).parent.parent), str(Path(__file__).parent)])
    environment = {**os.environ, **settings, **urls, "PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, __file__], env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def read_log(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def peaks(entries):
    """Profile id -> how many of its tasks ran at once at most."""
    now, most = Counter(), Counter()
    for what, _, profile_id, _, _ in sorted(entries, key=lambda entry: (entry[3], entry[0] == "start")):
        now[profile_id] += 1 if what == "start" else -1
        most[profile_id] = max(most[profile_id], now[profile_id])
    return most


async def _main():
    import signal

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with rig(read_config(), role=os.environ["RIG_ROLE"], runs=Scripted(Path(os.environ["RIG_LOG"]))):
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main())
