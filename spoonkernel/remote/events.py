"""A server's events, heard through the official Socket.IO client for Python: one connection for all who listen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from spoonkernel.errors import BadRequest, ProviderConnectionError, SpoonError
from spoonkernel.remote.access import refusal
from spoonkernel.types.events import ALL_CONVERSATIONS, ALL_GENERATIONS, ALL_TASKS, AnyEvent, parse_event

if TYPE_CHECKING:
    import aiohttp

BUFFER = 1_000  # events that a reader may lag behind, as on the embedded bus; the oldest go first
ANSWER_TIMEOUT_S = 10.0


class EventFeed:
    """The events of one server. The connection opens with the first listener and closes with the last."""

    def __init__(self, url: str, headers: httpx.Headers) -> None:
        self._url, self._headers = url, headers
        self._waiting: list[asyncio.Queue[AnyEvent]] = []
        self._changing = asyncio.Lock()
        self._connection = contextlib.AsyncExitStack()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[AnyEvent]]:
        """Every event from here on, also after the connection was lost and found again.

        Raises:
            BadRequest: python-socketio is not installed.
            Unauthorized: the server wants a token, or another one.
            ProviderConnectionError: the server does not answer.
        """
        waiting: asyncio.Queue[AnyEvent] = asyncio.Queue(BUFFER)
        async with self._changing:
            if not self._waiting:
                await self._connect()
            self._waiting.append(waiting)
        try:
            yield _read(waiting)
        finally:
            self._waiting.remove(waiting)
            async with self._changing:
                if not self._waiting:
                    await self._connection.aclose()

    async def _connect(self) -> None:
        async with contextlib.AsyncExitStack() as opened:
            socketio = _library()
            session = await opened.enter_async_context(_Session(self._url, self._headers))
            client = socketio.AsyncClient(handle_sigint=False, http_session=session.client)
            opened.push_async_callback(client.shutdown)
            joined = asyncio.Event()

            async def connected() -> None:  # also after every reconnection: rooms do not outlive a connection
                for room in (ALL_TASKS, ALL_GENERATIONS, ALL_CONVERSATIONS):
                    await client.call(f"subscribe:{room}", timeout=ANSWER_TIMEOUT_S)
                joined.set()

            client.on("*", self._heard)
            client.on("connect", connected)
            try:
                await client.connect(self._url, headers=dict(self._headers))
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await joined.wait()
            except (socketio.exceptions.ConnectionError, TimeoutError) as error:
                raise session.refused or ProviderConnectionError(
                    f"Cannot connect to Spoon at {self._url}. Is it running?"
                ) from error
            self._connection = opened.pop_all()

    async def _heard(self, kind: str, payload: Any = None) -> None:
        with suppress(ValidationError, TypeError):  # an event of a newer server, which nobody here asked for
            event = parse_event(kind, payload)
            for waiting in self._waiting:
                if waiting.full():
                    waiting.get_nowait()
                waiting.put_nowait(event)


class _Session:
    """The HTTP of one Socket.IO connection. It follows no redirect, so that nobody else gets what it carries."""

    def __init__(self, url: str, headers: httpx.Headers) -> None:
        self._url, self._headers = url, headers
        self.refused: SpoonError | None = None

    async def __aenter__(self) -> "_Session":
        import aiohttp

        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(self._redirected)
        trace.on_request_end.append(self._ended)
        self.client: aiohttp.ClientSession = aiohttp.ClientSession(trace_configs=[trace])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def _redirected(self, _: object, __: object, params: "aiohttp.TraceRequestRedirectParams") -> None:
        import aiohttp

        self._note(params.response)
        raise aiohttp.ClientConnectionError("redirect")

    async def _ended(self, _: object, __: object, params: "aiohttp.TraceRequestEndParams") -> None:
        self._note(params.response)

    def _note(self, answer: "aiohttp.ClientResponse") -> None:
        self.refused = refusal(self._url, answer.status, self._headers, answer.headers.get("location"))


def _library() -> Any:
    try:
        import socketio
    except ImportError as error:
        raise BadRequest(
            "Events of a server need the Socket.IO client: pip install 'spoon-workbench[server]'"
        ) from error
    return socketio


async def _read(waiting: "asyncio.Queue[AnyEvent]") -> AsyncIterator[AnyEvent]:
    while True:
        yield await waiting.get()
