"""Questions to the child process: one at a time, each with a deadline, and a new child after a kill."""

import asyncio
import contextlib
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Self

from spoonkernel.errors import QueryStopped, SpoonError, StoreUnavailable, ValidationFailed
from spoonkernel.query.catalog import Catalog
from spoonkernel.query.frames import Frame
from spoonkernel.query.process import Ended, Process

START_TIMEOUT_S = 30.0
SYNC_TIMEOUT_S = 120.0
"""For the first copy of a large store; later ones take milliseconds."""
GRACE_S = 0.3
"""How long a statement may take to hear "stop" before its process is killed."""
CLOSED = "The workbench is closed: open it again"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may take."""

    timeout_s: float = 10.0
    memory_mb: int = 1_024
    threads: int = 2
    max_bytes: int = 16 * 1024 * 1024
    """Of an answer in JSON."""
    max_arrow_bytes: int = 64 * 1024 * 1024
    wait_s: float = 30.0
    """How long a question waits for the ones before it."""
    idle_s: float = 900.0
    """How long the child is kept when nobody asks: it holds a copy of the store in memory."""


class QueryChild:
    """The child of one workbench. It starts with the first question, or with `warm`."""

    def __init__(self, store: str, catalog: Catalog, limits: Limits | None = None) -> None:
        """`store` is SQLAlchemy's address of it; it goes to the child over its pipe."""
        self._store, self._catalog, self.limits = store, catalog, limits or Limits()
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._chores: set[asyncio.Task[None]] = set()
        self._halting: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        await self._drop()  # whoever still waits for an answer hears of it by that
        for chore in self._chores:
            chore.cancel()
        if self._chores:
            await asyncio.wait(self._chores)
        await self._drop()  # one that a chore had begun to start

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return self._process.pid if self._process and self._process.is_running else None

    def warm(self) -> None:
        """Start the child and copy the store in the background, so that the next question finds it ready."""
        if not self._closed:
            self._begin(self._warm(), "spoon query child")

    async def ask(
        self,
        sql: str,
        parameters: dict[str, Any],
        *,
        limit: int,
        op: Literal["query", "arrow"] = "query",
    ) -> Frame:
        """Run one statement on the store's present state.

        The frame's head has `fields`, `types`, `rows` (how many), `truncated`, `duration_ms` and `sync_ms`; its body is
        a JSON array of objects, or with `arrow` an Arrow IPC stream, which has every row or is an error.

        Raises:
            ValidationFailed: it is not one reading statement, or DuckDB refuses it.
            QueryStopped: it ran into a limit.
            StoreUnavailable: the store cannot be read.
            BadRequest: the libraries for it are not installed.
        """
        size = self.limits.max_bytes if op == "query" else self.limits.max_arrow_bytes
        question = {"op": op, "sql": sql, "parameters": parameters, "limit": limit, "max_bytes": size}
        await self._take_turn()
        try:
            process, copied = await self._ready()
            frame = await self._answer(process, question)
            if frame.head.pop("spent", False):
                process.is_spent = True
                self.warm()
            _checked(frame)
        finally:
            self._turn.release()
            self._rest()
        frame.head["sync_ms"] = copied.head["sync_ms"]
        return frame

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self.limits.wait_s):
                await self._turn.acquire()
        except TimeoutError:
            raise QueryStopped(
                f"Other questions were still running after {self.limits.wait_s:g} s; ask again"
            ) from None

    async def _ready(self) -> tuple[Process, Frame]:
        """A child that has what the store has now, and what the copy says. It has its own limit: a large store is not
        the asker's fault, and when the asker goes away the copying goes on for the next one."""
        if self._halting is not None:
            await asyncio.wait({self._halting})
        ended: Ended | None = None
        for _ in range(2):
            process = await self._running()
            try:
                async with asyncio.timeout(SYNC_TIMEOUT_S):
                    copied = await process.ask({"op": "sync"})
            except TimeoutError:
                await self._drop()
                raise StoreUnavailable(f"The store could not be copied within {SYNC_TIMEOUT_S:.0f} s") from None
            except Ended as how:  # it may have ended long before, unnoticed
                ended = how
                continue
            if copied.head.get("kind") != "outdated":
                return process, _checked(copied)
            await self._drop()
        raise self._told("Copying the store", ended) if ended else StoreUnavailable("The store is being changed")

    async def _running(self) -> Process:
        if self._closed:
            raise StoreUnavailable(CLOSED)
        if self._process is None or not self._process.is_running or self._process.is_spent:
            await self._drop()
            setup = {"store": self._store, "catalog": self._catalog.to_json(), "limits": asdict(self.limits)}
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    self._process = await Process.start(setup)
            except TimeoutError:
                raise StoreUnavailable(
                    f"The process for questions was not ready within {START_TIMEOUT_S:.0f} s"
                ) from None
            except Ended as ended:
                raise StoreUnavailable(f"The process for questions did not start ({ended})") from None
        return self._process

    async def _answer(self, process: Process, question: dict[str, Any]) -> Frame:
        number, answer = process.send(question)
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            raise QueryStopped(f"Stopped: it ran into the time limit of {self.limits.timeout_s:g} s") from None
        except Ended as ended:
            self.warm()
            raise self._told("The statement", ended) from None
        finally:
            if not answer.done():  # out of time, or the asker went away
                self._halting = self._begin(self._halt(process, number, answer), "spoon query stop")

    async def _halt(self, process: Process, number: int, answer: "asyncio.Future[Frame]") -> None:
        """Interrupt a statement; a child that does not listen is killed, and another one warmed up."""
        process.stop(number)
        await asyncio.wait({answer}, timeout=GRACE_S)
        if answer.done() and answer.exception() is None and "spent" not in answer.result().head:
            return
        await process.kill()
        if answer.done():
            answer.exception()  # it was ended by that: nobody else will look
        self.warm()

    async def _warm(self) -> None:
        with contextlib.suppress(SpoonError):  # the next question tries again, and says so
            async with self._turn:
                await self._ready()

    def _rest(self) -> None:
        """Let the child go when nobody asks for a while."""
        if self._idle is not None:
            self._idle.cancel()
        if not self._closed:
            self._idle = asyncio.get_running_loop().call_later(
                self.limits.idle_s, lambda: self._begin(self._let_go(), "spoon query idle")
            )

    async def _let_go(self) -> None:
        async with self._turn:
            await self._drop()

    def _begin(self, work: Any, name: str) -> "asyncio.Task[None]":
        chore: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)
        return chore

    async def _drop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.kill()

    def _told(self, what: str, ended: Ended) -> SpoonError:
        if self._closed:
            return StoreUnavailable(CLOSED)
        return QueryStopped(
            f"{what} ended the process for questions ({ended}): most likely it needed more than the "
            f"{self.limits.memory_mb} MB of memory that it may take"
        )


def _checked(frame: Frame) -> Frame:
    match frame.head:
        case {"error": str(message), "kind": "stopped"}:
            raise QueryStopped(message)
        case {"error": str(message), "kind": "store"}:
            raise StoreUnavailable(message)
        case {"error": str(message)}:
            raise ValidationFailed(message)
    return frame
