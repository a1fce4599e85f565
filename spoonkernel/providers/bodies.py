"""Large request bodies: a picture of some megabytes that is written at once holds up everything else on the loop."""

from collections.abc import AsyncIterator

import httpx
from httpx_aiohttp import AiohttpTransport

LARGE = 2**20  # beyond this aiohttp itself warns
PIECE = 2**18


class SteadyTransport(AiohttpTransport):
    """Sends large bodies piece by piece, and with their length, which some servers want to know."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if int(request.headers.get("content-length", 0)) > LARGE:
            request = httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                stream=_Pieces(request.content),
                extensions=request.extensions,
            )
        return await super().handle_async_request(request)


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), PIECE):
            yield self._content[start : start + PIECE]
