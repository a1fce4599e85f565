"""A provider on a real socket, for tests: plays the bytes it is given and notes what it was asked, and who hung up.

async with Upstream() as upstream:
    go_on = asyncio.Event()
    upstream.reply("/api/chat", chunks=[b'{"message": ...}\\n', go_on, STALL])
    ...                                # the code under test, pointed at upstream.url
    await upstream.received()          # the next request has arrived: `upstream.requests[-1]`
    await upstream.closed()            # and its client has hung up
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 10.0  # a test that waits longer has failed


class Play(Enum):
    STALL = "say nothing more until the client hangs up"
    ABORT = "reset the connection"
    CLOSE = "close the connection in the middle of the body"


STALL, ABORT, CLOSE = Play.STALL, Play.ABORT, Play.CLOSE
Step = bytes | asyncio.Event | Play
"""Part of a body: bytes to send, an event to wait for, or an ending."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. With `chunks` the body is sent step by step in chunked encoding, each step as soon as it may be."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Sequence[Step] | None = None


def read_recording(path: Path) -> Reply:
    """A recording as `curl -i` prints it: notes (`#` or `$`), the status line, headers, a blank line, the body."""
    lines = path.read_bytes().splitlines(keepends=True)
    while lines[0].startswith((b"#", b"$")):
        lines.pop(0)
    status = int(lines.pop(0).split()[1])
    headers: dict[str, str] = {}
    while line := lines.pop(0).strip():
        name, _, value = line.decode().partition(":")
        if name.lower() not in {"content-length", "transfer-encoding", "date"}:
            headers[name.lower()] = value.strip()
    return Reply(status, headers, b"".join(lines))


@dataclass(slots=True)
class Received:
    """One request as it arrived. `closed` is set once its client has hung up."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Upstream:
    """The server. What nobody set a reply for is answered 404."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._replies: dict[str, deque[Reply]] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Condition()
        self._awaited = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def reply(
        self,
        path: str,
        reply: Reply | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        json: Any = None,
        chunks: Sequence[Step] | None = None,
    ) -> None:
        """What the next request for a path (without its query) gets. Several play in order; the last one stays."""
        if reply is None:
            content = _json_bytes(json) if json is not None else body
            kind = {"content-type": "application/json"} if json is not None else {}
            reply = Reply(status, kind | dict(headers or {}), content, chunks)
        self._replies.setdefault(path, deque()).append(reply)

    async def received(self) -> Received:
        """The next request, in order, as soon as it is here."""
        self._awaited += 1
        number = self._awaited
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    async def closed(self, number: int = -1) -> None:
        """Returns once the client of a request (the last one) has hung up."""
        async with asyncio.timeout(PATIENCE_S):
            await self.requests[number].closed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None  # noqa: S101 - a server's callback runs in a task; for the type checker
        self._connections.add(connection)
        try:
            await self._answer_all(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # hung up, or the test is over
        finally:
            self._connections.discard(connection)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = b""
        while True:
            request = await _read_request(start, reader)
            self.requests.append(request)
            async with self._arrived:
                self._arrived.notify_all()
            # The first byte of a next request, or nothing when the client hangs up: both may come at any time
            after = asyncio.create_task(reader.read(1))
            after.add_done_callback(partial(_note_close, request.closed))
            try:
                if not await _play(self._next_reply(request.path), writer, after):
                    return
                start = await after
            finally:
                after.cancel()
            if not start:
                return

    def _next_reply(self, path: str) -> Reply:
        waiting = self._replies.get(path)
        if not waiting:
            return Reply(404, {"content-type": "text/plain"}, b"404 page not found")
        return waiting.popleft() if len(waiting) > 1 else waiting[0]


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def _note_close(closed: asyncio.Event, read: "asyncio.Task[bytes]") -> None:
    if read.cancelled() or read.exception() or not read.result():
        closed.set()


async def _read_request(start: bytes, reader: asyncio.StreamReader) -> Received:
    head = (start + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, query, headers, body)


async def _play(reply: Reply, writer: asyncio.StreamWriter, after: "asyncio.Task[bytes]") -> bool:
    """Send an answer; False when the connection is then of no more use."""
    length = {"transfer-encoding": "chunked"} if reply.chunks is not None else {"content-length": str(len(reply.body))}
    head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase if reply.status in _PHRASES else 'Other'}"]
    head += [f"{name}: {value}" for name, value in (length | dict(reply.headers)).items()]
    writer.write("\r\n".join([*head, "", ""]).encode("latin-1") + reply.body)
    await writer.drain()
    if reply.chunks is None:
        return True
    for step in reply.chunks:
        if isinstance(step, bytes):
            writer.write(b"%x\r\n%b\r\n" % (len(step), step))
            await writer.drain()
        elif isinstance(step, asyncio.Event):
            await _either(step, after)
        elif step is STALL:
            await asyncio.wait([after])
            return False
        else:
            if step is ABORT:
                writer.transport.abort()
            return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


_PHRASES = {status.value for status in HTTPStatus}


async def _either(step: asyncio.Event, after: "asyncio.Task[bytes]") -> None:
    """Returns at the event; raises `ConnectionResetError` if the client hangs up before."""
    waiting = asyncio.create_task(step.wait())
    await asyncio.wait([waiting, after], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not step.is_set():
        raise ConnectionResetError
