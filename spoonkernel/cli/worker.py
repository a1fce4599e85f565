"""`spoon worker`: runs the tasks of a server in a process of its own, any number of them on any number of machines."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack

from spoonkernel.config import Config, read_config
from spoonkernel.errors import BadRequest
from spoonkernel.workbench import Workbench

REDIS_S, POLL_S = 3.0, 0.05  # how long to wait for Redis before saying that it is away
GRACE_S = 5.0  # beside the deadline for tasks, for what closes after them


def run(args: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT (or, attached, until stdin closes); then 0."""
    config = read_config(data=args.data)
    if not config.redis_url:
        raise BadRequest(
            "A worker takes its tasks from Redis, and none is named: set REDIS_URL to that of its server. "
            "Without Redis the server and the notebooks run their tasks themselves"
        )
    return asyncio.run(_work(config, attached=args.attached))


async def _work(config: Config, *, attached: bool) -> int:
    stopping = asyncio.Event()
    _on_stop(asyncio.get_running_loop(), stopping.set, attached=attached)
    async with AsyncExitStack() as opened:
        workbench = await opened.enter_async_context(Workbench(config, role="worker"))
        if not await _reaches_redis(workbench):
            print("spoon: Redis does not answer yet; tasks run once it does", file=sys.stderr, flush=True)
        print(f"Spoon worker {os.getpid()} is ready: up to {config.concurrency} tasks at once", flush=True)
        await stopping.wait()
        try:
            async with asyncio.timeout(config.stop_deadline_s + GRACE_S):
                await opened.aclose()
        except TimeoutError:
            print("spoon: the worker did not stop in time; what it ran is taken up again", file=sys.stderr, flush=True)
            os._exit(1)
    return 0


async def _reaches_redis(workbench: Workbench) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REDIS_S):
            while (await workbench.health.check()).services.redis != "connected":  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(POLL_S)
            return True
    return False


def _on_stop(loop: asyncio.AbstractEventLoop, stop: Callable[[], None], *, attached: bool) -> None:
    """Call `stop` at the first signal, or when stdin closes; a second signal ends the process at once."""
    asked = threading.Event()

    def heard(number: int, _frame: object) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()
        loop.call_soon_threadsafe(stop)

    def orphaned() -> None:
        while os.read(0, 1024):
            pass
        loop.call_soon_threadsafe(stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, heard)
    if attached:
        threading.Thread(target=orphaned, daemon=True).start()
