"""`async with RemoteWorkbench("http://team:3001") as workbench`: every room, the events and the media of a server."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from spoonkernel.api import ROOMS
from spoonkernel.api.chat import ChatAPI
from spoonkernel.api.comfyui import ComfyUIAPI
from spoonkernel.api.generations import GenerationsAPI
from spoonkernel.api.health import HealthAPI
from spoonkernel.api.models import ModelsAPI
from spoonkernel.api.profiles import ProfilesAPI
from spoonkernel.api.results import ResultsAPI
from spoonkernel.api.sessions import SessionsAPI
from spoonkernel.api.settings import SettingsAPI
from spoonkernel.api.tasks import TasksAPI
from spoonkernel.api.workflows import WorkflowsAPI
from spoonkernel.errors import BadRequest
from spoonkernel.remote.events import listen
from spoonkernel.remote.rooms import build_room
from spoonkernel.remote.wire import Wire
from spoonkernel.types.base import Media
from spoonkernel.types.events import AnyEvent

MEDIA_PATH = "/storage/media/"


class RemoteWorkbench:
    """The workbench of the server at `url` (with or without `/api` at its end). Open it with `async with`.

    Raises what the embedded one raises; a server that does not answer is a `ProviderConnectionError`.
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

    def __init__(self, url: str, *, headers: dict[str, str] | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/api")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadRequest(f"{url!r} is no address of a Spoon server: it looks like http://localhost:3001")
        self._headers = dict(headers or {})
        self._wire = Wire(self.url, self._headers)
        for name, room in ROOMS.items():
            setattr(self, name, build_room(room, self._wire))
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
        return listen(self.url, self._headers)


class RemoteMedia:
    """The server's media folder."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def open(self, name: str) -> Media:
        """A file by its name or its result's path. Raises `NotFound`."""
        path = MEDIA_PATH + quote(name.removeprefix(MEDIA_PATH), safe="")
        found: Any = await self._wire.media(path)
        return Media.model_validate(found)
