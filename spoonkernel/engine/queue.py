"""Docket, which carries task ids to workers: `memory://` in this process, or Redis between processes.

What it carries is a hint. Nothing here raises when Redis is away: the reconciler adds what is pending once it is back.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from docket import Docket, Worker
from redis.exceptions import RedisError

NAME = "spoon"
EMBEDDED = "memory://spoon"
REDELIVERY = timedelta(seconds=60)  # how long a dead worker's delivery stays with it; leases on the rows are shorter
IDLE_CHECK = timedelta(seconds=1)  # an arriving id ends this wait at once; each costs 2 ms of a core
BUSY_CHECK = timedelta(milliseconds=10)  # how soon a worker with all hands full looks for a free one
LINGER_S = 1.0  # a worker counts as busy for so long after its last id: the next ones often follow
SCHEDULE_CHECK = timedelta(milliseconds=500)  # how late a scheduled start may be
HEARTBEAT = timedelta(seconds=10)
RECYCLE_AFTER = 2_000  # ids carried by one `memory://` before it is emptied: it keeps 2 to 5 kB of each
RECONNECT_S = 1.0

log = logging.getLogger(__name__)

Deliver = Callable[[str], Awaitable[None]]


class Queue:
    """One connection to Docket, with a worker on it unless `deliver` is None. `serve` keeps it up until `stop`.

    Args:
        url: Redis, or None for the process's own memory.
        name: tells queues on one Redis (or in one process) apart.
        deliver: called with each task id that arrives, at most `concurrency` at a time.
        wake: called with a profile id whose limit lets a task start now.
        opened: called whenever the connection stands again, when everything pending must be added.
    """

    def __init__(
        self,
        url: str | None,
        *,
        name: str,
        concurrency: int,
        deliver: Deliver,
        wake: Deliver,
        opened: Callable[[], Awaitable[None]],
        works: bool = True,
    ) -> None:
        self._url, self._name, self._concurrency, self._works = url, name, concurrency, works
        self._deliver, self._wake, self._opened = deliver, wake, opened
        self._docket: Docket | None = None
        self._worker: Worker | None = None
        self._working: asyncio.Task[None] | None = None
        self._carried = self._busy = 0
        self._quiet: asyncio.TimerHandle | None = None
        self._run, self._wake_up = _weakly(self.run), _weakly(self.wake)
        self._outgoing: list[tuple[str, datetime | None]] = []
        self._adding = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._recycle = asyncio.Event()

    @property
    def open(self) -> bool:
        return self._docket is not None

    @property
    def has_free_hands(self) -> bool:
        """Whether an id that arrived now would be delivered here at once."""
        return self._works and self.open and self._busy < self._concurrency

    async def serve(self) -> None:
        """Connect, work until `stop`, and connect again whenever Redis was away. Running deliveries are waited for."""
        while not self._stopping.is_set():
            try:
                await self._serve_once()
            except (RedisError, OSError) as error:
                log.warning("Redis is away; tasks wait in the store until it is back: %s", error)
                await _wait(self._stopping, RECONNECT_S)

    def stop(self) -> None:
        """Take no more deliveries; `serve` returns once the running ones have ended."""
        self._stopping.set()

    async def add(self, pending: Iterable[tuple[str, datetime | None]]) -> None:
        """Carry these task ids, each from its time on; ids that are being carried already are left alone."""
        self._outgoing.extend(pending)
        async with self._adding:  # whoever comes first takes along what has gathered: one round trip for all
            going, self._outgoing = self._outgoing, []
            if (docket := self._docket) is None or not going:
                return
            self._rouse()
            self._carried += len(going)
            calls = [docket.call(self._run, when=_later(when), key=task_id)(task_id) for task_id, when in going]
            try:
                await docket.add_many(calls)
            except (RedisError, OSError) as error:
                log.warning("%d tasks wait in the store until Redis is back: %s", len(calls), error)

    async def carry_again(self, task_id: str, when: datetime | None = None) -> None:
        """Carry this id whatever became of an earlier delivery of it, which may just be ending."""
        if (docket := self._docket) is None:
            return
        self._rouse()
        self._carried += 1
        try:
            await docket.replace(self._run, when=_later(when), key=task_id)(task_id)
        except (RedisError, OSError) as error:
            log.warning("Task %s waits in the store until Redis is back: %s", task_id, error)

    async def wake_at(self, profile_id: str, when: datetime) -> None:
        """Have somebody look for this profile's next tasks at that time."""
        if (docket := self._docket) is None:
            return
        try:
            # One for all the refused of the same moment; the second in the key lets a later one be set by then.
            await docket.add(self._wake_up, when=when, key=f"wake:{profile_id}:{when.timestamp():.0f}")(profile_id)
        except (RedisError, OSError):
            log.debug("A wake-up was lost with Redis; the reconciler will find the tasks")

    async def run(self, task_id: str) -> None:
        """What Docket calls for each id that arrives."""
        self._count(+1)
        try:
            await self._deliver(task_id)
        finally:
            self._count(-1)

    async def wake(self, profile_id: str) -> None:
        """What Docket calls at the time of a wake-up."""
        if not self._stopping.is_set() and self.open:
            await self._wake(profile_id)

    def _count(self, change: int) -> None:
        self._busy += change
        self._rouse()
        if not self._busy and self._url is None and self._carried >= RECYCLE_AFTER:
            self._recycle.set()

    def _rouse(self) -> None:
        """Have the worker look for free hands often, until it has been idle for a while."""
        if self._worker is not None:
            self._worker.minimum_check_interval = BUSY_CHECK
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(LINGER_S, self._calm_down)

    def _calm_down(self) -> None:
        if self._worker is not None and not self._busy:
            self._worker.minimum_check_interval = IDLE_CHECK

    async def _ring(self, docket: Docket) -> None:
        """End the wait of a worker that is to stop. On Redis another worker might answer, so there it is waited out."""
        if self._url is None:
            await asyncio.sleep(0.01)
            await docket.add(self._wake_up, key="bell")("bell")
            pause_s = 0.01
            while self._working is not None and not self._working.done():
                await asyncio.sleep(pause_s)
                await docket.cancel("nothing")  # ends the wait of the worker's ear for cancellations, which is 0.1 s
                pause_s *= 2

    async def _serve_once(self) -> None:
        docket = Docket(
            name=self._name, url=self._url or EMBEDDED, execution_ttl=timedelta(0), heartbeat_interval=HEARTBEAT
        )
        docket.register(self._run, names=["run"])
        docket.register(self._wake_up, names=["wake"])
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(docket)
            if self._url is not None:
                async with docket.redis() as redis:
                    await redis.xlen(docket.stream_key)  # raises at once while Redis is away
            ending: list[asyncio.Task[Any]] = [
                asyncio.create_task(self._stopping.wait()),
                asyncio.create_task(self._recycle.wait()),
            ]
            stack.callback(lambda: [task.cancel() for task in ending])
            self._carried = 0
            self._recycle.clear()
            stack.push_async_callback(self._rung)
            if self._works:
                self._working = await self._start_worker(stack, docket)
                ending.append(self._working)
            self._docket = docket
            try:
                await self._opened()
                await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._docket = None
                self._bell = asyncio.create_task(self._ring(docket))
            for task in ending[2:]:
                if task.done():
                    task.result()  # a worker that ended by itself says why

    async def _rung(self) -> None:
        await asyncio.gather(self._bell, return_exceptions=True)
        if self._quiet is not None:
            self._quiet.cancel()

    async def _start_worker(self, stack: AsyncExitStack, docket: Docket) -> "asyncio.Task[None]":
        worker = Worker(
            docket,
            concurrency=self._concurrency,
            redelivery_timeout=REDELIVERY,
            reconnection_delay=timedelta(seconds=RECONNECT_S),
            minimum_check_interval=IDLE_CHECK,
            scheduling_resolution=SCHEDULE_CHECK,
            schedule_automatic_tasks=False,
        )
        self._worker = await stack.enter_async_context(worker)
        return asyncio.create_task(worker.run_forever(), name="spoon docket worker")


def _weakly(method: Deliver) -> Deliver:
    """The same by the same name, holding nothing.

    Docket keeps the signature of each function it was ever given, and with a bound method all that hangs on it: the
    engine and the store of every workbench that was ever opened.
    """
    weak = weakref.WeakMethod(method)

    async def call(name: str) -> None:
        if (found := weak()) is not None:
            await found(name)

    call.__name__ = method.__name__
    return call


def _later(when: datetime | None) -> datetime:
    return when or datetime.now(UTC)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
