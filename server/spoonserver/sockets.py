"""The events of the reference over Socket.IO (protocol 5): https://socket.io/docs/v4/socket-io-protocol/.

There may be several server processes, and each has its own sockets in its own memory. That is enough: every process
hears every event through the kernel's bus (Redis, where there is more than one), so no Socket.IO broker is needed.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from spoonkernel.errors import BadRequest, SpoonError
from spoonkernel.types.events import ALL_TASKS, AnyEvent, task_room
from spoonserver.deps import ServedWorkbench
from spoonserver.envelope import Confirmation, Data, error_body
from spoonserver.errors import log_unforeseen
from spoonserver.guard import MAX_SOCKET_BODY_BYTES, SOCKETS_PATH

if TYPE_CHECKING:
    import socketio

MAX_ROOMS = 200  # per socket; who watches more tasks than that takes `subscribe:tasks`
RESUME_AFTER_S = 1.0

UNUSED = ("tornado", "requests", "valkey", "sanic")
"""What python-socketio loads as soon as it is installed (with JupyterLab, say), for servers and clients that we are
not: 10 MB, a tenth of an idle server."""

logger = logging.getLogger(__name__)

Ack = dict[str, Any]


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
    _take_subscriptions(server, workbench)
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


def _take_subscriptions(server: "socketio.AsyncServer", workbench: ServedWorkbench) -> None:
    async def connect(_sid: str, _environ: dict[str, Any], _auth: Any = None) -> None:
        """Everyone whom the guard let through."""

    async def subscribe_task(sid: str, task_id: Any = None) -> Ack:
        """Join first, read then: what happens in between is heard, and the answer is never older than the room."""
        try:
            room = task_room(_checked_id(task_id))
            await _join(server, sid, room)
            try:
                task = await workbench.tasks.get(task_id)
            except SpoonError:
                await server.leave_room(sid, room)
                raise
        except SpoonError as error:
            return error_body(error).model_dump()
        return Data(data=task).model_dump(mode="json")

    async def unsubscribe_task(sid: str, task_id: Any = None) -> Ack:
        try:
            await server.leave_room(sid, task_room(_checked_id(task_id)))
        except SpoonError as error:
            return error_body(error).model_dump()
        return Confirmation(message=f"No more events of task {task_id}").model_dump()

    async def subscribe_tasks(sid: str, _: Any = None) -> Ack:
        await server.enter_room(sid, ALL_TASKS)
        return Confirmation(message="Events of all tasks").model_dump()

    async def unsubscribe_tasks(sid: str, _: Any = None) -> Ack:
        await server.leave_room(sid, ALL_TASKS)
        return Confirmation(message="No more events of all tasks").model_dump()

    server.on("connect", connect)
    server.on("subscribe:task", subscribe_task)
    server.on("unsubscribe:task", unsubscribe_task)
    server.on("subscribe:tasks", subscribe_tasks)
    server.on("unsubscribe:tasks", unsubscribe_tasks)


async def _join(server: "socketio.AsyncServer", sid: str, room: str) -> None:
    joined = server.rooms(sid)
    if room not in joined and len(joined) >= MAX_ROOMS:
        raise BadRequest(f"A socket can watch {MAX_ROOMS} tasks at most: take subscribe:tasks, or unsubscribe some")
    await server.enter_room(sid, room)


def _checked_id(task_id: Any) -> str:
    if not isinstance(task_id, str) or not 0 < len(task_id) <= 100:
        raise BadRequest("subscribe:task and unsubscribe:task take the id of a task")
    return task_id
