"""Which socket hears what: the messages that sockets send, and how many of them.

`subscribe:task`, `subscribe:session` and `subscribe:conversation` (ours) take an id, `subscribe:tasks`,
`subscribe:generations` and `subscribe:conversations` (ours) nothing; `unsubscribe:...` leaves again. Every message is
acknowledged, with an envelope like those of the HTTP endpoints.
"""

import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from spoonkernel.errors import BadRequest, RateLimited, SpoonError
from spoonkernel.types.events import (
    ALL_CONVERSATIONS,
    ALL_GENERATIONS,
    ALL_TASKS,
    conversation_room,
    session_room,
    task_room,
)
from spoonserver.deps import ServedWorkbench
from spoonserver.envelope import Confirmation, Data, error_body
from spoonserver.errors import log_unforeseen

if TYPE_CHECKING:
    import socketio

MAX_ROOMS = 200  # per socket; who watches more than that takes `subscribe:tasks` or `subscribe:generations`
MESSAGES_S = 100  # of one socket, in the long run
BURST = 300  # a client that has lost its connection takes all its rooms again at once
MAX_SOCKETS = 200  # of one address

Ack = dict[str, Any]
Answer = Callable[[str, Any], Coroutine[Any, Any, BaseModel]]


class Subscriptions:
    """The handlers of one Socket.IO server."""

    def __init__(self, server: "socketio.AsyncServer", workbench: ServedWorkbench) -> None:
        self._server, self._workbench = server, workbench
        self._addresses: dict[str, str] = {}
        self._paces: dict[str, _Pace] = {}

    def install(self) -> None:
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._watch("task", "tasks", task_room)
        self._watch("session", "sessions", session_room)
        self._watch("conversation", "conversations", conversation_room)
        for room in (ALL_TASKS, ALL_GENERATIONS, ALL_CONVERSATIONS):
            self._watch_all(room)
        self._server.on("*", self._unknown)

    async def _connect(self, sid: str, environ: dict[str, Any], _auth: Any = None) -> None:
        """Everyone whom the guard let through, up to a number."""
        from socketio.exceptions import ConnectionRefusedError as Refused

        address = str((environ["asgi.scope"].get("client") or [""])[0])
        if Counter(self._addresses.values())[address] >= MAX_SOCKETS:
            error = RateLimited(f"{MAX_SOCKETS} sockets of one address are open, which is all: close some first")
            raise Refused(error.message, error_body(error).model_dump())
        self._addresses[sid], self._paces[sid] = address, _Pace()

    async def _disconnect(self, sid: str, _reason: Any = None) -> None:
        self._addresses.pop(sid, None)
        self._paces.pop(sid, None)

    def _watch(self, kind: str, kept_in: str, room_of: Callable[[str], str]) -> None:
        """`subscribe:KIND` and `unsubscribe:KIND` for one thing, by its id. `kept_in` names the workbench's room."""

        async def subscribe(sid: str, thing_id: Any) -> BaseModel:
            """Join first, read then: what happens in between is heard, and the answer is never older than the room."""
            room = room_of(_checked_id(kind, thing_id))
            await self._join(sid, room)
            try:
                return Data(data=await getattr(self._workbench, kept_in).get(thing_id))
            except SpoonError:
                await self._server.leave_room(sid, room)
                raise

        async def unsubscribe(sid: str, thing_id: Any) -> BaseModel:
            await self._server.leave_room(sid, room_of(_checked_id(kind, thing_id)))
            return Confirmation(message=f"No more events of {kind} {thing_id}")

        self._on(f"subscribe:{kind}", subscribe)
        self._on(f"unsubscribe:{kind}", unsubscribe)

    def _watch_all(self, room: str) -> None:
        """`subscribe:ROOM` and `unsubscribe:ROOM`, for everything of a kind."""

        async def subscribe(sid: str, _: Any) -> BaseModel:
            await self._server.enter_room(sid, room)
            return Confirmation(message=f"Events of all {room}")

        async def unsubscribe(sid: str, _: Any) -> BaseModel:
            await self._server.leave_room(sid, room)
            return Confirmation(message=f"No more events of all {room}")

        self._on(f"subscribe:{room}", subscribe)
        self._on(f"unsubscribe:{room}", unsubscribe)

    def _on(self, event: str, answer: Answer) -> None:
        async def handle(sid: str, thing_id: Any = None, *_: Any) -> Ack:
            return await self._acknowledge(sid, answer, thing_id)

        self._server.on(event, handle)

    async def _unknown(self, event: str, sid: str, *_: Any) -> Ack:
        async def refuse(_sid: str, _thing_id: Any) -> BaseModel:
            raise BadRequest(f"There is no message {event[:50]!r}: see subscribe:task and subscribe:session")

        return await self._acknowledge(sid, refuse, None)

    async def _acknowledge(self, sid: str, answer: Answer, thing_id: Any) -> Ack:
        try:
            if pace := self._paces.get(sid):
                pace.step()
            return (await answer(sid, thing_id)).model_dump(mode="json")
        except SpoonError as error:
            return error_body(error).model_dump()
        except Exception as error:  # noqa: BLE001  # the edge: a socket, too, gets an answer without the details
            log_unforeseen(error)
            return error_body(SpoonError()).model_dump()

    async def _join(self, sid: str, room: str) -> None:
        joined = self._server.rooms(sid)
        if room not in joined and len(joined) >= MAX_ROOMS:
            all_of_a_kind = f"subscribe:{ALL_TASKS} or subscribe:{ALL_GENERATIONS}"
            raise BadRequest(
                f"A socket can watch {MAX_ROOMS} things at most: take {all_of_a_kind}, or unsubscribe some"
            )
        await self._server.enter_room(sid, room)


class _Pace:
    """What one socket may still send: `BURST` at first, `MESSAGES_S` more each second."""

    def __init__(self) -> None:
        self._left, self._counted_at = float(BURST), time.monotonic()

    def step(self) -> None:
        """Count one message. Raises `RateLimited` when nothing is left."""
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._counted_at) * MESSAGES_S)
        self._counted_at = now
        if self._left < 1:
            raise RateLimited(f"A socket can send {MESSAGES_S} messages a second at most: wait a moment")
        self._left -= 1


def _checked_id(kind: str, thing_id: Any) -> str:
    if not isinstance(thing_id, str) or not 0 < len(thing_id) <= 100:
        raise BadRequest(f"subscribe:{kind} and unsubscribe:{kind} take the id of a {kind}")
    return thing_id
