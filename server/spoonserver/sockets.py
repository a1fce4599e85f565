"""The events of the reference over Socket.IO (protocol 5): https://socket.io/docs/v4/socket-io-protocol/.

There may be several server processes, and each has its own sockets in its own memory. That is enough: every process
hears every event through the kernel's bus (Redis, where there is more than one), so no Socket.IO broker is needed.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from spoonkernel.types.events import AnyEvent
from spoonserver.deps import ServedWorkbench
from spoonserver.errors import log_unforeseen
from spoonserver.guard import MAX_SOCKET_BODY_BYTES, SOCKETS_PATH
from spoonserver.subscriptions import Subscriptions

if TYPE_CHECKING:
    import socketio

RESUME_AFTER_S = 1.0

UNUSED = ("tornado", "requests", "valkey", "sanic")
"""What python-socketio loads as soon as it is installed (with JupyterLab, say), for servers and clients that we are
not: 10 MB, a tenth of an idle server."""


def create_server() -> "socketio.AsyncServer":
    """The Socket.IO server, deaf and mute until `forwarding`. Origins are the guard's business."""
    with _without(UNUSED):
        import socketio
    return socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[], max_http_buffer_size=MAX_SOCKET_BODY_BYTES)


def asgi(server: "socketio.AsyncServer") -> Any:
    """The ASGI application of the server, for its path."""
    import socketio

    return socketio.ASGIApp(server, socketio_path=SOCKETS_PATH)


@contextmanager
def _without(modules: tuple[str, ...]) -> Iterator[None]:
    """Make imports of modules that are not loaded yet fail for a moment."""
    absent = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None is how an import is made to fail
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@asynccontextmanager
async def forwarding(server: "socketio.AsyncServer", workbench: ServedWorkbench) -> AsyncIterator[None]:
    """Take subscriptions and pass the workbench's events on, until left."""
    Subscriptions(server, workbench).install()
    listening = asyncio.Event()
    forwarder = asyncio.create_task(_forward(server, workbench, listening))
    try:
        await listening.wait()  # from here on no event is missed
        yield
    finally:
        forwarder.cancel()
        await asyncio.gather(forwarder, return_exceptions=True)
        await server.shutdown()


async def _forward(server: "socketio.AsyncServer", workbench: ServedWorkbench, listening: asyncio.Event) -> None:
    while True:
        try:
            async with workbench.events() as events:
                listening.set()
                async for event in events:
                    await _emit(server, event)
        except Exception as error:  # noqa: BLE001  # the edge of a background loop: it goes on
            log_unforeseen(error)
        await asyncio.sleep(RESUME_AFTER_S)


async def _emit(server: "socketio.AsyncServer", event: AnyEvent) -> None:
    """To everyone, or once to each socket that is in at least one of the event's rooms."""
    if event.everywhere:
        await server.emit(event.kind, event.payload())
    else:
        await server.emit(event.kind, event.payload(), room=event.rooms())
