"""Real servers for tests: an application under uvicorn, on a free port of the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from spoonserver.run import server_config

START_TIMEOUT_S = 20.0


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The application's address, from when it answers until the block is left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(server_config(app, log_config=None, timeout_graceful_shutdown=2))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not server.started and not running.done():  # uvicorn has no event to wait for
                    await asyncio.sleep(0.01)
            if running.done():
                running.result()
                raise RuntimeError("the application did not start; its log says why")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running
