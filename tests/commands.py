"""`spoon` commands as processes of their own."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator

READY = re.compile(r"Spoon is ready at (http://\S+)  \(API docs: \1/docs\)\n")


def environment(**more: str) -> dict[str, str]:
    """The own environment without anything that would name a store, a Redis or a provider."""
    ours = ("DB_", "DATABASE_", "REDIS_", "SPOON_", "OLLAMA_", "COMFYUI_", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more


class Served:
    """A running server; `url` is what its ready line said."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    async def end(self, number: int = signal.SIGTERM, deadline_s: float = 30.0) -> tuple[int, str, str]:
        self.process.send_signal(number)
        async with asyncio.timeout(deadline_s):
            out, err = await self.process.communicate()
        return self.process.returncode or 0, out.decode(), err.decode()


async def spoon(*arguments: str, **environ: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spoonkernel.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**environ),
    )


@contextlib.asynccontextmanager
async def serving(*arguments: str, **environ: str) -> AsyncIterator[Served]:
    process = await spoon("serve", *arguments, **environ)
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
            if not line:
                raise AssertionError((await process.stderr.read()).decode())
        ready = READY.fullmatch(line)
        assert ready, line
        yield Served(process, ready[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
