"""What a request body may be: at most so many bytes, counted while they arrive, and JSON that every store can keep."""

import asyncio
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

MAX_BODY_BYTES = 16_000_000
MAX_UPLOAD_BYTES = 104_857_600  # what ComfyUI takes itself, unless it is started with another limit
LINGER_S = 2.0  # how long a refused sender may go on before the connection is closed under it
LINGER_BYTES = 64_000_000  # and how much of what it still sends is dropped

_SUSPICIOUS = re.compile(rb"\\u0000|[eE]\+?\d{3}|\d{309}")
"""The only ways to write a NUL character or a number beyond a double; everything else needs no closer look."""


class BodyLimit:
    """The `receive` and `send` of one request, with its body counted.

    A sender that is refused while still sending would often see its connection break instead of the answer, so the
    answer goes out at once and what is still coming is read and dropped for a moment.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive, self._send, self._max_bytes = receive, send, max_bytes
        self._read = 0
        self._refused = self._at_end = False
        length = dict(scope["headers"]).get(b"content-length", b"0")
        self._announced = int(length) if length.isdigit() else 0

    async def receive(self) -> Message:
        """The next piece. Raises `HTTPException` 413 as soon as the limit is passed, or at once if it is announced."""
        if self._announced > self._max_bytes:
            self._refuse()
        message = await self._next()
        if self._read > self._max_bytes:
            self._refuse()
        return message

    async def send(self, message: Message) -> None:
        if not self._refused:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send({**message, "headers": [*message["headers"], (b"connection", b"close")]})
        else:
            await self._send({**message, "more_body": True})
            if not message.get("more_body", False):
                await self._linger()
                await self._send({"type": "http.response.body", "body": b""})

    def _refuse(self) -> None:
        self._refused = True
        raise HTTPException(
            413, f"The body is larger than the {self._max_bytes:,} bytes allowed here; send less at once"
        )

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._at_end = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(LINGER_S):
                while not self._at_end and self._read < self._max_bytes + LINGER_BYTES:
                    await self._next()
        except TimeoutError:
            return


class StrictRoute(APIRoute):
    """A route that reads its JSON with `parse_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


class _StrictRequest(Request):
    async def json(self) -> Any:
        return parse_json(await self.body())


def parse_json(body: bytes) -> Any:
    """The value of a JSON text, or `HTTPException` 400.

    Refused beside broken JSON: NaN and infinities, lone surrogates, more than 200 levels (the parser's own limit), and
    NUL characters, which Postgres cannot store.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}") from error
    if _SUSPICIOUS.search(body) and (reason := _unstorable(value)):
        raise HTTPException(400, f"The body is not valid here: {reason}")
    return value


def _unstorable(value: Any) -> str | None:
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            rest += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            rest += item
        elif isinstance(item, str) and "\0" in item:
            return "it has a NUL character in a text"
        elif isinstance(item, float) and not math.isfinite(item):
            return "it has a number beyond the range of a double"
    return None
