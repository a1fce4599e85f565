"""A plain client of a simulated ComfyUI, for tests of the simulation itself."""

import io
import json
from typing import Any

import aiohttp
from PIL import Image

from comfy_replay import until
from spoonkernel.testing.comfy_sim import SimulatedComfyUI


class Client:
    """What a test asks of the simulation."""

    def __init__(self, sim: SimulatedComfyUI, http: aiohttp.ClientSession) -> None:
        self.sim, self.http = sim, http

    async def get(self, path: str, **params: Any) -> Any:
        async with self.http.get(path, params=params) as answer:
            return await answer.json()

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        async with self.http.post(path, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json() if answer.content_type == "application/json" else await answer.read()

    async def submit(self, graph: dict[str, Any], **more: Any) -> str:
        prompt_id: str = (await self.post("/prompt", {"prompt": graph, **more}))["prompt_id"]
        return prompt_id

    async def run(self, graph: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Submit, wait, and return the history's entry."""
        prompt_id = await self.submit(graph, **more)
        await until(lambda: prompt_id in self.sim.queue.history and self.sim.queue.remaining == 0)
        entry: dict[str, Any] = (await self.get(f"/history/{prompt_id}"))[prompt_id]
        return entry

    async def files(self, entry: dict[str, Any], kind: str = "images") -> list[bytes]:
        """The files of a run, in the order of its outputs."""
        found = []
        for output in entry["outputs"].values():
            for item in output.get(kind, []):
                async with self.http.get("/view", params=item) as answer:
                    assert answer.status == 200, item
                    found.append(await answer.read())
        return found

    async def pixels(self, graph: dict[str, Any]) -> list[bytes]:
        """The pixels of every picture that a graph makes."""
        return [Image.open(io.BytesIO(content)).tobytes() for content in await self.files(await self.run(graph))]

    async def listen(self, client_id: str) -> aiohttp.ClientWebSocketResponse:
        socket = await self.http.ws_connect(f"/ws?clientId={client_id}", max_msg_size=0)
        await socket.receive(timeout=5)
        return socket


async def heard(socket: aiohttp.ClientWebSocketResponse, until_type: str) -> list[dict[str, Any]]:
    """The text frames of a socket up to and with one of a type."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != until_type:
        message = await socket.receive(timeout=5)
        assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, message
        if message.type is aiohttp.WSMsgType.TEXT:
            found.append(json.loads(message.data))
    return found
