"""The websocket half of ComfyUI against a real aiohttp server, which ComfyUI is: greetings, frames, losses, returns."""

import asyncio
import base64
import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from comfy_transcripts import TRANSCRIPTS, text_frames
from spoonkernel.comfy.messages import Executing, ExecutionStart, ExecutionSuccess, NodeText, Preview, Status
from spoonkernel.comfy.socket import Backoff, ComfySocket, Connected, Disconnected

PATIENCE_S = 10.0
Play = Callable[[web.WebSocketResponse], Awaitable[None]]


class Server:
    """Greets as ComfyUI does, then plays what it is given, one play for each connection; the last one stays."""

    def __init__(self, *plays: Play) -> None:
        self.plays = list(plays)
        self.ids: list[str] = []
        self.hellos: asyncio.Queue[Any] = asyncio.Queue()
        self.headers: list[dict[str, str]] = []
        self.left = asyncio.Event()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.ids.append(request.query["clientId"])
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        sid = request.query["clientId"]
        await ws.send_json({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": sid}})
        self.hellos.put_nowait((await ws.receive()).json())
        try:
            await play(ws)
        finally:
            self.left.set()
        return ws


@asynccontextmanager
async def serving(*routes: web.RouteDef, port: int = 0) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_socket(url: str, **options: Any) -> AsyncIterator[tuple[ComfySocket, AsyncIterator[Any]]]:
    """A socket and its frames, with a deadline for the whole test."""
    options = {"backoff": Backoff(first_s=0.01, most_s=0.02)} | options
    async with (
        asyncio.timeout(PATIENCE_S),
        ComfySocket(url, label="My ComfyUI", **options) as socket,
        aclosing(socket.frames()) as frames,
    ):
        yield socket, frames


async def until(frames: AsyncIterator[Any], kind: type) -> Any:
    async for frame in frames:
        if isinstance(frame, kind):
            return frame
    raise AssertionError(f"the frames ended without {kind}")


async def stay(ws: web.WebSocketResponse) -> None:
    async for _ in ws:
        pass


def say(*frames: str | bytes, then: Play = stay) -> Play:
    async def play(ws: web.WebSocketResponse) -> None:
        for frame in frames:
            await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
        await then(ws)

    return play


async def leave(ws: web.WebSocketResponse) -> None:
    await ws.close()


async def test_the_first_message_asks_for_previews_that_name_their_node() -> None:
    server = Server(say())
    async with serving(web.get("/ws", server.handle)) as url, open_socket(url, key="k" * 12) as (socket, frames):
        assert socket.client_id is None
        connected = await anext(frames)
        assert connected == Connected(server.ids[0])
        assert socket.client_id == server.ids[0]
        assert await anext(frames) == Status(0, server.ids[0])
        hello = await server.hellos.get()
        assert hello == {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
        assert server.headers[0]["authorization"] == "Bearer " + "k" * 12
        assert "origin" not in server.headers[0]
        assert "sec-websocket-extensions" not in server.headers[0]


async def test_a_recorded_run_arrives_whole_and_junk_is_left_out() -> None:
    run = list(text_frames("03", "A"))
    preview = (TRANSCRIPTS / "preview_event4_sample.bin").read_bytes()
    text = struct.pack(">II", 3, 1) + b"9hello"
    server = Server(say("{", '{"type":"crystools","data":{}}', b"\x00", preview, text, *run))
    async with serving(web.get("/ws", server.handle)) as url, open_socket(url) as (_, frames):
        await until(frames, Status)
        picture = await anext(frames)
        assert isinstance(picture, Preview)
        assert picture.node_id == "3"
        assert await anext(frames) == NodeText("9", "hello")
        told = [await anext(frames) for _ in run]
        assert [type(one) for one in told if isinstance(one, ExecutionStart | ExecutionSuccess)] == [
            ExecutionStart,
            ExecutionSuccess,
        ]
        assert told[-1] == Executing(told[-1].prompt_id, None)


async def test_trap_04_every_connection_has_an_id_of_its_own() -> None:
    server = Server(say(then=leave), say(then=leave), say())
    async with serving(web.get("/ws", server.handle)) as url, open_socket(url) as (socket, frames):
        for number in range(3):
            connected = await until(frames, Connected)
            assert connected.client_id == server.ids[number] == socket.client_id
            if number < 2:
                lost = await until(frames, Disconnected)
                assert lost.reason == "My ComfyUI closed the connection"
                assert socket.client_id is None
        assert len(set(server.ids)) == 3


async def test_a_server_that_is_away_is_told_once_and_found_when_it_is_back() -> None:
    async with serving() as url:
        port = int(url.rpartition(":")[2])
    tries, enough = 0, asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal tries
        tries += 1
        if tries >= 5:
            enough.set()
        await asyncio.sleep(0.001)

    async with open_socket(url, backoff=Backoff(sleep=sleep)) as (_, frames):
        assert await anext(frames) == Disconnected("Cannot connect to My ComfyUI. Is it running?")
        later = asyncio.ensure_future(anext(frames))
        await enough.wait()
        assert not later.done()
        server = Server(say())
        async with serving(web.get("/ws", server.handle), port=port):
            assert isinstance(await later, Connected)


def test_waiting_grows_from_a_fifth_of_a_second_to_five_less_up_to_half() -> None:
    steady, hasty = Backoff(chance=lambda: 0.0), Backoff(chance=lambda: 1.0)
    assert [steady.wait_s(n) for n in (0, 1, 2, 3, 4, 5, 9, 99_999)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert [hasty.wait_s(n) for n in (0, 99)] == [0.1, 2.5]


async def test_short_connections_one_after_the_other_are_waited_for_longer_each_time() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    server = Server(say(then=leave), say(then=leave), say(then=leave), say())
    backoff = Backoff(sleep=sleep, chance=lambda: 0.0)
    async with serving(web.get("/ws", server.handle)) as url, open_socket(url, backoff=backoff) as (_, frames):
        for _ in range(4):
            await until(frames, Connected)
    assert waits == [0.2, 0.4, 0.8]


async def test_a_picture_of_three_megabytes_arrives() -> None:
    picture = struct.pack(">II", 1, 2) + b"\x89PNG\r\n\x1a\n" + b"x" * 3_100_000
    server = Server(say(picture))
    async with serving(web.get("/ws", server.handle)) as url, open_socket(url) as (_, frames):
        preview = await until(frames, Preview)
        assert preview.size_bytes == 3_100_008
        assert preview.image == picture[8:]


async def test_trap_12_a_server_that_went_silent_is_noticed_by_a_ping() -> None:
    silent: list[asyncio.StreamWriter] = []

    async def half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shakes hands and greets, then answers nothing: as if the cable had been pulled."""
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line.split()[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        greeting = b'{"type":"status","data":{"status":{"exec_info":{"queue_remaining":0}}}}'
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: %b\r\n\r\n" % _accept(key))
        writer.write(bytes([0x81, len(greeting)]) + greeting)
        silent.append(writer)

    server = await asyncio.start_server(half_open, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with open_socket(url, heartbeat_s=0.1) as (_, frames):
        await until(frames, Connected)
        lost = await until(frames, Disconnected)
        assert lost.reason == "The connection to My ComfyUI broke"
    for writer in silent:
        writer.close()
    server.close()
    await server.wait_closed()


def _accept(key: bytes) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2"""
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


async def test_a_server_that_does_not_greet_is_left() -> None:
    async def mute(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await stay(ws)
        return ws

    async with serving(web.get("/ws", mute)) as url, open_socket(url, connect_s=0.1) as (_, frames):
        assert await anext(frames) == Disconnected("My ComfyUI did not answer in time")


async def test_a_redirect_is_not_followed() -> None:
    server = Server(say())

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    routes = web.get("/ws", redirect), web.get("/elsewhere", server.handle)
    async with serving(*routes) as url, open_socket(url) as (_, frames):
        lost = await anext(frames)
        assert lost == Disconnected("My ComfyUI: it answered with a redirect, which is not followed; check its URL")
    assert server.ids == []


async def test_a_refused_key_is_told_without_the_key() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=401)

    async with serving(web.get("/ws", refuse)) as url, open_socket(url, key="secret-key-1234") as (_, frames):
        lost = await anext(frames)
        assert lost == Disconnected("My ComfyUI refused the websocket (HTTP 401); check its URL and key")


async def test_cancelling_the_reader_hangs_up() -> None:
    server = Server(say())
    async with serving(web.get("/ws", server.handle)) as url, ComfySocket(url) as socket:
        connected = asyncio.Event()

        async def read() -> None:
            async with aclosing(socket.frames()) as frames:
                async for frame in frames:
                    if isinstance(frame, Connected):
                        connected.set()

        reading = asyncio.create_task(read())
        async with asyncio.timeout(PATIENCE_S):
            await connected.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert socket.client_id is None
            await server.left.wait()


async def test_closing_the_socket_ends_the_frames() -> None:
    server = Server(say())
    async with serving(web.get("/ws", server.handle)) as url:
        socket = ComfySocket(url)
        async with asyncio.timeout(PATIENCE_S):
            await socket.__aenter__()
            frames = socket.frames()
            await until(frames, Status)
            waiting = asyncio.ensure_future(anext(frames, "ended"))
            await asyncio.sleep(0)
            await socket.__aexit__(None, None, None)
            assert await waiting == "ended"


async def test_the_connector_is_the_callers_choice(tmp_path: Path) -> None:
    server = Server(say())
    app = web.Application()
    app.add_routes([web.get("/ws", server.handle)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    path = str(tmp_path / "s")
    async with open_socket("http://comfy", connector=lambda: aiohttp.UnixConnector(path)) as (_, frames):
        assert isinstance(await anext(frames), Connected)
    await runner.cleanup()
