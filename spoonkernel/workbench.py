"""Builds everything and owns every lifetime: `async with Workbench(config) as workbench`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self, cast

from spoonkernel.bus import Bus
from spoonkernel.bus.memory import MemoryBus
from spoonkernel.config import Config
from spoonkernel.connections import Connections
from spoonkernel.engine.comfy_runs import ComfyRuns
from spoonkernel.engine.conversations import OverheardConversations
from spoonkernel.engine.engine import Engine, Role
from spoonkernel.engine.generations import GenerationWatch
from spoonkernel.engine.overheard import Overheard
from spoonkernel.engine.runners import ProviderRuns
from spoonkernel.engine.watch import Tells
from spoonkernel.media import MediaFolder
from spoonkernel.services.attachments import Attachments
from spoonkernel.services.chat import ChatService
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.comfyui import ComfyUIService
from spoonkernel.services.conversations import ConversationService
from spoonkernel.services.database import DatabaseService, open_child
from spoonkernel.services.generations import GenerationService
from spoonkernel.services.health import HealthService
from spoonkernel.services.ingredients import Ingredients
from spoonkernel.services.models import ModelService
from spoonkernel.services.profiles import ProfileService
from spoonkernel.services.query_log import QueryLog
from spoonkernel.services.reproduction import Reproducer
from spoonkernel.services.results import ResultService
from spoonkernel.services.sessions import SessionService
from spoonkernel.services.settings import SettingsService
from spoonkernel.services.submissions import Submissions
from spoonkernel.services.tasks import TaskService
from spoonkernel.services.workflows import WorkflowService
from spoonkernel.store.conversations import ConversationRepo
from spoonkernel.store.engine import Database
from spoonkernel.store.generations import GenerationRepo
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.results import ResultRepo
from spoonkernel.store.sessions import SessionRepo
from spoonkernel.store.settings import SettingsRepo
from spoonkernel.store.tasks import TaskRepo
from spoonkernel.store.usage import UsageRepo
from spoonkernel.store.workflows import WorkflowRepo
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
        await self.media.sweep_partial()
        database = await opened.enter_async_context(Database(config.store_url))
        self._bus = await opened.enter_async_context(_bus(config))

        profiles, settings = ProfileRepo(database), SettingsRepo(database)
        usage = await opened.enter_async_context(UsageRepo(database))
        connections = await opened.enter_async_context(Connections(config, profiles, settings, vault))
        self.chat = ChatService(connections, profiles, usage)
        conversations = ConversationRepo(database)
        self.conversations = ConversationService(conversations, profiles, self.chat, Attachments(self.media), self._bus)
        await opened.enter_async_context(self.conversations.answers)
        self.models = ModelService(config, connections, profiles, usage)
        self.settings = SettingsService(settings, connections, vault)
        submissions, comfy, overheard = await self._open_comfyui(opened, database, connections, profiles)
        self.profiles = ProfileService(profiles, connections, vault, submissions)

        runs = ProviderRuns(self.chat, connections, comfy)
        others: list[Tells] = [overheard, OverheardConversations(conversations, self._bus)]
        engine = await opened.enter_async_context(
            Engine(config, database, self._bus, self.media, runs, role=self._role, others=others)
        )
        self.tasks = TaskService(TaskRepo(database), profiles, self.media, self._bus, engine)
        self.results = ResultService(ResultRepo(database), self.media)
        child = await opened.enter_async_context(open_child(config))
        audit = QueryLog(config.data_dir / "audit" / "queries.jsonl")
        self.database = DatabaseService(child, audit, allowed=config.database_queries)
        self.health = HealthService(config, database, connections, lambda: engine.redis)

    async def _open_comfyui(
        self, opened: AsyncExitStack, database: Database, connections: Connections, profiles: ProfileRepo
    ) -> tuple[Submissions, ComfyRuns, Overheard]:
        """The four rooms of ComfyUI; returns what submits, what runs tasks, and who hears of other processes' runs."""
        sessions, workflows, generations = SessionRepo(database), WorkflowRepo(database), GenerationRepo(database)
        servers = ComfyProfiles(self.config, profiles, workflows, connections)
        watch = await opened.enter_async_context(
            GenerationWatch(database, self._bus, self.media, connections=connections, profiles=profiles)
        )
        ingredients = Ingredients(servers)
        submissions = Submissions(
            generations,
            workflows,
            servers=servers,
            ingredients=ingredients,
            watch=watch,
            bus=self._bus,
            media=self.media,
        )
        reproducer = Reproducer(generations, servers, submissions, watch, self.media)
        self.comfyui = ComfyUIService(servers, submissions, sessions, generations, self.media)
        self.sessions = SessionService(
            sessions, workflows, generations, servers=servers, runs=submissions, media=self.media
        )
        self.workflows = WorkflowService(workflows, sessions, generations, servers, submissions)
        self.generations = GenerationService(generations, watch, reproducer, self.media, self._bus)
        runs = ComfyRuns(
            submissions,
            watch,
            servers=servers,
            sessions=sessions,
            generations=generations,
            tasks=TaskRepo(database),
            media=self.media,
        )
        return submissions, runs, watch.overheard


def _bus(config: Config) -> AbstractAsyncContextManager[Bus]:
    if config.redis_url is None:
        return MemoryBus()
    from spoonkernel.bus.redis import RedisBus

    return RedisBus(config.redis_url)
