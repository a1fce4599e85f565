"""Real servers for tests: an application under uvicorn, on a free port of the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from spoonserver.run import server_config

START_TIMEOUT_S = 20.0
LOOK_S = 0.002


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The application's address, from when it answers until the block is left."""
    # asyncio sends at once on sockets that say they are TCP; on those of `socket.create_server` each answer took 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Prompt(server_config(app, log_config=None, timeout_graceful_shutdown=2))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        waiting = asyncio.create_task(server.answers.wait())
        try:
            await asyncio.wait({running, waiting}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            if not server.started:
                raise RuntimeError("the application did not start; its log says why")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            waiting.cancel()
            server.should_exit = True
            server.leaves.set()
            await running


class _Prompt(uvicorn.Server):
    """uvicorn looks ten times a second whether it is to end, and whether all have left: 0.2 s for each of 600 tests.

    This one hears of the one and looks often for the other. How uvicorn itself ends is for `test_serve`.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers, self.leaves = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)  # writes the headers that every answer has
        await self.leaves.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in [*self.servers, *(sockets or [])]:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()
        await self.lifespan.shutdown()
