"""A real ipykernel in a process of its own, driven as a front end drives it."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

from jupyter_client.manager import AsyncKernelManager

REPLY_S = 30.0


class Kernel:
    """`run` executes a cell; `interrupt` is the front end's stop button: SIGINT."""

    def __init__(self, manager, client):
        self._manager, self._client = manager, client
        self.outputs = []

    async def run(self, code):
        """Execute a cell and return its reply; its outputs are in `outputs`."""
        self.outputs = []
        return await self._client.execute_interactive(
            code, store_history=True, stop_on_error=False, output_hook=self.outputs.append, timeout=REPLY_S
        )

    async def start(self, code):
        """A cell that is still running: the task of its reply."""
        task = asyncio.create_task(self.run(code))
        async with asyncio.timeout(REPLY_S):
            while not any(message["header"]["msg_type"] == "stream" for message in self.outputs):
                await asyncio.sleep(0.005)
        return task

    async def interrupt(self):
        """Returns the moment of the signal."""
        moment = time.monotonic()
        await self._manager.interrupt_kernel()
        return moment

    @property
    def text(self):
        """What the last cell printed."""
        return "".join(m["content"]["text"] for m in self.outputs if m["header"]["msg_type"] == "stream")

    def shown(self, kind):
        """The data of this MIME type that the last cell displayed or rewrote, in order."""
        return [m["content"]["data"][kind] for m in self.outputs if kind in m["content"].get("data", {})]


@asynccontextmanager
async def kernel(**env):
    """A kernel with these variables in its environment."""
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(env=os.environ | env)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=REPLY_S)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
