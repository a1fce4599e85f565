"""The task engine of one process: queue, runs, leases, reconciler, and what several processes share."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Self

from spoonkernel.bus import Bus, Hint
from spoonkernel.config import Config
from spoonkernel.engine.background import keep_going
from spoonkernel.engine.leases import Leases
from spoonkernel.engine.lock import FolderLock
from spoonkernel.engine.queue import NAME, Queue
from spoonkernel.engine.runs import BACKOFF_S, Runner, Runs
from spoonkernel.engine.watch import Tells, Watch
from spoonkernel.media import MediaFolder
from spoonkernel.store import claims
from spoonkernel.store.engine import Database
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import TaskFailed
from spoonkernel.types.health import ServiceState

Role = Literal["auto", "worker", "submit-only"]
RECONCILE_S = 5.0
INHERIT_S = 0.5  # how soon another process notices that the owner of the data folder's engine is gone
LOOK_S = 0.1  # how soon changes of another process are heard once there have been some, or work was handed over
LAZY_LOOK_S = 0.5  # the same while it is quiet: ten looks a second take 0.5 % of a core
QUIET_AFTER_S = 30.0
PENDING = 1_000  # pending tasks brought up in one pass of the reconciler

log = logging.getLogger(__name__)


class Engine:
    """Opens after the store and the bus and closes before them. Nothing it does is lost when it is killed.

    Args:
        runs: makes what tasks ask for.
        role: `auto` and `worker` run tasks (with Redis always, without it in the one process that holds the data
            folder's lock); `submit-only` leaves that to others.
        backoff_s: the wait before a second attempt.
        others: who else is to hear what other processes wrote into the shared store.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        bus: Bus,
        media: MediaFolder,
        runs: Runs,
        *,
        role: Role = "auto",
        backoff_s: float = BACKOFF_S,
        others: Sequence[Tells] = (),
    ) -> None:
        self._config, self._database, self._bus, self._role = config, database, bus, role
        self._embedded = config.redis_url is None
        worker_id = f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._runner = Runner(database, bus, media, runs, worker_id=worker_id, backoff_s=backoff_s)
        self._runner.queue = self._queue = Queue(
            config.redis_url,
            name=f"{NAME}-{uuid.uuid4().hex[:8]}" if self._embedded else NAME,
            concurrency=config.concurrency,
            deliver=self._deliver,
            wake=self._runner.feed,
            opened=self._reconcile_once,
            works=role != "submit-only",
        )
        self._leases = Leases(database, self._runner)
        self._watch = Watch(database, bus, *others)
        self._lock = FolderLock(config.data_dir)
        self._owner = False
        self._waiting: set[str] = set()
        self._lively_until = 0.0
        self._work: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        if self._embedded:
            await self._watch.begin()
            if self._role != "submit-only" and self._lock.try_acquire():
                await self._take_over()
        self._serving = asyncio.create_task(self._serve(), name="spoon engine queue")
        loops: list[Callable[[], Awaitable[None]]] = [self._leases.keep, self._reconcile, self._hear]
        if self._embedded:
            loops.append(self._look)
        self._work = [asyncio.create_task(keep_going(loop), name=f"spoon engine {loop.__name__}") for loop in loops]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._queue.stop()
        await self._runner.stop(self._config.stop_deadline_s)
        if not self._owner and self._embedded:
            self._serving.cancel()
        for task in self._work:
            task.cancel()
        await asyncio.gather(self._serving, *self._work, return_exceptions=True)
        self._lock.release()

    @property
    def redis(self) -> ServiceState:
        """What `/health` says about Redis."""
        if self._embedded:
            return "embedded"
        return "connected" if self._bus.connected else "disconnected"

    @property
    def works(self) -> bool:
        """Whether this process runs tasks now."""
        return self._queue.open and self._role != "submit-only"

    def expect(self, task_id: str) -> None:
        """To be called before a task is written here, so that nobody takes its row for another process's."""
        if self._embedded:
            self._watch.created_here(task_id)
            if not self._owner:  # another process will run it; its events are wanted soon
                self._lively_until = asyncio.get_running_loop().time() + QUIET_AFTER_S

    async def submit(self, task_id: str, *, again: bool = False) -> None:
        """Have a pending task run soon. Never fails: the row is the truth, and the reconciler reads it.

        `again`: it has run before, so that its earlier delivery may just be ending.
        """
        if again:
            await self._queue.carry_again(task_id)
        else:
            await self._queue.add([(task_id, None)])

    async def cancel(self, task_id: str) -> None:
        """Stop a run of a task whose row has been deleted, wherever it runs."""
        self._runner.cancel(task_id)
        await self._bus.hint(Hint("cancel", task_id))

    async def _deliver(self, task_id: str) -> None:
        if self._embedded:
            self._watch.run_here([task_id])
        await self._runner.take(task_id)

    async def _serve(self) -> None:
        while self._embedded and not self._owner:
            await asyncio.sleep(INHERIT_S)
            if self._role != "submit-only" and self._lock.try_acquire():
                log.info("This process runs the tasks of %s from now on", self._config.data_dir)
                await keep_going(self._take_over)
        await keep_going(self._queue.serve)

    async def _take_over(self) -> None:
        """The lock is ours: on a folder of its own, whatever is still `running` was left by a process that died."""
        self._owner = True
        if self._config.database_url is None:
            await self._requeue(everything=True)

    async def _requeue(self, *, everything: bool = False) -> None:
        """Put back the tasks of workers that died: those whose lease has run out, or all that are `running`."""
        now = utc_now()
        before = None if everything else now
        if not await self._database.read(lambda connection: claims.any_lapsed(connection, before)):
            return
        again, given_up = await self._database.write(lambda tx: claims.requeue_lapsed(tx, before, now))
        for task_id in again:
            log.info("Task %s is taken up again: its worker died", task_id)
            await self._queue.carry_again(task_id)
        for task_id in given_up:
            await self._bus.publish(TaskFailed(task_id=task_id, error=claims.GIVEN_UP))

    async def _reconcile(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE_S)
            if self._queue.open:
                await self._requeue()
                await self._reconcile_once()
                await self._free_stuck()

    async def _reconcile_once(self) -> None:
        """Bring up what is pending. Ids that are on their way already stay as they are."""
        now = utc_now()
        if pending := await self._database.read(lambda connection: claims.runnable(connection, now, PENDING)):
            await self._queue.add(pending)

    async def _free_stuck(self) -> None:
        """Carry ids again whose delivery got lost on its way (read from Redis, which then went away).

        A task that could start, and did not from one pass to the next while this worker had a free hand, is one.
        """
        due: set[str] = set()
        if self._queue.has_free_hands:
            now = utc_now()
            pending = await self._database.read(lambda connection: claims.runnable(connection, now, PENDING))
            due = {task_id for task_id, when in pending if when is None or when <= now}
        for task_id in due & self._waiting:
            await self._queue.carry_again(task_id)
        self._waiting = due

    async def _hear(self) -> None:
        async with self._bus.hints() as hints:
            async for hint in hints:
                self._runner.cancel(hint.task_id)

    async def _look(self) -> None:
        """Hear what other processes wrote into the shared store."""
        loop = asyncio.get_running_loop()
        while True:
            lively = loop.time() < self._lively_until or self._runner.running
            await asyncio.sleep(LOOK_S if lively else LAZY_LOOK_S)
            if not await self._watch.changed():
                continue
            self._lively_until = loop.time() + QUIET_AFTER_S
            await self._leases.check()
            await self._watch.tell()
            await self._reconcile_once()
