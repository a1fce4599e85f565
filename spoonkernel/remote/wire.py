"""The HTTP shell of a remote workbench: requests out, envelopes, files and event streams back, errors raised again."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import httpx

from spoonkernel.errors import ProviderConnectionError, RateLimited, SpoonError, from_code
from spoonkernel.providers.address import trusted
from spoonkernel.providers.bodies import SteadyTransport
from spoonkernel.remote.access import refusal
from spoonkernel.types.base import Media

TIMEOUT = httpx.Timeout(connect=5.0, read=None, write=60.0, pool=None)
"""In seconds. An answer has no deadline of its own: the server's providers have theirs, and long is no failure."""


class Wire:
    """One server's requests. `open` and `close` come in pairs, on the same event loop."""

    def __init__(self, url: str, headers: httpx.Headers) -> None:
        self.url, self._headers = url, headers
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        # httpx alone slows down as requests run side by side; aiohttp carries them. Redirects are not followed: a token
        # would go with them
        self._client = httpx.AsyncClient(
            base_url=self.url, headers=self._headers, timeout=TIMEOUT, transport=SteadyTransport(verify=trusted())
        )

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def answer(self, method: str, path: str, **request: Any) -> Any:
        """The envelope of a JSON answer, or a file as `Media`. `request` is httpx's `params`, `json`, `headers`."""
        async with self._send(method, path, **request) as reply:
            content = await reply.aread()
            if _kind(reply) == "application/json" and "content-disposition" not in reply.headers:
                return _envelope(reply, content)
            return Media(content=content, content_type=_kind(reply), filename=_filename(reply))

    async def media(self, path: str) -> Media:
        """A file of the server."""
        found: Media = await self.answer("GET", path)
        return found

    async def events(self, method: str, path: str, **request: Any) -> AsyncGenerator[tuple[str, Any], None]:
        """The events of a stream, as name and data. Closing the generator closes the request behind it."""
        async with self._send(method, path, **request) as reply:
            event = ""
            async for line in _lines(reply):
                name, _, value = line.partition(b": ")
                if name == b"event":
                    event = value.decode()
                elif name == b"data":
                    yield event, json.loads(value)

    @asynccontextmanager
    async def _send(self, method: str, path: str, **request: Any) -> AsyncIterator[httpx.Response]:
        if self._client is None:
            raise ProviderConnectionError("The remote workbench is not open: use `async with RemoteWorkbench(...)`")
        try:
            async with self._client.stream(method, path, **request) as reply:
                if refused := refusal(self.url, reply.status_code, self._headers, reply.headers.get("location")):
                    raise refused
                if reply.status_code >= 400:
                    raise _error(reply, await reply.aread())
                yield reply
        except httpx.TransportError as error:
            raise ProviderConnectionError(f"Cannot connect to Spoon at {self.url}. Is it running?") from error


def told_error(body: dict[str, Any], retry_after_s: float | None = None) -> SpoonError:
    """The error that an envelope tells of, with all that it carries."""
    error = from_code(str(body.get("code", "")), str(body.get("error", "The server gave no reason")))
    if (partial := body.get("partial")) is not None:
        error.with_partial(str(partial))
    return error.after(retry_after_s)


def _envelope(reply: httpx.Response, content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "success" not in body:
        raise ProviderConnectionError(f"What answers at {reply.url.host} is no Spoon server")
    return body


def _error(reply: httpx.Response, content: bytes) -> SpoonError:
    error = told_error(_envelope(reply, content))
    wait = reply.headers.get("retry-after", "")
    return error.after(float(wait)) if isinstance(error, RateLimited) and wait.isdigit() else error


async def _lines(reply: httpx.Response) -> AsyncIterator[bytes]:
    """Lines as the server ends them, by line feeds: httpx's own `aiter_lines` also splits inside a JSON text, at
    characters like U+2028."""
    rest = b""
    async for piece in reply.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line


def _kind(reply: httpx.Response) -> str:
    kind: str = reply.headers.get("content-type", "application/octet-stream")
    return kind.partition(";")[0].strip()


def _filename(reply: httpx.Response) -> str:
    """The name of a file, in the exact form of RFC 6266 (`filename*`) where there is one."""
    header = reply.headers.get("content-disposition", "")
    if exact := re.search(r"filename\*=UTF-8''([^;\s]+)", header):
        return unquote(exact[1])
    plain = re.search(r'filename="([^"]*)"', header)
    return plain[1] if plain else "download"
