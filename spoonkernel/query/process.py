"""One child process as the parent holds it: numbered questions go in, answers come out, and its end is told at once.

Nothing of this needs DuckDB: the library is loaded in the child only.
"""

import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import signal
import sys
from typing import Any, Self

from spoonkernel.errors import BadRequest
from spoonkernel.query.frames import LENGTHS, Frame

NEEDED = ("duckdb", "adbc_driver_sqlite", "adbc_driver_postgresql", "nanoarrow", "pytz")


class Ended(Exception):
    """The process is gone; the words say how."""


class Process:
    """A running child. What it has not answered when it ends raises `Ended`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.is_spent = False
        """Whether its statements have left it so little memory that another one should take the next."""
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, setup: dict[str, Any]) -> Self:
        """Start a child with its first frame. It answers that with number 0 once it can be asked.

        Raises:
            BadRequest: its libraries are not installed.
            Ended: it did not come up.
        """
        if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
            raise BadRequest(
                f"Questions in SQL are not installed ({', '.join(missing)}): pip install 'spoon-workbench[query]'"
            )
        child = cls(await spawn("spoonkernel.query.worker"))
        try:
            await child._ask(0, Frame(setup))
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None and self._reader is not None and not self._reader.done()

    async def ask(self, question: dict[str, Any]) -> Frame:
        """The answer to a question. When the caller is cancelled, the child goes on and its answer is dropped."""
        number = next(self._numbers)
        return await self._ask(number, Frame(question | {"n": number}))

    def send(self, question: dict[str, Any]) -> "tuple[int, asyncio.Future[Frame]]":
        """Ask without waiting: the question's number, and what will be its answer."""
        number = next(self._numbers)
        return number, self._put(number, Frame(question | {"n": number}))

    def stop(self, number: int) -> None:
        """Interrupt that question; its answer says that it was stopped, or is the answer all the same."""
        self._write(Frame({"op": "stop", "n": number}))

    async def kill(self) -> None:
        """End the process at once, and wait for that: it holds nothing that is worth a farewell."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        if self._reader is not None:
            await asyncio.wait({self._reader})
        if self._process.stdin:
            self._process.stdin.close()

    async def _ask(self, number: int, frame: Frame) -> Frame:
        answer = self._put(number, frame)
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def _put(self, number: int, frame: Frame) -> "asyncio.Future[Frame]":
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="spoon query answers")
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._write(frame)
        return answer

    def _write(self, frame: Frame) -> None:
        """Without waiting until it is taken: a question is small, and what cannot be written ends the reader too."""
        if self._process.stdin and not self._process.stdin.is_closing():
            self._process.stdin.write(frame.packed())

    async def _read(self) -> None:
        """Hand answers to those who wait for them, until the pipe ends."""
        stdout = self._process.stdout
        assert stdout  # noqa: S101  # a pipe, says `spawn`
        try:
            while True:
                head, body = LENGTHS.unpack(await stdout.readexactly(LENGTHS.size))
                frame = Frame(json.loads(await stdout.readexactly(head)), await stdout.readexactly(body))
                answer = self._waiting.pop(frame.head["n"], None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
        except (asyncio.IncompleteReadError, OSError):
            how = _how_it_ended(await self._process.wait())
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Ended(how))
            self._waiting.clear()


async def spawn(module: str) -> asyncio.subprocess.Process:
    """A Python of ours that runs `module`: no environment, no argument that tells anything, no group of ours."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module),  # -P: nothing from the current folder
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd=os.sep,
        start_new_session=True,  # a signal to our group (Ctrl-C, Stop in a notebook) is for us to act on
    )


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
