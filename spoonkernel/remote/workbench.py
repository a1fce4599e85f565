"""`async with RemoteWorkbench("http://team:3001") as workbench`: every room, the events and the media of a server."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from spoonkernel.api import ROOMS
from spoonkernel.api.chat import ChatAPI
from spoonkernel.api.comfyui import ComfyUIAPI
from spoonkernel.api.conversations import ConversationsAPI
from spoonkernel.api.database import DatabaseAPI
from spoonkernel.api.generations import GenerationsAPI
from spoonkernel.api.health import HealthAPI
from spoonkernel.api.models import ModelsAPI
from spoonkernel.api.profiles import ProfilesAPI
from spoonkernel.api.results import ResultsAPI
from spoonkernel.api.sessions import SessionsAPI
from spoonkernel.api.settings import SettingsAPI
from spoonkernel.api.tasks import TasksAPI
from spoonkernel.api.workflows import WorkflowsAPI
from spoonkernel.config import ServerAccess
from spoonkernel.remote.access import access_headers, server_address
from spoonkernel.remote.events import EventFeed
from spoonkernel.remote.rooms import build_room
from spoonkernel.remote.wire import Wire
from spoonkernel.types.base import Media
from spoonkernel.types.database import QueryResult
from spoonkernel.types.events import AnyEvent

MEDIA_PATH = "/storage/media/"


class RemoteWorkbench:
    """The workbench of the server at `url` (with or without `/api` at its end). Open it with `async with`.

    Raises what the embedded one raises; a server that does not answer is a `ProviderConnectionError`, one that wants a
    token, or another one, `Unauthorized`. A token goes with every request to this server and to no other: without
    encryption only to this machine, unless `access` allows it.
    """

    health: HealthAPI
    models: ModelsAPI
    settings: SettingsAPI
    profiles: ProfilesAPI
    chat: ChatAPI
    tasks: TasksAPI
    results: ResultsAPI
    comfyui: ComfyUIAPI
    sessions: SessionsAPI
    workflows: WorkflowsAPI
    generations: GenerationsAPI
    conversations: ConversationsAPI
    database: DatabaseAPI

    def __init__(self, url: str, *, access: ServerAccess | None = None, headers: dict[str, str] | None = None) -> None:
        self.url = server_address(url)
        carried = access_headers(self.url, access or ServerAccess(), headers)
        self._wire = Wire(self.url, carried)
        self._feed = EventFeed(self.url, carried)
        for name, room in ROOMS.items():
            setattr(self, name, build_room(room, self._wire))
        setattr(self.database, "query", _with_tables(self.database))  # noqa: B010  # a built room's own attribute
        self.media = RemoteMedia(self._wire)

    async def __aenter__(self) -> Self:
        await self._wire.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.close()

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[AnyEvent]]:
        """Every event of the server from here on. Needs the `server` extra, for its Socket.IO client."""
        return self._feed.listen()


class RemoteMedia:
    """The server's media folder."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def open(self, name: str) -> Media:
        """A file by its name or its result's path. Raises `NotFound`."""
        path = MEDIA_PATH + quote(name.removeprefix(MEDIA_PATH), safe="")
        found: Any = await self._wire.media(path)
        return Media.model_validate(found)


def _with_tables(room: DatabaseAPI) -> Callable[..., Awaitable[QueryResult]]:
    """`room.query` whose results know how to ask for all their rows."""
    ask, arrow = room.query, room.arrow

    @functools.wraps(ask)
    async def asked(query: str, *, parameters: Any = None, limit: int = 1_000) -> QueryResult:
        result = await ask(query, parameters=parameters, limit=limit)
        return result.fetching(functools.partial(arrow, query, parameters=parameters))

    return asked
