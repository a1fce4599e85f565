"""The sockets of one server, with their traps: `websocket_handler` and `send_sync` of ComfyUI's `server.py`."""

import asyncio
import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from spoonkernel.testing.comfy_sim import frames

Message = tuple[str | bytes, str | None]


class Sockets:
    """Sockets by client id. There is one for an id: a second takes its place, and whoever ends first removes it.

    Args:
        remaining: how many prompts wait or run.
        features: what the server answers to a client's feature flags.
    """

    def __init__(self, remaining: Callable[[], int], features: dict[str, Any]) -> None:
        self._remaining, self._features = remaining, features
        self._by_id: dict[str, web.WebSocketResponse] = {}
        self._flags: dict[str, dict[str, Any]] = {}
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self.open: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self.muted: set[web.WebSocketResponse] = set()
        self.client_id: str | None = None
        """Whose prompt is running or has run last."""
        self.last_node_id: str | None = None

    def post(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """Send a text frame soon, in order; without a client id to everybody."""
        if self._by_id:
            self._messages.put_nowait((frames.text(kind, data), client_id))

    def post_bytes(self, frame: bytes, client_id: str | None = None) -> None:
        """The same for a binary frame."""
        self._messages.put_nowait((frame, client_id))

    def status(self) -> None:
        """Tell everybody how many prompts remain."""
        self.post("status", self._status())

    def hears(self, client_id: str | None) -> bool:
        """Whether a frame for this client id (None: for everybody) would reach anyone."""
        return bool(self._by_id) if client_id is None else client_id in self._by_id

    def knows_metadata(self, client_id: str | None) -> bool:
        """Whether a client has said that it knows previews with metadata."""
        flags = self._flags.get(client_id) if client_id is not None else None
        return bool(flags and flags.get("supports_preview_metadata"))

    async def publish(self) -> None:
        """Send what was posted, until cancelled."""
        while True:
            frame, client_id = await self._messages.get()
            if client_id is None:
                for socket in list(self._by_id.values()):
                    await self._send(socket, frame)
            elif client_id in self._by_id:
                await self._send(self._by_id[client_id], frame)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One socket from its opening to its end."""
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        client_id = request.query.get("clientId", "")
        if client_id:
            self._by_id.pop(client_id, None)
        else:
            client_id = uuid.uuid4().hex
        self._by_id[client_id] = socket
        self._flags[client_id] = {}
        self.open[socket] = request.transport if isinstance(request.transport, asyncio.Transport) else None
        try:
            await self._send(socket, frames.text("status", self._status() | {"sid": client_id}))
            if self.client_id == client_id and self.last_node_id is not None:
                await self._send(socket, frames.text("executing", {"node": self.last_node_id}))
            await self._listen(socket, client_id)
        finally:
            self.open.pop(socket, None)
            self.muted.discard(socket)
            self._by_id.pop(client_id, None)  # as ComfyUI does it: if a newer socket has this id, that one goes deaf
            self._flags.pop(client_id, None)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, client_id: str) -> None:
        first = True
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                with suppress(ValueError, AttributeError):
                    said = json.loads(message.data)
                    if first and said.get("type") == "feature_flags":
                        self._flags[client_id] = said.get("data", {})
                        await self._send(socket, frames.text("feature_flags", self._features))
                    first = False

    def _status(self) -> dict[str, Any]:
        return {"status": {"exec_info": {"queue_remaining": self._remaining()}}}

    async def _send(self, socket: web.WebSocketResponse, frame: str | bytes) -> None:
        if socket in self.muted:
            return
        with suppress(ConnectionError, RuntimeError):  # it has gone in the meantime, as ComfyUI's `send_socket_catch`
            if isinstance(frame, bytes):
                await socket.send_bytes(frame)
            else:
                await socket.send_str(frame)
