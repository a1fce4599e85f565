"""What every handle does: it is awaited, waited for, iterated, cancelled and shown, on any loop and in any thread.

The work and all of a handle's state live on the workbench's own loop. What others see of it is one future and plain
attributes.
"""

import asyncio
import concurrent.futures
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Generator
from typing import Any, ClassVar, Generic, Literal, TypeVar

from spoonkernel.errors import BadRequest, RunFailed, SpoonError
from spoonkernel.handles.call import ticking
from spoonkernel.handles.line import Bundle, Line, status_line
from spoonkernel.handles.opened import LiveWorkbench

T = TypeVar("T")
E = TypeVar("E")
R = TypeVar("R")

RunStatus = Literal["pending", "running", "complete", "failed", "cancelled"]
ENDED: tuple[RunStatus, ...] = ("complete", "failed", "cancelled")
CANCELLED = "Cancelled"
FINAL_S = 5.0
"""How long an output may wait for the pictures of a handle that has ended."""
CLOSED = "The workbench was closed before it ended"

log = logging.getLogger(__name__)


class Handle(ABC, Generic[T, E]):
    """Work under way on a workbench. Await it, or take `result()`, as often as you like; interrupting either stops the
    work itself, as does cancelling the task that awaits it (`asyncio.shield` keeps it going).

    `async for` gives what happens: first where things stand, then each event, until the end.
    """

    KEPT_EVENTS: ClassVar[int | None] = 1_000
    """How many events a reader may lag behind before the oldest go; None keeps all."""

    def __init__(self, workbench: LiveWorkbench) -> None:
        """Starts the work. Raises `BadRequest` when the workbench is closed."""
        self._workbench = workbench
        self._outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._outcome.set_running_or_notify_cancel()  # whoever stops waiting does not end it by that: `cancel` does
        self._status: RunStatus = "pending"
        self._progress = 0.0
        self._readers: list[_Reader[E]] = []
        self._lines: list[Line] = []
        self._stopping = False
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._doing: asyncio.Task[T] | None = None
        workbench.start(self._live())

    # -- what a subclass says of its work; all of it runs on the workbench's loop ------------------------------------

    @abstractmethod
    async def _work(self) -> T:
        """Do it, and return what awaiting the handle gives. Is cancelled by `cancel`."""

    @abstractmethod
    async def _stop(self) -> T:
        """Stop what `_work` left running when it was cancelled. Raises `RunFailed`, or returns what had ended well."""

    @abstractmethod
    def _standing(self) -> list[E]:
        """The events that tell where things stand now. Any thread once it has ended."""

    @abstractmethod
    def _shown(self) -> Bundle:
        """The present state of what goes on. Everything escaped. Any thread."""

    @abstractmethod
    async def _kept(self) -> Bundle:
        """What stays in the notebook once it has ended. Everything escaped."""

    @abstractmethod
    def _is_told(self, failure: Exception) -> bool:
        """Whether the events end with this failure; one that they do not tell is raised at their end."""

    @property
    @abstractmethod
    def id(self) -> str | None:
        """Its id in the workbench; None until there is one."""

    # -- for everybody -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> RunStatus:
        """`pending` until somebody works on it, then `running`, then `complete`, `failed` or `cancelled`."""
        return self._status

    @property
    def progress(self) -> float:
        """0 to 1; 1 once it is complete."""
        return 1.0 if self._status == "complete" else self._progress

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._outcome.done()

    def __await__(self) -> Generator[Any, None, T]:
        return self._ended_well().__await__()

    async def _ended_well(self) -> T:
        try:
            return await self._until(ticking(self._outcome))
        finally:
            self._repeat_lines()

    def result(self, timeout: float | None = None) -> T:
        """Block until it has ended. `timeout` in seconds: `TimeoutError` when it runs out, and the work goes on.

        Raises:
            RunFailed: it failed or was cancelled; the message is its row's error, `row` the row.
            SpoonError: it could not be started; what the workbench said.
        """
        if self._is_own_loop() and not self.done():
            raise BadRequest("result() would block the loop that does the work: await the handle here")
        try:
            return self._outcome.result(timeout)
        except KeyboardInterrupt:
            self.cancel()
            raise
        finally:
            self._repeat_lines()

    def cancel(self) -> bool:
        """Ask it to stop, where it runs; False when it had ended already. Returns at once: await the handle to be sure.

        Whoever awaits it gets `RunFailed`, unless it came to its end first.
        """
        if self.done():
            return False
        try:
            self._workbench.start(self._ask_to_stop())
        except BadRequest:  # the workbench is closed, which has ended it
            return False
        return True

    def _is_own_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:  # no loop runs in this thread
            return False

    async def __aiter__(self) -> AsyncIterator[E]:
        if self.done():
            for event in self._standing():
                yield event
        else:
            reader = await self._there(self._open_reader())
            while not (reader.ended and not reader.waiting):
                for event in await self._there(reader.take()):
                    yield event
        self._repeat_lines()
        if self._failure is not None and not self._is_told(self._failure):
            raise self._failure

    def _ipython_display_(self) -> None:
        line = Line(self._shown)
        if self.done():
            line.show(self._final())
        else:
            line.show(self._shown())
            self._workbench.start(self._follow(line))

    def _final(self) -> Bundle:
        """What stays, at once, so that it is there when a headless run ends with this cell."""
        try:
            return self._workbench.start(self._kept_or_plain()).result(FINAL_S)
        except (SpoonError, TimeoutError):
            return {"text/plain": repr(self)}

    def __repr__(self) -> str:
        how_far = f" {self.progress:.0%}" if self._status == "running" and self._progress else ""
        name = " ".join(filter(None, [type(self).__name__, self.id]))
        return f"<{name}: {self._status}{how_far}{self._detail()}>"

    def _detail(self) -> str:
        """What `repr` adds: why it failed."""
        return f", {self._failure}" if self._failure is not None and self._status == "failed" else ""

    def _broken(self) -> Bundle:
        """What stays of one that did not come to a good end."""
        state = "Cancelled" if self._status == "cancelled" else "Failed"
        note = "" if self._failure is None or self._status == "cancelled" else str(self._failure)
        return {"text/html": status_line(state, note=note), "text/plain": repr(self)}

    # -- on the workbench's loop -------------------------------------------------------------------------------------

    def _moved(self, *events: E, status: RunStatus | None = None, progress: float | None = None) -> None:
        """Something happened: readers hear the events, live lines follow."""
        self._status = status or self._status
        self._progress = self._progress if progress is None else progress
        for reader in self._readers:
            reader.give(events)
        for line in self._lines:
            line.changed()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._doing = asyncio.create_task(self._work())
        try:
            outcome = await self._ending(self._doing)
        except asyncio.CancelledError:  # the workbench closes; what runs elsewhere goes on
            self._lines.clear()
            await self._end("failed", error=RunFailed(CLOSED))
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait for the handle must hear of it
            cancelled = isinstance(error, RunFailed) and error.message.startswith(CANCELLED)
            await self._end("cancelled" if cancelled else "failed", error=error)
        else:
            await self._end("complete", outcome=outcome)

    async def _ending(self, doing: "asyncio.Task[T]") -> T:
        try:
            return await doing
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        return await self._stop()

    async def _end(self, status: RunStatus, *, outcome: Any = None, error: Exception | None = None) -> None:
        self._status, self._failure = status, error
        if self._lines:  # before anybody goes on: a headless run may be over with the cell that waits
            bundle = await self._kept_or_plain()
            for line in self._lines:
                line.finish(bundle)
        if error is not None:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(outcome)
        for reader in self._readers:
            reader.end()
        self._readers.clear()

    async def _ask_to_stop(self) -> None:
        if self._doing is not None and not self._stopping:
            self._stopping = True
            self._doing.cancel()

    async def _open_reader(self) -> "_Reader[E]":
        reader: _Reader[E] = _Reader(self.KEPT_EVENTS)
        reader.give(self._standing())
        if self.done():
            reader.end()
        else:
            self._readers.append(reader)
        return reader

    async def _follow(self, line: Line) -> None:
        if self._status in ENDED:  # between showing the line and following it
            line.finish(await self._kept_or_plain())
        else:
            line.changed()
        self._lines.append(line)

    async def _kept_or_plain(self) -> Bundle:
        try:
            return await self._kept()
        except Exception:  # the end must be told, whatever keeps it from being pretty
            log.warning("The last output of %r could not be made", self, exc_info=True)
            return {"text/plain": repr(self)}

    def _repeat_lines(self) -> None:
        """Any thread, once somebody has waited."""
        if self.done():
            for line in list(self._lines):
                line.repeat()

    # -- on the caller's loop ----------------------------------------------------------------------------------------

    async def _there(self, work: Coroutine[Any, Any, R]) -> R:
        return await self._until(ticking(self._workbench.start(work)))

    async def _until(self, waiting: Coroutine[Any, Any, R]) -> R:
        """Wait, and stop the work when the wait is cancelled: that is how an interrupt of the kernel arrives."""
        try:
            return await waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # not we were cancelled: the workbench was closed
                raise RunFailed(CLOSED) from None
            self.cancel()
            raise


class _Reader(Generic[E]):
    """What one `async for` has not seen yet."""

    def __init__(self, most: int | None) -> None:
        self.waiting: deque[E] = deque(maxlen=most)
        self.ended = False
        self._news = asyncio.Event()

    def give(self, events: "list[E] | tuple[E, ...]") -> None:
        self.waiting.extend(events)
        self._news.set()

    def end(self) -> None:
        self.ended = True
        self._news.set()

    async def take(self) -> list[E]:
        """All that is new, once there is something, or nothing at the end."""
        while not self.waiting and not self.ended:
            self._news.clear()
            await self._news.wait()
        taken = list(self.waiting)
        self.waiting.clear()
        return taken
