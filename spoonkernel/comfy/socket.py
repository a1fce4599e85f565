"""The websocket half of one ComfyUI server: connects again for ever, with a new client id for each connection.

ComfyUI forgets a socket whose client id another one had before: it stays open and says nothing (its PRs 16120, 16243).
And it tells of a prompt only to the client id that it was submitted with. So after each `Connected`, prompts belong to
the new id, and those of the old one are to be looked up over HTTP.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from spoonkernel.comfy.frames import parse_binary, parse_text
from spoonkernel.comfy.messages import Message, NodeText, Preview, Status

CONNECT_S = 10.0  # until the server's first status, which it sends at once
HEARTBEAT_S = 10.0  # ComfyUI never pings: a half-open connection shows only when a ping of ours stays unanswered
CLOSE_S = 1.0
STEADY_S = 5.0  # a connection that lasted this long begins the waiting anew
MAX_FRAME = 64 * 1024 * 1024  # a picture of 1024 px is 3.1 MB; SaveImageWebsocket sends whole results
HELLO = '{"type":"feature_flags","data":{"supports_preview_metadata":true}}'
FAILED = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Connected:
    """What is submitted with this client id from now on is told here."""

    client_id: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """Nothing is told until the next `Connected`. Comes once, however often connecting then fails."""

    reason: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before connecting again; tests bring their own `sleep` and `chance` (0 to 1)."""

    first_s: float = 0.2
    most_s: float = 5.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int) -> float:
        """Doubled with each attempt up to the most, less up to half, so that clients do not come back all at once."""
        return float(min(self.first_s * 2 ** min(attempt, 16), self.most_s) * (1 - 0.5 * self.chance()))


Frame = Connected | Disconnected | Message | Preview | NodeText


class ComfySocket:
    """One connection at a time to one server, for all prompts: `async with ComfySocket(url) as socket`.

    Args:
        url: the server's base URL, http or https; the caller has checked it.
        key: sent as a Bearer token, for servers behind a gateway.
        connector: makes what opens the connections, such as one that refuses link-local addresses.
    """

    def __init__(
        self,
        url: str,
        *,
        label: str = "ComfyUI",
        key: str | None = None,
        backoff: Backoff | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        connect_s: float = CONNECT_S,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
    ) -> None:
        self._url, self._label, self._backoff = url.rstrip("/"), label, backoff or Backoff()
        self._headers = {"user-agent": "spoon"} | ({"authorization": f"Bearer {key}"} if key else {})
        self._heartbeat_s, self._connect_s, self._connector = heartbeat_s, connect_s, connector
        self._session: aiohttp.ClientSession | None = None
        self._client_id: str | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=self._connector() if self._connector else None,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=(_refuse_redirect,),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session, self._client_id = self._session, None, None
        if session is not None:
            await session.close()

    @property
    def client_id(self) -> str | None:
        """What to submit with; None while disconnected, and then nobody hears of what is submitted."""
        return self._client_id

    async def frames(self) -> AsyncGenerator[Frame]:
        """Everything the server says, in order; ends only when the socket is closed. For one reader.

        Unknown and malformed frames are left out. A picture is cut from its frame only when it is asked for.
        """
        attempt, is_told = 0, False
        loop = asyncio.get_running_loop()
        while self._session is not None:
            began, reason = loop.time(), ""
            try:
                async with aclosing(self._connection(self._session)) as frames:
                    async for frame in frames:
                        is_told = is_told and not isinstance(frame, Connected)
                        yield frame
                reason = f"{self._label} closed the connection"
            except FAILED as error:
                reason = _reason(self._label, error)
            finally:
                self._client_id = None
            if self._session is None:
                return
            if not is_told:
                is_told = True
                yield Disconnected(reason)
            attempt = 0 if loop.time() - began >= STEADY_S else attempt
            await self._backoff.sleep(self._backoff.wait_s(attempt))
            attempt += 1

    async def _connection(
        self, session: aiohttp.ClientSession
    ) -> AsyncGenerator[Connected | Message | Preview | NodeText]:
        """One connection, from its `Connected` to its end."""
        asked = str(uuid4())
        async with asyncio.timeout(self._connect_s):
            ws = await session.ws_connect(
                f"{self._url}/ws?{urlencode({'clientId': asked})}",
                headers=self._headers,
                heartbeat=self._heartbeat_s,
                max_msg_size=MAX_FRAME,
                compress=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )
        try:
            # The first frame of all, else previews do not say whose they are
            async with asyncio.timeout(self._connect_s):
                await ws.send_str(HELLO)
                first = await _first_status(ws)
            self._client_id = first.sid or asked
            yield Connected(self._client_id)
            yield first
            async for message in ws:
                frame = _parsed(message)
                if frame is not None:
                    yield frame
            if error := ws.exception():
                raise ConnectionError(str(error)) from error
        finally:
            self._client_id = None
            await ws.close()


async def _first_status(ws: aiohttp.ClientWebSocketResponse) -> Status:
    """The server's greeting: from here on it knows the client. Raises `ValueError` where none comes."""
    async for message in ws:
        frame = _parsed(message)
        if isinstance(frame, Status):
            return frame
    raise ValueError("it did not greet as ComfyUI does")


def _parsed(message: aiohttp.WSMessage) -> Message | Preview | NodeText | None:
    if message.type is aiohttp.WSMsgType.TEXT:
        return parse_text(message.data)
    return parse_binary(message.data) if message.type is aiohttp.WSMsgType.BINARY else None


async def _refuse_redirect(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """A redirect could lead anywhere; aiohttp follows those of a websocket unless they are stopped here."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise ValueError("it answered with a redirect, which is not followed; check its URL")
    return response


def _reason(label: str, error: BaseException) -> str:
    """Why there is no connection. aiohttp's errors are not quoted whole: one holds the request's headers, and a key."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"{label} refused the websocket (HTTP {error.status}); check its URL and key"
    if isinstance(error, TimeoutError):
        return f"{label} did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"Cannot connect to {label}. Is it running?"
    if isinstance(error, ValueError):
        return f"{label}: {error}"
    return f"The connection to {label} broke"
