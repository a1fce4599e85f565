"""One worker's runs: claim a task, have it made, record the outcome. Whoever else changes the row meanwhile wins."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar

from spoonkernel.bus import Bus
from spoonkernel.engine.queue import Queue
from spoonkernel.errors import ProviderConnectionError, RateLimited, SpoonError, StoreUnavailable
from spoonkernel.media import MediaFolder, size_px
from spoonkernel.providers.base import Made
from spoonkernel.store import claims
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tasks import new_id
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import TaskCompleted, TaskFailed, TaskProgress, TaskStarted
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import Task

T = TypeVar("T")
LEASE = timedelta(seconds=30)
ATTEMPTS = 3  # a failure that may pass is tried this often in all
BACKOFF_S = 2.0  # before the second attempt; doubled before each later one
LONGEST_WAIT_S = 3_600.0  # what a provider may ask us to wait before we ask again
STORE_TRIES = 10  # a second apart: an outcome is worth waiting for a store that restarts
FEED = 50  # tasks of one profile brought up at once

log = logging.getLogger(__name__)

Report = Callable[[float], None]
"""Says how far a run is, 0 to 1."""


class Runs(Protocol):
    """Makes what a task asks for. Cancelling it closes the provider's request."""

    async def run(self, task: Task, profile_id: str | None, report: Report) -> list[Made]:
        """What was made, text as UTF-8. Raises errors of `spoonkernel.errors`; those that may pass are retried."""
        ...


@dataclass(slots=True)
class Running:
    """A run of this worker. `why` says who ended it, when it was not the run itself."""

    task: Task
    attempt_id: str
    profile_id: str | None
    tries: int
    work: "asyncio.Task[None] | None" = None
    why: Literal["gone", "stopping"] | None = None
    progress: float = 0.0
    published: float = 0.0
    written: float = 0.0


class Runner:
    """Claims and runs what the queue brings. `running` is this worker's runs by attempt id."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        media: MediaFolder,
        runs: Runs,
        *,
        worker_id: str,
        backoff_s: float = BACKOFF_S,
    ) -> None:
        self._database, self._bus, self._media, self._runs = database, bus, media, runs
        self._worker_id, self._backoff_s = worker_id, backoff_s
        self.queue: Queue
        self.running: dict[str, Running] = {}
        self.began = asyncio.Event()
        self._stopping = False

    async def take(self, task_id: str) -> None:
        """Run a task to its end if it can be claimed; nothing happens if it is gone, taken or not due."""
        if self._stopping:
            return
        attempt = claims.Attempt(new_id(), self._worker_id, LEASE)
        claimed = await self._database.write(lambda tx: claims.claim(tx, task_id, attempt))
        if isinstance(claimed, claims.Refused) and claimed.wake_at is not None:
            await self.queue.wake_at(claimed.profile_id, claimed.wake_at)
        if not isinstance(claimed, claims.Claimed):
            return
        if self._stopping:  # it came while the claim was being written, and nobody would wait for this run
            await self._database.write(lambda tx: claims.give_back(tx, task_id, attempt.id, utc_now()))
            return
        run = Running(claimed.task, attempt.id, claimed.profile_id, claimed.tries)
        self.running[attempt.id] = run
        self.began.set()
        run.work = asyncio.create_task(self._perform(run), name=f"spoon task {task_id}")
        try:
            await asyncio.wait({run.work})
        finally:
            del self.running[attempt.id]
        if claimed.limited and run.profile_id is not None:
            await self.feed(run.profile_id)

    async def feed(self, profile_id: str) -> None:
        """Bring up a profile's next pending tasks, oldest first, as many as its limits let start."""
        if self._stopping:
            return
        now = utc_now()
        for task_id, when in await self._database.read(lambda c: claims.runnable(c, now, FEED, profile_id)):
            if when is None or when <= now:
                await self.queue.carry_again(task_id)

    def cancel(self, task_id: str) -> None:
        """Stop running a task whose row is gone. Fine when it is not running here."""
        for run in self.running.values():
            if run.task.id == task_id:
                self.end(run, "gone")

    def end(self, run: Running, why: Literal["gone", "stopping"]) -> None:
        if run.why is None and run.work is not None:
            run.why = why
            run.work.cancel()

    async def stop(self, deadline_s: float) -> None:
        """Claim no more, let runs end until the deadline, then cancel them and put their tasks back."""
        self._stopping = True
        if work := [run.work for run in self.running.values() if run.work is not None]:
            await asyncio.wait(work, timeout=deadline_s)
        for run in list(self.running.values()):
            self.end(run, "stopping")
        if left := [task for task in work if not task.done()]:
            await asyncio.wait(left)

    async def _perform(self, run: Running) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if run.task.started_at is not None:
                await self._bus.publish(TaskStarted(task_id=run.task.id, started_at=run.task.started_at))
            made = await self._runs.run(run.task, run.profile_id, lambda value: self._report(run, value))
            await self._finish(run, made, round((loop.time() - began) * 1000))
        except asyncio.CancelledError:
            if run.why == "gone":
                return
            await asyncio.shield(self._record(lambda tx: claims.give_back(tx, run.task.id, run.attempt_id, utc_now())))
            if run.why is None:
                raise
        except (ProviderConnectionError, RateLimited) as error:
            await self._retry_or_fail(run, error)
        except StoreUnavailable:
            log.exception("Task %s: the store is away; the task runs again once its lease has run out", run.task.id)
        except SpoonError as error:
            await self._fail(run, error.message)
        except Exception:  # a background loop's edge: the row must not stay `running`
            log.exception("Task %s failed in a way that Spoon does not know", run.task.id)
            await self._fail(run, "Something inside Spoon failed; the log has the details")

    def _report(self, run: Running, value: float) -> None:
        run.progress = min(max(value, run.progress, 0.0), 1.0)

    async def publish_progress(self) -> None:
        """Events for the runs that went on since this was last called."""
        for run in list(self.running.values()):
            if run.progress != run.published:
                run.published = run.progress
                await self._bus.publish(
                    TaskProgress(task_id=run.task.id, progress=run.progress, message="Processing...")
                )

    async def _finish(self, run: Running, made: Sequence[Made], duration_ms: int) -> None:
        rows: list[dict[str, Any]] = []
        kept = False
        try:
            for piece in made:
                rows.append(await self._row(piece, duration_ms))  # noqa: PERF401  # those made are deleted if one fails
            now = utc_now()
            kept = await self._record(lambda tx: claims.finish(tx, run.task.id, run.attempt_id, rows, now))
        finally:
            if not kept:  # the task is gone, or somebody else's by now
                for row in rows:
                    await self._media.delete(row["content"])
        if kept:
            results = [_result(row, run.task.id, now) for row in rows]
            first = results[0] if results else None
            await self._bus.publish(TaskCompleted(task_id=run.task.id, result=first, results=results))

    async def _row(self, piece: Made, duration_ms: int) -> dict[str, Any]:
        meta: dict[str, Any] = {"duration_ms": duration_ms, **piece.metadata}
        if piece.type == "text":
            content = piece.content.decode()
        else:
            content = await self._media.save(piece.content)
            if size := size_px(piece.content):
                meta["width"], meta["height"] = size
        return {"id": new_id(), "type": piece.type, "content": content, "meta": meta}

    async def _retry_or_fail(self, run: Running, error: SpoonError) -> None:
        if run.tries + 1 >= ATTEMPTS:
            await self._fail(run, f"{error.message} (tried {ATTEMPTS} times)")
            return
        wait_s = self._backoff_s * 2**run.tries * random.uniform(1, 1.25)  # noqa: S311  # spreads retries, no secret
        wait_s = min(max(wait_s, error.retry_after_s or 0), LONGEST_WAIT_S)
        now = utc_now()
        due = now + timedelta(seconds=wait_s)
        reason = error.message
        if await self._record(
            lambda tx: claims.retry_later(tx, run.task.id, run.attempt_id, reason, now=now, not_before=due)
        ):
            await self.queue.carry_again(run.task.id, due)

    async def _fail(self, run: Running, error: str) -> None:
        if await self._record(lambda tx: claims.fail(tx, run.task.id, run.attempt_id, error, utc_now())):
            await self._bus.publish(TaskFailed(task_id=run.task.id, error=error))

    async def _record(self, write: Callable[[Transaction], bool]) -> bool:
        """Write an outcome, waiting a little for a store that is away. False when the task is no longer this run's."""
        for _ in range(STORE_TRIES):
            try:
                return await self._database.write(write)
            except StoreUnavailable as error:
                log.warning("An outcome waits for the store: %s", error)
                await asyncio.sleep(1)
        return await self._database.write(write)


def _result(row: Mapping[str, Any], task_id: str, now: datetime) -> Result:
    named = {"id": row["id"], "type": row["type"], "content": row["content"], "metadata": row["meta"]}
    return Result.model_validate(named | {"task_id": task_id, "created_at": now})
