"""One life of the server: everything that a restart loses."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web

from spoonkernel.testing.comfy_sim.catalog import Catalog
from spoonkernel.testing.comfy_sim.execution import Executor
from spoonkernel.testing.comfy_sim.faults import Faults
from spoonkernel.testing.comfy_sim.files import Files
from spoonkernel.testing.comfy_sim.queue import PromptQueue
from spoonkernel.testing.comfy_sim.sockets import Sockets
from spoonkernel.testing.comfy_sim.validation import Validator

MOST_UPLOAD = 100 * 1024 * 1024
MODERN = (0, 38)
"""From this version on there are jobs and assets, and prompt ids must be UUIDs."""


class World:
    """Queue, history, cache, sockets and the number of the next prompt."""

    def __init__(
        self,
        *,
        version: str,
        files: Files,
        catalog: Catalog,
        faults: Faults,
        model_bytes: dict[str, bytes],
        seconds_per_step: Callable[[], float],
        previews: bool,
        started: Callable[[str], None],
        submitted: Callable[[str], None],
    ) -> None:
        self.version, self.files, self.catalog, self.faults = version, files, catalog, faults
        self.model_bytes, self.submitted = model_bytes, submitted
        self.modern = tuple(int(part) for part in version.split(".")[:2]) >= MODERN
        self.number = 0
        self.sockets = Sockets(lambda: self.queue.remaining, self.features())
        self.queue = PromptQueue(self.sockets.status)
        self.validator = Validator(catalog, lambda name: files.input_path(name) is not None, modern=self.modern)
        self.executor = Executor(
            queue=self.queue,
            sockets=self.sockets,
            catalog=catalog,
            files=files,
            faults=faults,
            model_bytes=model_bytes,
            seconds_per_step=seconds_per_step,
            previews=previews,
            started=started,
        )
        self.connections: set[asyncio.Transport] = set()
        self._opened = AsyncExitStack()

    def features(self) -> dict[str, Any]:
        """What the server tells of itself at `/features` and to a client's feature flags."""
        told: dict[str, Any] = {"supports_preview_metadata": True, "max_upload_size": MOST_UPLOAD}
        if self.modern:
            told |= {"supports_model_type_tags": True, "node_replacements": True, "assets": True}
            told["extension"] = {"manager": {"supports_v4": True}}
        return told

    async def open(self, app: web.Application, host: str, port: int) -> int:
        """Listen and begin to work; returns the port."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._opened.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, host, port, reuse_address=True)
        try:
            await site.start()
        except OSError:
            await self._opened.aclose()
            raise
        workers = [asyncio.create_task(self.sockets.publish()), asyncio.create_task(self.executor.work())]
        self._opened.push_async_callback(_stop, workers)
        bound: int = runner.addresses[0][1]
        return bound

    async def close(self) -> None:
        """Stop at once: every connection is cut, nothing is told to anybody."""
        self.faults.thaw()
        for connection in list(self.connections):
            connection.abort()
        await self._opened.aclose()


async def _stop(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
