"""Builds everything and owns every lifetime: `async with Workbench(config) as workbench`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self, cast

from spoonkernel.bus import Bus
from spoonkernel.bus.memory import MemoryBus
from spoonkernel.config import Config
from spoonkernel.connections import Connections
from spoonkernel.engine.engine import Engine, Role
from spoonkernel.engine.runners import ProviderRuns
from spoonkernel.media import MediaFolder
from spoonkernel.services.chat import ChatService
from spoonkernel.services.health import HealthService
from spoonkernel.services.models import ModelService
from spoonkernel.services.profiles import ProfileService
from spoonkernel.services.results import ResultService
from spoonkernel.services.settings import SettingsService
from spoonkernel.services.tasks import TaskService
from spoonkernel.store.engine import Database
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.results import ResultRepo
from spoonkernel.store.settings import SettingsRepo
from spoonkernel.store.tasks import TaskRepo
from spoonkernel.store.usage import UsageRepo
from spoonkernel.types.events import AnyEvent
from spoonkernel.vault import open_vault


class Workbench:
    """The embedded workbench: every room of `WorkbenchAPI`, on the loop that entered it.

    `role` says whether this process runs tasks: see `engine.Engine`.
    """

    def __init__(self, config: Config, *, role: Role = "auto") -> None:
        self.config, self._role = config, role

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            await self._open(opened)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[AnyEvent]]:
        """What happens to tasks, in any process of this workbench, from the moment the block is entered."""
        return cast(AbstractAsyncContextManager[AsyncIterator[AnyEvent]], self._bus.subscribe())

    async def _open(self, opened: AsyncExitStack) -> None:
        config = self.config
        vault = open_vault(config.encryption_keys, config.key_file)
        self.media = MediaFolder(config.media_dir)
        database = await opened.enter_async_context(Database(config.store_url))
        self._bus = await opened.enter_async_context(_bus(config))

        profiles, settings = ProfileRepo(database), SettingsRepo(database)
        usage = await opened.enter_async_context(UsageRepo(database))
        connections = await opened.enter_async_context(Connections(config, profiles, settings, vault))
        self.chat = ChatService(connections, profiles, usage)
        self.models = ModelService(config, connections, profiles, usage)
        self.profiles = ProfileService(profiles, connections, vault)
        self.settings = SettingsService(settings, connections, vault)

        runs = ProviderRuns(self.chat, connections)
        engine = await opened.enter_async_context(
            Engine(config, database, self._bus, self.media, runs, role=self._role)
        )
        self.tasks = TaskService(TaskRepo(database), profiles, self.media, self._bus, engine)
        self.results = ResultService(ResultRepo(database), self.media)
        self.health = HealthService(config, database, connections, lambda: engine.redis)


def _bus(config: Config) -> AbstractAsyncContextManager[Bus]:
    if config.redis_url is None:
        return MemoryBus()
    from spoonkernel.bus.redis import RedisBus

    return RedisBus(config.redis_url)
