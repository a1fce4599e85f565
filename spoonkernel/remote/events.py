"""A server's events, heard through the official Socket.IO client for Python."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from spoonkernel.errors import BadRequest, ProviderConnectionError
from spoonkernel.types.events import ALL_GENERATIONS, ALL_TASKS, AnyEvent, parse_event

if TYPE_CHECKING:
    import socketio

BUFFER = 1_000  # events that a reader may lag behind, as on the embedded bus; the oldest go first
ANSWER_TIMEOUT_S = 10.0


@asynccontextmanager
async def listen(url: str, headers: dict[str, str]) -> AsyncIterator[AsyncIterator[AnyEvent]]:
    """Every event from here on, also after the connection was lost and found again.

    Raises:
        BadRequest: python-socketio is not installed.
        ProviderConnectionError: the server does not answer.
    """
    client = _new_client()
    waiting: asyncio.Queue[AnyEvent] = asyncio.Queue(BUFFER)

    async def heard(kind: str, payload: Any = None) -> None:
        with suppress(ValidationError, TypeError):  # an event of a newer server, which nobody here asked for
            event = parse_event(kind, payload)
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(event)

    joined = asyncio.Event()

    async def connected() -> None:  # also after every reconnection: rooms do not outlive a connection
        for room in (ALL_TASKS, ALL_GENERATIONS):
            await client.call(f"subscribe:{room}", timeout=ANSWER_TIMEOUT_S)
        joined.set()

    client.on("*", heard)
    client.on("connect", connected)
    await _connect(client, url, headers, joined)
    try:
        yield _read(waiting)
    finally:
        await client.shutdown()


def _new_client() -> "socketio.AsyncClient":
    try:
        import socketio
    except ImportError as error:
        raise BadRequest(
            "Events of a server need the Socket.IO client: pip install 'spoon-workbench[server]'"
        ) from error
    return socketio.AsyncClient(handle_sigint=False)


async def _connect(client: "socketio.AsyncClient", url: str, headers: dict[str, str], joined: asyncio.Event) -> None:
    from socketio.exceptions import (
        ConnectionError as NoConnection,
    )

    try:
        await client.connect(url, headers=headers)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await joined.wait()
    except (NoConnection, TimeoutError) as error:
        await client.shutdown()
        raise ProviderConnectionError(f"Cannot connect to Spoon at {url}. Is it running?") from error


async def _read(waiting: "asyncio.Queue[AnyEvent]") -> AsyncIterator[AnyEvent]:
    while True:
        yield await waiting.get()
