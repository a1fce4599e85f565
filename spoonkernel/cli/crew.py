"""The worker processes of `spoon serve --workers N`: started with it, started again when one dies, stopped with it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from spoonkernel.config import Config

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0  # before a worker that died is started again
STOP_MARGIN_S = 5.0  # beside the deadline that the worker itself keeps


@contextlib.asynccontextmanager
async def crew(config: Config, count: int) -> AsyncIterator[None]:
    """`count` workers for as long as the block lasts."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(1, count + 1):
            group.create_task(_keep(config, number, stopping))
        try:
            yield
        finally:
            stopping.set()


async def _keep(config: Config, number: int, stopping: asyncio.Event) -> None:
    """One worker until `stopping`, with a new process whenever it dies."""
    wait_s = FIRST_WAIT_S
    while not stopping.is_set():
        code = await _run(config, stopping)
        if code is None:
            return
        print(f"spoon: worker {number} ended with exit code {code}; starting it again", file=sys.stderr, flush=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stopping.wait()
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


async def _run(config: Config, stopping: asyncio.Event) -> int | None:
    """Run one process; its exit code when it died, None when it was stopped."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "spoonkernel.cli", "worker", "--attached", "--data", str(config.data_dir)),
        stdin=asyncio.subprocess.PIPE,  # it stops when this closes, so it cannot outlive us
        stdout=sys.stderr,  # our own stdout is for the line that we are ready
        start_new_session=True,  # Ctrl-C is for us to act on
    )
    ended, told = asyncio.ensure_future(process.wait()), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        return None if stopping.is_set() else ended.result()
    finally:
        told.cancel()
        await _stop(process, ended, config.stop_deadline_s + STOP_MARGIN_S)


async def _stop(process: asyncio.subprocess.Process, ended: "asyncio.Future[int]", deadline_s: float) -> None:
    if process.stdin:
        process.stdin.close()
    await asyncio.wait({ended}, timeout=deadline_s)
    if process.returncode is None:
        process.kill()
        await process.wait()
